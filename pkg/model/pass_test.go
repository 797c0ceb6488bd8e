package model_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/attention"
	"github.com/attune-lab/attune/pkg/model"
)

// counted keeps a running sum from layer to layer, adds an input of its own to it, and emits it; it also emits the residual stream.
type counted struct{ from float32 }

func (c counted) Visit(l attention.Layer) *attention.Visit {
	return &attention.Visit{Key: fmt.Sprintf("counted, first %t", l.Index == 0), Inputs: map[string][]float32{"mine": {c.from, float32(l.Index)}},
		Build: func(s *attention.Site) {
			sum := ReduceAllSum(s.Input("mine"))
			if before := s.Kept("sum"); before != nil {
				sum = Add(before, sum)
			}
			s.Keep("sum", sum)
			s.Emit("sum", sum)
		},
		Residual: func(s *attention.Site, x *Node) { s.Emit("stream", x) },
	}
}

// TestStagesEqualTheWholeGraph: a pass through executables of one, two and three layers gives what one graph gives, in every family, plain and under experiments.
func TestStagesEqualTheWholeGraph(t *testing.T) {
	everyFamily(t, func(t *testing.T, name string) {
		m := family(t, name)
		batch := model.Batch{Tokens: unequal, Bucket: 16}
		var targets model.Targets
		for _, p := range unequal {
			targets = append(targets, []model.Target{{Position: len(p) - 1, Token: 5}, {Position: 0, Token: 7}})
		}
		for _, exp := range []model.Experiment{nil, gain{}, model.Experiment(attention.Sequence(gain{}, counted{3}))} {
			want := model.Outputs{Logits: true, Targets: targets, Whole: true}
			whole, err := m.Forward(batch, want, exp)
			if err != nil {
				t.Fatal(err)
			}
			want.Whole = false
			for layers := 1; layers <= 3; layers++ {
				model.StageLayers(t, layers)
				r, err := m.Forward(batch, want, exp)
				if err != nil {
					t.Fatal(err)
				}
				if d := maxDiff(tensors.MustCopyFlatData[float32](r.Logits), tensors.MustCopyFlatData[float32](whole.Logits)); !(d < 1e-5) {
					t.Errorf("experiment %T, stages of %d: logits differ by %g", exp, layers, d)
				}
				for i, row := range r.LogProbs {
					for j, x := range row {
						if d := x - whole.LogProbs[i][j]; !(d < 1e-5 && d > -1e-5) {
							t.Errorf("experiment %T, stages of %d: prompt %d, target %d differs by %g", exp, layers, i, j, d)
						}
					}
				}
				if !slices.Equal(r.Plan, whole.Plan) {
					t.Errorf("stages of %d: the plan is %v, expected %v", layers, r.Plan, whole.Plan)
				}
				for name, byLayer := range whole.Emitted {
					for l, x := range byLayer {
						if d := maxDiff(tensors.MustCopyFlatData[float32](x), tensors.MustCopyFlatData[float32](r.Emitted[name][l])); !(d < 1e-4) {
							t.Errorf("stages of %d: %s of layer %d differs by %g", layers, name, l, d)
						}
					}
				}
			}
		}
	})
}

// TestLayersAndExperimentsThatAreAlikeShareGraphs: other inputs and other layers of one key build nothing; sums of kept values follow the inputs.
func TestLayersAndExperimentsThatAreAlikeShareGraphs(t *testing.T) {
	m := tinyModel(t)
	run := func(from float32) []float32 {
		r, err := m.Forward(model.Prompts(tokens(1, 9, 97)), model.Outputs{}, counted{from})
		if err != nil {
			t.Fatal(err)
		}
		var sums []float32
		for _, x := range r.Emitted["sum"] {
			sums = append(sums, tensors.ToScalar[float32](x))
		}
		return sums
	}
	if got := run(1); !slices.Equal(got, []float32{1, 3, 6}) {
		t.Errorf("the sums are %v, expected 1, 3, 6", got)
	}
	built := m.Compilations()
	if got := run(10); !slices.Equal(got, []float32{10, 21, 33}) {
		t.Errorf("the sums are %v, expected 10, 21, 33", got)
	}
	if n := m.Compilations() - built; n != 0 {
		t.Errorf("an experiment that differs in its inputs built %d graphs", n)
	}
	if built != 3 { // the embedding, the first layer, and one for the two others
		t.Errorf("%d graphs, expected 3", built)
	}
}

// TestPassesRunSideBySide: Forward is called from several goroutines, with widths of their own.
func TestPassesRunSideBySide(t *testing.T) {
	m := tinyModel(t)
	alone := make([][]float64, 4)
	pass := func(m *model.Model, i int) ([]float64, error) {
		p := tokens(i, 10+5*i, 97)
		r, err := m.Forward(model.Prompts(p), model.Outputs{Targets: model.Targets{{{Position: len(p) - 1, Token: 4}}}}, gain{})
		if err != nil {
			return nil, err
		}
		return r.LogProbs[0], nil
	}
	for i := range alone {
		var err error
		if alone[i], err = pass(tinyModel(t), i); err != nil {
			t.Fatal(err)
		}
	}
	var all sync.WaitGroup
	for i := range 4 * len(alone) {
		all.Go(func() {
			got, err := pass(m, i%len(alone))
			if err != nil || !slices.Equal(got, alone[i%len(alone)]) {
				t.Errorf("pass %d beside others gives %v, %v, alone %v", i, got, err, alone[i%len(alone)])
			}
		})
	}
	all.Wait()
}

// TestObservationsAreReceivedAsTheyAreKept, from stages of one layer, of several, and from one graph; what is emitted and kept as well stays for later layers.
func TestObservationsAreReceivedAsTheyAreKept(t *testing.T) {
	m := tinyModel(t)
	batch := model.Batch{Tokens: unequal, Bucket: 16}
	for layers := 1; layers <= 3; layers++ {
		model.StageLayers(t, layers)
		for _, whole := range []bool{false, true} {
			want, err := m.Forward(batch, model.Outputs{Whole: whole}, counted{3})
			if err != nil {
				t.Fatal(err)
			}
			var mu sync.Mutex
			got := map[string]int{}
			receive := func(o model.Observation) error {
				flat := make([]float32, len(o.Layers)*o.Shape.Size())
				err := o.CopyTo(flat)
				mu.Lock()
				defer mu.Unlock()
				for i, l := range o.Layers {
					got[o.Name]++
					if own := flat[i*o.Shape.Size():][:o.Shape.Size()]; !slices.Equal(own, tensors.MustCopyFlatData[float32](want.Emitted[o.Name][l])) {
						t.Errorf("stages of %d, whole=%t: %s of layer %d is %v", layers, whole, o.Name, l, own)
					}
				}
				return err
			}
			r, err := m.Forward(batch, model.Outputs{Whole: whole, Receive: receive}, counted{3})
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Emitted) != 0 || got["sum"] != m.Config.Layers || got["stream"] != m.Config.Layers {
				t.Errorf("stages of %d, whole=%t: received %v, kept %d", layers, whole, got, len(r.Emitted))
			}
		}
	}
	failing := model.Outputs{Receive: func(model.Observation) error { return errors.New("full") }}
	if _, err := m.Forward(batch, failing, counted{3}); err == nil || !strings.Contains(err.Error(), "full") {
		t.Errorf("the receiver's error became %v", err)
	}
}
