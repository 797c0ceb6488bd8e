package eval

import (
	"context"
	"errors"
	"reflect"
	"testing"

	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/store"
)

// TestPartsMakeTheComparisonOfOneRun: answers computed in parts, each into a store of its own, and united are those of one run, and a part that is missing is an error.
func TestPartsMakeTheComparisonOfOneRun(t *testing.T) {
	task, arms, o := partTask(t)
	whole, err := Compare(context.Background(), task, arms, o())
	if err != nil {
		t.Fatal(err)
	}
	const of = 3
	united, seen := store.Fresh(), 0
	defer united.Close()
	for i := 1; i <= of; i++ {
		options := o()
		options.Run = "part-" + store.Part{Index: i, Of: of}.String()[:1]
		a, err := AnswerPart(context.Background(), task, arms, options, store.Part{Index: i, Of: of})
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Jobs) != len(arms) || a.Of != len(task.Examples) {
			t.Errorf("part %d says %d jobs of %d examples", i, len(a.Jobs), a.Of)
		}
		seen += len(a.Items)
		known := options
		known.Store, known.Known, known.Runner = united, true, neverOpens
		_, err = Compare(context.Background(), task, arms, known)
		var missing *MissingError
		if !errors.As(err, &missing) || missing.Missing == 0 {
			t.Errorf("before part %d is merged: %v, expected an error that counts what is missing", i, err)
		}
		if _, err := united.Merge("all", options.Store); err != nil {
			t.Fatal(err)
		}
	}
	if seen != len(task.Examples) {
		t.Errorf("the parts have %d examples, expected %d", seen, len(task.Examples))
	}
	known := o()
	known.Store, known.Known, known.Runner = united, true, neverOpens
	parts, err := Compare(context.Background(), task, arms, known)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(parts, whole) {
		t.Errorf("the comparison of the parts differs from that of one run:\n%+v\n%+v", parts.Rows, whole.Rows)
	}
}

func neverOpens() (*engine.Runner, error) { return nil, errors.New("a model is asked for") }

// partTask is a comparison that needs no model, with options whose store is new each time.
func partTask(t *testing.T) (*Task, []Arm, func() Options) {
	t.Helper()
	task := &Task{Name: "hand", TemplateHash: "0123456789", Metric: Acc, Metrics: []string{Acc}}
	base, arm := map[string]bool{}, map[string]bool{}
	for i := range 24 {
		e := Example{ID: string(rune('a' + i)), Domain: "d", Prompt: "p", Choices: []string{" x", " y"}, Answer: i % 2}
		task.Examples = append(task.Examples, e)
		base[e.ID], arm[e.ID] = i%3 == 0, i%4 != 0
	}
	arms := []Arm{{Name: "base", Answer: told("base", base)}, {Name: "arm", Answer: told("arm", arm)}}
	return task, arms, func() Options {
		s := store.Fresh()
		t.Cleanup(func() { s.Close() })
		return Options{Store: s, Job: store.Job{Code: "c", Model: "m", Numerics: "n"}, Runner: func() (*engine.Runner, error) { return nil, nil }}
	}
}
