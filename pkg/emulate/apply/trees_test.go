package apply_test

import (
	"math"
	"slices"
	"testing"

	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/model"
)

// TestTreesAreTheirSequencesForEveryVariant: choices that share their prompt within a row have the log-probabilities that each has behind the prompt alone, whatever an
// intervention does.
func TestTreesAreTheirSequencesForEveryVariant(t *testing.T) {
	highlighted := emulate.PASTA(nil, [][2]int{{1, 0}, {1, 3}, {2, 2}})
	highlighted.Highlighted = true
	first := emulate.ACT()
	first.KeepFirst = !first.KeepFirst
	all := append(append(variants(), prefillOnly()...), variant{"highlighted", highlighted}, variant{"act, the other first", first})
	for name, m := range map[string]*model.Model{
		"plain":                      tinyModel(t),
		"windows in every other":     family(t, `"model_type":"gemma2","sliding_window":6,"query_pre_attn_scalar":24`),
		"windows and learned sinks":  family(t, `"model_type":"gpt_oss","sliding_window":6,"num_local_experts":3,"num_experts_per_tok":2`),
		"a norm of queries and keys": family(t, `"model_type":"qwen3"`),
	} {
		for _, v := range all {
			e := experiment(t, v.spec)
			trees, packed, err := m.Trees(e)
			if err != nil || !trees {
				t.Fatalf("%s, %s: trees %t, error %v", name, v.name, trees, err)
			}
			var batch model.Batch
			var targets model.Targets
			var want [][]float64
			for _, c := range []struct {
				trunk    []int
				branches [][]int
				extent   model.Extent
			}{
				{prompt(1, 14), [][]int{prompt(2, 9)[1:], prompt(3, 5)[1:], nil}, model.Extent{Prompt: 12, Span: [2]int{4, 9}}},
				{prompt(4, 11), [][]int{prompt(5, 6)[1:], prompt(6, 8)[1:]}, model.Extent{Prompt: 11, Span: [2]int{2, 5}}},
			} {
				row, tree := slices.Clone(c.trunk), model.Tree{Trunk: len(c.trunk)}
				var asked []model.Target
				var alone []float64
				for _, b := range c.branches {
					sequence := append(slices.Clone(c.trunk), b...)
					list := []model.Target{{Position: len(c.trunk) - 1, Token: 7}}
					asked = append(asked, list[0])
					for i := range b {
						list = append(list, model.Target{Position: len(c.trunk) + i, Token: 3 + i})
						asked = append(asked, model.Target{Position: len(row) + i, Token: 3 + i})
					}
					row, tree.Branches = append(row, b...), append(tree.Branches, len(b))
					r, err := m.Forward(model.Batch{Tokens: [][]int{sequence}, Extents: []model.Extent{c.extent}, Bucket: 1}, model.Outputs{Targets: model.Targets{list}}, e)
					if err != nil {
						t.Fatalf("%s, %s: %v", name, v.name, err)
					}
					alone = append(alone, r.LogProbs[0]...)
				}
				batch.Tokens, batch.Trees, batch.Extents = append(batch.Tokens, row), append(batch.Trees, tree), append(batch.Extents, c.extent)
				targets, want = append(targets, asked), append(want, alone)
			}
			for _, stream := range []int{0, 64} {
				if stream > 0 && !packed {
					continue
				}
				batch.Bucket, batch.Packed = 32, stream
				got, err := m.Forward(batch, model.Outputs{Targets: targets}, e)
				if err != nil {
					t.Fatalf("%s, %s: %v", name, v.name, err)
				}
				for row := range want {
					for k, x := range want[row] {
						if y := got.LogProbs[row][k]; math.Abs(x-y) > 2e-4 {
							t.Errorf("%s, %s, packed into %d, tree %d, target %d: %g, alone %g", name, v.name, stream, row, k, y, x)
						}
					}
				}
			}
		}
	}
}
