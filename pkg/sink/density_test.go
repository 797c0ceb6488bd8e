package sink_test

import (
	"math"
	"testing"

	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/emulate/apply"
	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/sink"
	"github.com/attune-lab/attune/pkg/stats"
)

func TestMaskDensityOfUniformAttention(t *testing.T) {
	r := engine.New(uniformModel(t), engine.Options{})
	prompts := [][]int{prompt(1, 30), prompt(2, 12)}
	for _, tau := range []float64{0.001, 0.051, 0.3, 0.6} {
		d, err := sink.MaskDensity(t.Context(), r, prompts, tau)
		if err != nil {
			t.Fatal(err)
		}
		for p, ids := range prompts {
			n, above := len(ids), 0
			for i := range n { // row i is 1/(i+1) on each of its i earlier keys
				if 1/float64(i+1) > tau {
					above += i
				}
			}
			if want := float64(above) / float64(n*(n-1)/2); math.Abs(d.PerPrompt[p]-want) > 1e-6 {
				t.Errorf("tau %g, prompt %d: density %g, uniform attention gives %g", tau, p, d.PerPrompt[p], want)
			}
		}
	}
	if _, err := sink.MaskDensity(t.Context(), r, [][]int{{1}}, 0.1); err == nil {
		t.Error("a prompt of one token has no entry that could be in the mask, and is not refused")
	}
}

// TestLayerMeansFollowAUniformGain: first-release multiplies every entry, so every row's sum and every received attention grow by the gain, as long as
// the patterns themselves do not depend on the input, as in the model of uniform attention.
func TestLayerMeansFollowAUniformGain(t *testing.T) {
	m := uniformModel(t)
	exp, err := apply.New(emulate.FirstRelease())
	if err != nil {
		t.Fatal(err)
	}
	prompts := [][]int{prompt(1, 30), prompt(2, 30)}
	plain, err := sink.Run(m, prompts, sink.Options{})
	if err != nil {
		t.Fatal(err)
	}
	changed, err := sink.Run(m, prompts, sink.Options{Experiment: exp})
	if err != nil {
		t.Fatal(err)
	}
	for l := range 3 {
		gain := emulate.FirstRelease().Gain(l, 3)
		if a, b := plain.LayerRowSums()[l], changed.LayerRowSums()[l]; math.Abs(a-1) > 1e-6 || math.Abs(b-gain) > 1e-5 {
			t.Errorf("layer %d: rows sum to %g and under the gain to %g, expected 1 and %g", l, a, b, gain)
		}
		if a, b := plain.LayerFirstMass()[l], changed.LayerFirstMass()[l]; math.Abs(b-a*gain) > 1e-6 {
			t.Errorf("layer %d: position 0 receives %g and under the gain %g, expected %g", l, a, b, a*gain)
		}
	}
	c := stats.PairedMean(changed.FirstMassPerPrompt(), plain.FirstMassPerPrompt(), 1)
	want := plain.LayerFirstMass()[1] * (emulate.FirstRelease().Gain(1, 3) - 1) / 3
	if c.N != 2 || math.Abs(c.Mean-want) > 1e-6 || c.CI95.Low > c.Mean || c.CI95.High < c.Mean {
		t.Errorf("the change is %+v, expected a mean of %g over 2 prompts", c, want)
	}
}
