package sink_test

import (
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/attention"
	"github.com/attune-lab/attune/pkg/hf/safetensors"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/sink"
)

// residuals emits the residual stream behind each layer.
type residuals struct{}

func (residuals) Visit(attention.Layer) *attention.Visit {
	return &attention.Visit{Key: "residuals", Build: func(*attention.Site) {}, Residual: func(s *attention.Site, x *Node) { s.Emit("residual", x) }}
}

// TestMedianDependsOnTheTextAlone compares medians with those of the entries that a text's own length selects: all 16,320 of 340 tokens, every fifth of 400. The pass is
// wider than either, and of more than 16,384 entries.
func TestMedianDependsOnTheTextAlone(t *testing.T) {
	c := &model.Config{ModelType: "llama", VocabSize: 97, HiddenSize: 48, IntermediateSize: 48, Layers: 2, Heads: 4, KVHeads: 2, HeadDim: 12,
		MaxPositions: 512, NormEps: 1e-5, RopeTheta: 10000, BOS: 1, InitializerRange: 0.3}
	m, err := model.New(c, nil, 3, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	texts := [][]int{prompt(1, 340), prompt(2, 400)}
	path, _, _ := saved(t, m, texts, sink.Options{Measures: sink.Massive})
	f, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for p, stride := range []int{1, 5} {
		r, err := m.Forward(model.Batch{Tokens: texts[p : p+1], Bucket: 16}, model.Outputs{}, residuals{})
		if err != nil {
			t.Fatal(err)
		}
		medians := values(t, f, []string{"median-magnitude.0", "median-magnitude.1"}[p])
		for l, x := range r.Emitted["residual"] {
			var sample []float32
			tensors.MustConstFlatData(x, func(flat []float32) {
				for i := 0; i < len(texts[p])*c.HiddenSize; i += stride {
					sample = append(sample, max(flat[i], -flat[i]))
				}
			})
			slices.Sort(sample)
			n := len(sample)
			if want := float64((sample[(n-1)/2] + sample[n/2]) / 2); medians[l] != want {
				t.Errorf("text %d, layer %d: median %g, expected %g", p, l, medians[l], want)
			}
		}
	}
}
