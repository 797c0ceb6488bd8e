package sink_test

import (
	"math"
	"testing"

	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/emulate/apply"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/sink"
)

const effectLayers = 4

func effectModel(t *testing.T) *model.Model {
	t.Helper()
	c := &model.Config{ModelType: "llama", VocabSize: 97, HiddenSize: 32, IntermediateSize: 48, Layers: effectLayers, Heads: 4, KVHeads: 2, HeadDim: 8,
		MaxPositions: 256, NormEps: 1e-5, RopeTheta: 10000, BOS: 1, InitializerRange: 0.3}
	m, err := model.New(c, nil, 3, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func must[T any](x T, err error) T {
	if err != nil {
		panic(err)
	}
	return x
}

func TestMeasureOfNothingIsNothing(t *testing.T) {
	m := effectModel(t)
	plain, same, err := sink.MeasureEffect(m, [][]int{prompt(1, 20), prompt(2, 9)}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range same {
		if e.KL != 0 || e.SameTop != 1 || e.Entropy != plain[i].Entropy {
			t.Errorf("text %d: the plain model differs from itself: %+v", i, e)
		}
		for l, s := range e.RowSum {
			if math.Abs(s-1) > 1e-5 {
				t.Errorf("layer %d: rows sum to %g", l, s)
			}
		}
	}
}

// TestMeasureFollowsTheFormula: under first-release every row of layer l sums to the gain, and its shape, hence the entropy of layer 1, stays.
func TestMeasureFollowsTheFormula(t *testing.T) {
	m := effectModel(t)
	s := emulate.FirstRelease()
	told := 0
	plain, changed, err := sink.MeasureEffect(m, [][]int{prompt(1, 20)}, must(apply.New(s)), func(n int) { told += n })
	if err != nil {
		t.Fatal(err)
	}
	for l, x := range changed[0].RowSum {
		if want := s.Gain(l, effectLayers); math.Abs(x-want) > 1e-5 {
			t.Errorf("layer %d: rows sum to %g, expected %g", l, x, want)
		}
	}
	if d := math.Abs(changed[0].RowEntropy[1] - plain[0].RowEntropy[1]); d > 1e-5 {
		t.Errorf("the entropy of layer 1 changes by %g", d)
	}
	if d := math.Abs(changed[0].FirstMass[1]/plain[0].FirstMass[1] - s.Gain(1, effectLayers)); d > 1e-4 {
		t.Errorf("the weight on position 0 does not follow the gain, by %g", d)
	}
	if !(changed[0].KL > 0) || told != 1 {
		t.Errorf("KL is %g, %d texts were told", changed[0].KL, told)
	}
}
