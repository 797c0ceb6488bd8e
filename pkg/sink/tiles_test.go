package sink_test

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/attune-lab/attune/pkg/hf/safetensors"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/sink"
)

// TestTilesReduceEveryKindOfLayer: a survey by tiles stores what a survey of whole maps does, in layers with windows, soft caps and learned sinks, also where prompts
// are padded, to 1e-5: float32 sums in another order.
func TestTilesReduceEveryKindOfLayer(t *testing.T) {
	for _, family := range []string{"llama", "mistral", "gemma2", "gpt_oss", "gpt_neo"} {
		m, err := model.Load(filepath.Join("..", "..", "testdata", "reference", family), model.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var prompts [][]int
		for i, n := range []int{60, 60, 37} {
			p := make([]int, n)
			for k := range p {
				p[k] = (7*k*k + k + i) % 60
			}
			prompts = append(prompts, p)
		}
		for _, set := range [][][]int{prompts[:2], prompts} {
			whole, _, _ := saved(t, m, set, sink.Options{Measures: sink.Everything})
			tiles, _, _ := saved(t, m, set, sink.Options{Measures: sink.Everything, BlockRows: 16})
			a, err := safetensors.Open(whole)
			if err != nil {
				t.Fatal(err)
			}
			b, err := safetensors.Open(tiles)
			if err != nil {
				t.Fatal(err)
			}
			for _, tensor := range a.Names() {
				x, y := values(t, a, tensor), values(t, b, tensor)
				worst := 0.0
				for i := range x {
					worst = max(worst, math.Abs(x[i]-y[i])/math.Max(1, math.Abs(x[i])))
				}
				if !(worst < 1e-5) {
					t.Errorf("%s, %d prompts: %s differs by %g", family, len(set), tensor, worst)
				}
			}
			a.Close()
			b.Close()
		}
	}
}
