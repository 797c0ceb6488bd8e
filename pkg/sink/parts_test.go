package sink_test

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/emulate/apply"
	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/sink"
	"github.com/attune-lab/attune/pkg/store"
)

// TestASurveyInPartsIsThatOfOneRun: what parts observed, united, is byte for byte the survey of one run; a part without a text does no harm, one that is missing is an error.
func TestASurveyInPartsIsThatOfOneRun(t *testing.T) {
	r := engine.New(tinyModel(t), engine.Options{})
	open := func() (*engine.Runner, error) { return r, nil }
	job := store.Job{Code: "c", Model: "m", Numerics: r.Numerics()}
	prompts := [][]int{prompt(1, 30), prompt(2, 25), prompt(3, 40), prompt(4, 12), prompt(5, 33)}
	plan := emulate.Plan{emulate.Literal()}
	kept := func(s *store.Store, o sink.Options) (*sink.Survey, error) {
		return sink.Kept(context.Background(), s, job, open, plan, prompts, o)
	}
	saved := func(v *sink.Survey) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), "s.safetensors")
		if err := v.Save(path); err != nil {
			t.Fatal(err)
		}
		return string(must(os.ReadFile(path)))
	}
	for _, o := range []sink.Options{{Measures: sink.Everything}, {Measures: sink.Everything, T: 20}, {}} {
		one, all := store.Fresh(), store.Fresh()
		defer one.Close()
		defer all.Close()
		whole := must(kept(one, o))
		known := o
		known.Known = true
		const of = 6 // more than there are texts
		seen := 0
		for i := 1; i <= of; i++ {
			if _, err := kept(all, known); err == nil || seen == 0 && !strings.Contains(err.Error(), "not in the store") {
				t.Errorf("before part %d: %v, expected an error that counts what is missing", i, err)
			}
			s := store.Fresh()
			defer s.Close()
			part := o
			part.Part = store.Part{Index: i, Of: of}
			v := must(kept(s, part))
			again := must(kept(s, part)) // from the store
			if saved(v) != saved(again) {
				t.Errorf("part %d: the store gives another survey", i)
			}
			seen += must(all.Merge("all", s)).Blobs
			if i == 5 {
				break // the sixth has no text
			}
		}
		if got := must(kept(all, known)); saved(got) != saved(whole) {
			t.Errorf("%+v: the survey in parts differs from that of one run", o)
		}
	}
}

// TestMaskDensityIsKeptTextByText: what an interrupted measurement has stored is not measured again, and the rest gives the same shares.
func TestMaskDensityIsKeptTextByText(t *testing.T) {
	r := engine.New(effectModel(t), engine.Options{})
	texts := [][]int{prompt(1, 20), prompt(2, 9), prompt(3, 14), prompt(1, 20)}
	want := must(sink.MaskDensity(t.Context(), r, texts, 0.1))
	job := store.Job{Code: "c", Model: "m", Numerics: "n"}
	s := store.Fresh()
	defer s.Close()
	measured := 0
	o := sink.TextOptions{Open: func() (*engine.Runner, error) { return r, nil }, Progress: func(n int) { measured += n }}
	must(sink.KeptMaskDensity(t.Context(), s, job, texts[1:2], 0.1, o))
	if _, err := sink.KeptMaskDensity(t.Context(), s, job, texts, 0.1, sink.TextOptions{Known: true}); err == nil || !strings.Contains(err.Error(), "2 of 4 texts") {
		t.Errorf("%v, expected an error that counts what is missing", err)
	}
	if got := must(sink.KeptMaskDensity(t.Context(), s, job, texts, 0.1, o)); !reflect.DeepEqual(got, want) {
		t.Errorf("the store gives %+v, measured at once it is %+v", got, want)
	}
	if got := must(sink.KeptMaskDensity(t.Context(), s, job, texts, 0.1, sink.TextOptions{Known: true})); !reflect.DeepEqual(got, want) || measured != 4 {
		t.Errorf("%+v, and told of %d texts, expected %+v and 4: one measured, then one known and two measured, the fourth text being the first again", got, measured, want)
	}
	if _, err := sink.KeptMaskDensity(t.Context(), s, job, texts, 0.2, sink.TextOptions{Known: true}); err == nil {
		t.Error("another threshold is answered by the store")
	}
}

// TestEffectsAreKeptTextByText: the store gives what was measured, in parts too, without a model.
func TestEffectsAreKeptTextByText(t *testing.T) {
	m := effectModel(t)
	plan := emulate.Plan{emulate.FirstRelease()}
	texts := [][]int{prompt(1, 20), prompt(2, 9), prompt(3, 14), prompt(1, 20)}
	plain, changed, err := sink.MeasureEffect(m, texts, must(apply.Plan(plan)), nil)
	if err != nil {
		t.Fatal(err)
	}
	job := store.Job{Code: "c", Model: "m", Numerics: "n"}
	all := store.Fresh()
	defer all.Close()
	measured, items := 0, 0
	for i := 1; i <= 2; i++ {
		s := store.Fresh()
		defer s.Close()
		o := sink.TextOptions{Part: store.Part{Index: i, Of: 2}, Open: func() (*engine.Runner, error) { return engine.New(m, engine.Options{}), nil }, Progress: func(n int) { measured += n },
			Stored: func(_ store.Key, list []string) { items += len(list) }}
		if _, _, err := sink.KeptEffects(t.Context(), s, job, plan, texts, o); err != nil {
			t.Fatal(err)
		}
		if _, _, err := sink.KeptEffects(t.Context(), all, job, plan, texts, sink.TextOptions{Known: true}); err == nil || !strings.Contains(err.Error(), "not in the store") {
			t.Errorf("before part %d: %v, expected an error that counts what is missing", i, err)
		}
		if _, err := all.Merge("all", s); err != nil {
			t.Fatal(err)
		}
	}
	gotPlain, gotChanged, err := sink.KeptEffects(t.Context(), all, job, plan, texts, sink.TextOptions{Known: true})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(gotPlain, plain) || !reflect.DeepEqual(gotChanged, changed) {
		t.Errorf("the store gives other effects:\n%+v\n%+v", gotChanged, changed)
	}
	if measured != 3 || items != 4 {
		t.Errorf("%d texts were measured and %d told, expected 3, the fourth being the first again, and 4", measured, items)
	}
}
