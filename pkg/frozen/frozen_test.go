// Package frozen holds scores and survey statistics of the recipes' experiments that no change of structure may move: what a test finds here was computed by the
// first edition of the code on the Go backend in float32. `go test ./pkg/frozen -update` writes the files anew, which a change that moves a number on purpose says.
package frozen

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/emulate/apply"
	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/eval"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/reason"
	"github.com/attune-lab/attune/pkg/sink"
)

var update = flag.Bool("update", false, "write the frozen numbers anew")

// tolerance of every number, absolute: scores are sums of a few log-probabilities, statistics are shares, nats, tokens or norms.
const tolerance = 1e-6

// numbers by name: of an arm the scores of each item's choices in order, of a survey a statistic of each prompt.
type numbers map[string][]float64

func TestFrozenScores(t *testing.T) {
	m := load(t)
	released := must(emulate.Preset("released"))
	grid := emulate.Grid{Base: released, Alphas: []float64{0.5, 1}, Taus: []float64{0.001, 0.05}, Sources: []int{1, 2}, Renormalise: []emulate.Renormalisation{"row", "keep-diagonal"}}
	specs := map[string]emulate.Spec{}
	for _, name := range emulate.PresetNames() {
		specs[name] = must(emulate.Preset(name))
	}
	for _, p := range must(grid.Points()) {
		specs[p.Name] = p.Spec
	}
	for _, name := range []string{"uniform", "random", "local"} {
		p := must(grid.Control(name, 1))
		specs[p.Name] = p.Spec
	}
	arms := []eval.Arm{{Name: "untouched"}}
	for _, name := range slices.Sorted(maps.Keys(specs)) {
		arms = append(arms, eval.Arm{Name: name, Plan: emulate.Plan{specs[name]}})
	}
	compare(t, "scores", scores(t, m, 8, arms))
}

func TestFrozenReasoning(t *testing.T) {
	m := load(t)
	var arms []eval.Arm
	for _, name := range []string{"off", "released"} {
		var plan emulate.Plan
		if name != "off" {
			plan = emulate.Plan{must(emulate.Preset(name))}
		}
		for _, a := range []reason.Arm{{Kind: reason.Direct}, {Kind: reason.CoT, Budget: 24}, {Kind: reason.BudgetForcing, Budget: 24, Waits: 1}, {Kind: reason.SelfConsistency, Budget: 16, Samples: 2, Temperature: 0.7, Seed: 1}} {
			label := a.String() + ", " + name
			arms = append(arms, eval.Arm{Name: label, Plan: plan, Answer: a})
		}
	}
	compare(t, "reasoning", scores(t, m, 4, arms))
}

func TestFrozenSurvey(t *testing.T) {
	m := load(t)
	task := must(eval.LoadTask("generated:medium", 6, eval.TaskOptions{Seed: 1}))
	prompts := task.TextTokens(m.Tokenizer.Encode)
	found := numbers{}
	for _, arm := range []string{"off", "released"} {
		var exp model.Experiment
		if arm != "off" {
			exp = must(apply.New(must(emulate.Preset(arm))))
		}
		s := must(sink.Run(m, prompts, sink.Options{Measures: sink.Everything, T: 48, Experiment: exp}))
		add := func(name string, h *sink.PerHead, err error) {
			if err != nil {
				t.Fatal(err)
			}
			for p, values := range h.Values {
				found[fmt.Sprintf("%s/%s/prompt %d", arm, name, p)] = values
			}
		}
		h, err := s.FirstShare()
		add("first share", h, err)
		h, err = s.DiagonalShare()
		add("diagonal share", h, err)
		h, err = s.LocalShare()
		add("local share", h, err)
		h, err = s.Density()
		add("mask density", h, err)
		h, err = s.Overlap()
		add("mask overlap", h, err)
		h, err = s.Entropy()
		add("entropy", h, err)
		h, err = s.Distance()
		add("distance", h, err)
		for k := range 4 {
			for _, eps := range []float64{0.05, 0.1, 0.3} {
				rate := must(s.SinkRate(k, eps))
				found[fmt.Sprintf("%s/sink rate/key %d, eps %g", arm, k, eps)] = rate.PerPrompt
			}
		}
		found[arm+"/row sums"] = s.LayerRowSums()
		found[arm+"/first mass"] = s.LayerFirstMass()
	}
	compare(t, "survey", found)
}

func load(t *testing.T) *model.Model {
	t.Helper()
	return must(model.Load(filepath.Join("..", "..", "testdata", "attune-tiny"), model.Options{}))
}

// scores of the first items of the recipes' task under each arm.
func scores(t *testing.T, m *model.Model, items int, arms []eval.Arm) numbers {
	t.Helper()
	task := must(eval.LoadTask("generated:medium", items, eval.TaskOptions{Seed: 1}))
	runner := engine.New(m, engine.Options{})
	found := numbers{}
	for _, arm := range arms { // one by one: some are the same computation by two names, which a comparison refuses
		c := must(eval.Compare(context.Background(), task, []eval.Arm{arm}, eval.Options{Runner: func() (*engine.Runner, error) { return runner, nil }}))
		for i, e := range c.Examples {
			found[arm.Name+"/"+e.ID] = c.Outcomes[0][i].Scores
		}
	}
	return found
}

// compare holds numbers against the file of that name.
func compare(t *testing.T, name string, found numbers) {
	t.Helper()
	path := filepath.Join("testdata", name+".json.gz")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		f := must(os.Create(path))
		packed := must(gzip.NewWriterLevel(f, gzip.BestCompression))
		if err := errors.Join(json.NewEncoder(packed).Encode(found), packed.Close(), f.Close()); err != nil {
			t.Fatal(err)
		}
		return
	}
	frozen := numbers{}
	f := must(os.Open(path))
	defer f.Close()
	if err := json.NewDecoder(must(gzip.NewReader(f))).Decode(&frozen); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if len(frozen) != len(found) {
		t.Errorf("%d series found, %d frozen", len(found), len(frozen))
	}
	worst, wrong := 0.0, 0
	for key, want := range frozen {
		got := found[key]
		if len(got) != len(want) {
			t.Errorf("%s: %d numbers, frozen are %d", key, len(got), len(want))
			continue
		}
		for i := range want {
			off := math.Abs(got[i] - want[i])
			worst = max(worst, off)
			if !(off <= tolerance) {
				if wrong++; wrong <= 5 {
					t.Errorf("%s[%d] = %.9g, frozen %.9g", key, i, got[i], want[i])
				}
			}
		}
	}
	t.Logf("%d series, the worst number %.2g off, %d beyond %g", len(frozen), worst, wrong, tolerance)
}

// must gives the value of a call that may not fail here.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
