package sink_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/sink"
	"github.com/attune-lab/attune/pkg/store"
)

// TestKeptSurveysAreComputedOnce: the second time they come from the store, without a model, and are the same; another plan, length or prompt is another survey.
func TestKeptSurveysAreComputedOnce(t *testing.T) {
	s := store.Fresh()
	defer s.Close()
	r := engine.New(tinyModel(t), engine.Options{})
	opened := 0
	kept := func(plan emulate.Plan, prompts [][]int, o sink.Options) *sink.Survey {
		t.Helper()
		v, err := sink.Kept(context.Background(), s, store.Job{Code: "c", Model: "m", Numerics: r.Numerics()}, func() (*engine.Runner, error) { opened++; return r, nil }, plan, prompts, o)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	prompts := [][]int{prompt(1, 30), prompt(2, 25), prompt(3, 40)}
	o := sink.Options{Measures: sink.Everything}
	first := kept(nil, prompts, o)
	again := kept(nil, prompts, o)
	if opened != 1 {
		t.Fatalf("the model was opened %d times", opened)
	}
	entropies := func(v *sink.Survey) string {
		e, err := v.Entropy()
		if err != nil {
			t.Fatal(err)
		}
		m, err := v.Similarities()
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal([]any{e.Values, m, v.Lengths, v.Plan})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if entropies(first) != entropies(again) {
		t.Error("the store gives another survey")
	}
	if changed := kept(emulate.Plan{emulate.Literal()}, prompts, o); entropies(changed) == entropies(first) || opened != 2 {
		t.Errorf("a plan changes nothing; the model was opened %d times", opened)
	}
	kept(nil, prompts, sink.Options{Measures: sink.Everything, T: 20})
	kept(nil, prompts[:2], o)
	if opened != 4 {
		t.Errorf("the model was opened %d times, expected 4", opened)
	}
}
