package apply_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/attune-lab/attune/pkg/attention"
	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/emulate/apply"
	"github.com/attune-lab/attune/pkg/model"
)

// addToFirst adds a number to the first token's score, in every layer and head.
type addToFirst struct{ bias float64 }

func (a addToFirst) Visit(attention.Layer) *attention.Visit {
	return &attention.Visit{Key: fmt.Sprintf("add %g to the first score", a.bias), Build: func(site *attention.Site) {
		scores := site.Scores()
		first := Equal(InsertAxes(site.KeyPos, 1, 1), Scalar(scores.Graph(), dtypes.Int32, 0))
		dims := scores.Shape().Dimensions
		site.SetProbs(Softmax(Where(BroadcastToDims(first, dims...), AddScalar(scores, a.bias), scores), -1))
	}}
}

// TestZeroTuningAddsLogGToTheFirstScore is the equivalence that its authors state (arXiv 2505.11739).
func TestZeroTuningAddsLogGToTheFirstScore(t *testing.T) {
	m := tinyModel(t)
	p := [][]int{prompt(1, 30)}
	for _, g := range []float64{0.2, 1.5, 3} {
		scaled, added := logits(t, m, p, experiment(t, emulate.ZeroTuning(g))), logits(t, m, p, addToFirst{math.Log(g)})
		if d := distance(scaled, added); d > 2e-5 {
			t.Errorf("gain %g: logits differ by %g", g, d)
		}
	}
}

func distance(a, b []float32) float64 {
	d := 0.0
	for i := range a {
		d = math.Max(d, math.Abs(float64(a[i])-float64(b[i])))
	}
	return d
}

// TestUniformWithoutAThresholdIsFirstRelease: the control that spreads the mass of a mask of everything is the gain on everything.
func TestUniformWithoutAThresholdIsFirstRelease(t *testing.T) {
	m := tinyModel(t)
	p := [][]int{prompt(1, 30)}
	uniform := logits(t, m, p, experiment(t, emulate.Uniform(emulate.Spec{Alpha: 0.5, Diagonal: true})))
	first := logits(t, m, p, experiment(t, emulate.FirstRelease()))
	if d := distance(uniform, first); d > 2e-5 {
		t.Errorf("logits differ by %g", d)
	}
	if d := distance(first, logits(t, m, p, nil)); d < 1e-2 {
		t.Errorf("the intervention changes logits by %g only: the test says nothing", d)
	}
}

// TestExhaustedRowsStayFinite takes everything away from rows: a gain of 0 on all keys, under every renormalisation, in prefill and decoding.
func TestExhaustedRowsStayFinite(t *testing.T) {
	m := tinyModel(t)
	p := [][]int{prompt(1, 12), prompt(2, 7)}
	all := emulate.Spec{Alpha: -1, Schedule: emulate.ScheduleConstant, Mask: emulate.MaskKeys, Spans: [][2]int{{0, 1000}}}
	for _, r := range []emulate.Renormalisation{emulate.RenormaliseNone, emulate.RenormaliseRow, emulate.RenormaliseRest, emulate.RenormaliseKeepDiagonal} {
		for _, diagonal := range []bool{false, true} {
			s := all
			s.Renormalise, s.Diagonal = r, diagonal
			if s.Validate() != nil {
				continue
			}
			e := experiment(t, s)
			for _, x := range logits(t, m, p, e) {
				if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
					t.Fatalf("%v: a logit is %v", s, x)
				}
			}
			if r != emulate.RenormaliseNone && diagonal && distance(logits(t, m, p, nil), logits(t, m, p, e)) > 1e-5 {
				t.Errorf("%v: rows without another entry do not stay", s)
			}
			if _, err := m.Generate(p, model.GenerateOptions{MaxTokens: 6}, e); err != nil {
				t.Errorf("%v: %v", s, err)
			}
		}
	}
}

func plan(t *testing.T, p emulate.Plan) model.Experiment {
	t.Helper()
	e, err := apply.Plan(p)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestStepsActInOrder: gains on the same columns multiply, a renormalisation in between does not commute, and decoding follows.
func TestStepsActInOrder(t *testing.T) {
	m := tinyModel(t)
	p := [][]int{prompt(1, 30)}
	gain := func(g float64) emulate.Spec { return emulate.Suppress(g, 0, 3) }
	twice, once := logits(t, m, p, plan(t, emulate.Plan{gain(0.5), gain(0.4)})), logits(t, m, p, experiment(t, gain(0.2)))
	if d := distance(twice, once); d > 2e-5 {
		t.Errorf("gains 0.5 and 0.4 in turn differ from 0.2 by %g", d)
	}
	a, b := emulate.ZeroTuning(2), emulate.Literal()
	ab, ba := plan(t, emulate.Plan{a, b}), plan(t, emulate.Plan{b, a})
	if d := distance(logits(t, m, p, ab), logits(t, m, p, ba)); d < 1e-3 {
		t.Errorf("the two orders differ by %g only", d)
	}
	if got, want := continued(t, m, p, 12, ab)[0], recomputed(t, m, p[0], 12, ab); !slices.Equal(got, want) {
		t.Errorf("decoding gives %v, recomputation %v", got, want)
	}
	if !slices.Equal(logits(t, m, p, plan(t, emulate.Plan{b})), logits(t, m, p, experiment(t, b))) {
		t.Error("a plan of one step is not that step")
	}
	if e := plan(t, emulate.Plan{{}, {}}); e != nil {
		t.Errorf("a plan of steps that are off is %v", e)
	}
}

// TestWhatTheModelHasNotIsAnError: a Spec that only the model can refuse is refused by the pass, with a reason.
func TestWhatTheModelHasNotIsAnError(t *testing.T) {
	m := tinyModel(t)
	for reason, s := range map[string]emulate.Spec{
		"layer 9":       {Alpha: 1, Tau: 0.01, Layers: []int{9}},
		"head 9":        {Alpha: 1, Tau: 0.01, Heads: []int{9}},
		"no layer":      {Alpha: 1, Tau: 0.01, Source: []int{3}},
		"token 400":     {Alpha: 1, Tau: 0.01, ExcludeTokens: []int{400}},
		"3 numbers":     {Gains: []float64{1, 2, 3}},
		"too strong":    {Alpha: 5, Tau: 0.01, Last: 2},
		"Resolve":       {Alpha: 1, Tau: 0.01, ExcludeClasses: []string{"special"}},
		"4 layers of 4": {Alpha: 1, Tau: 0.01, LayerHeads: [][2]int{{1, 4}}},
	} {
		if err := s.Check(apply.Model(m.Config.Dims())); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%v: %v, expected an error about %q", s, err, reason)
		}
		if _, err := m.Forward(model.Prompts(prompt(1, 5)), model.Outputs{Logits: true}, experiment(t, s)); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%v: the pass says %v, expected an error about %q", s, err, reason)
		}
	}
}
