package eval

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/store"
)

func TestWindowsPredictEveryTokenOnce(t *testing.T) {
	for _, w := range []Windows{{8, 4}, {8, 8}, {8, 1}, {2, 1}, {5, 3}} {
		for n := range 30 {
			tokens := make([]int, n)
			for i := range tokens {
				tokens[i] = 100 + i
			}
			var seen []int
			for _, q := range w.sequences(tokens) {
				if len(q.Tokens) >= w.Window || len(q.Tokens) == 0 || len(q.Targets) == 0 {
					t.Fatalf("%+v, %d tokens: a sequence of %d with %d targets", w, n, len(q.Tokens), len(q.Targets))
				}
				for _, target := range q.Targets {
					if target.Token != q.Tokens[target.Position]+1 {
						t.Fatalf("%+v: token %d behind %d", w, target.Token, q.Tokens[target.Position])
					}
					seen = append(seen, target.Token)
				}
			}
			if want := tokens[min(1, n):]; !slices.Equal(seen, want) {
				t.Errorf("%+v: predicted %v, expected %v", w, seen, want)
			}
		}
	}
	if _, err := (Windows{Window: 600}).fill(512); err == nil || !strings.Contains(err.Error(), "2 to 512, the model's context") {
		t.Errorf("a window longer than the context: %v", err)
	}
	if w, err := (Windows{}).fill(512); err != nil || w != (Windows{512, 256}) {
		t.Errorf("%+v, %v", w, err)
	}
}

// TestPerplexityIsPairedByDocument on the embedded model: windows of the whole document and a stride give the same tokens, an intervention
// that leaves nothing of attention costs much, and what is stored is not computed again.
func TestPerplexityIsPairedByDocument(t *testing.T) {
	task := mustLoad(t, Generated+":easy", 6, TaskOptions{Seed: 2})
	var documents []string
	for _, e := range task.Examples {
		documents = append(documents, e.Text)
	}
	blind := emulate.Plan{{Alpha: -1, Mask: emulate.MaskAll, Schedule: emulate.ScheduleConstant}}
	arms := []Arm{{Name: "untouched"}, {Name: "blind", Plan: blind}}
	opened := 0
	open := tinyRunner(t)
	runner := func() (*engine.Runner, error) { opened++; return open() }
	kept := store.Fresh()
	defer kept.Close()
	o := LossOptions{Runner: runner, Store: kept, Job: store.Job{Code: "test", Model: "tiny", Numerics: "go"}, Seed: 1}
	rows, err := Perplexity(context.Background(), documents, arms, o)
	if err != nil {
		t.Fatal(err)
	}
	base, gone := rows[0], rows[1]
	if base.Documents != 6 || base.Tokens != gone.Tokens || base.Versus != nil || math.Abs(base.Perplexity-math.Exp(base.Loss)) > 1e-9 || !base.CI95.Contains(base.Loss) {
		t.Errorf("%+v", base)
	}
	if gone.Versus == nil || gone.Versus.CI95.Low < 1 || math.Abs(gone.Versus.Mean-(gone.Loss-base.Loss)) > 1e-9 || base.Loss > 2 {
		t.Errorf("without attention: %+v, %+v, untouched %+v", gone, gone.Versus, base)
	}
	again, err := Perplexity(context.Background(), documents, arms, o)
	if err != nil || again[0].Loss != base.Loss || again[1].Versus.Mean != gone.Versus.Mean {
		t.Errorf("from the store: %+v, %v", again, err)
	}
	o.Store = nil
	o.Windows = Windows{Window: 32, Stride: 16}
	short, err := Perplexity(context.Background(), documents[:2], arms[:1], o)
	if err != nil || short[0].Loss <= 0 {
		t.Errorf("%+v, %v", short, err)
	}
	if _, err := Perplexity(context.Background(), []string{""}, arms[:1], o); err == nil || !strings.Contains(err.Error(), "nothing to predict") {
		t.Errorf("an empty document: %v", err)
	}
}
