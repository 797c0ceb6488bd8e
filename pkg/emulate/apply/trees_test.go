package apply_test

import (
	"math"
	"slices"
	"testing"

	"github.com/attune-lab/attune/pkg/attention"
	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/model"
)

// TestTreesAreTheirSequencesForEveryVariant: choices that share their prompt within a row, beside those of another prompt, have the log-probabilities that each has
// behind the prompt alone, whatever an intervention does. Prompts and highlighted spans are each prompt's own.
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
			rows, err := m.Rows(e)
			if err != nil {
				t.Fatal(err)
			}
			if want := attention.OneTree; v.spec.KeepFirst && rows != want || rows < want {
				t.Errorf("%s, %s: rows may hold %d", name, v.name, rows)
			}
			var batch model.Batch
			var targets model.Targets
			var alone []model.Batch
			var wanted []model.Targets
			var row []int
			var trees []model.Tree
			targets = append(targets, nil)
			for k, c := range []struct {
				trunk    []int
				branches [][]int
				extent   model.Extent
			}{
				{prompt(1, 14), [][]int{prompt(2, 9)[1:], prompt(3, 5)[1:], nil}, model.Extent{Prompt: 12, Span: [2]int{4, 9}}},
				{prompt(4, 11), [][]int{prompt(5, 6)[1:], prompt(6, 8)[1:]}, model.Extent{Prompt: 11, Span: [2]int{2, 5}}},
			} {
				if k > 0 && rows < attention.ManyTrees {
					break
				}
				tree := model.Tree{Trunk: len(c.trunk), Extent: c.extent}
				from := len(row)
				row = append(row, c.trunk...)
				for _, b := range c.branches {
					at := len(row)
					row, tree.Branches = append(row, b...), append(tree.Branches, len(b))
					sequence := append(slices.Clone(c.trunk), b...)
					alone = append(alone, model.Batch{Tokens: [][]int{sequence}, Extents: []model.Extent{c.extent}, Bucket: 1})
					list := []model.Target{{Position: len(c.trunk) - 1, Token: 7}}
					targets[0] = append(targets[0], model.Target{Position: from + len(c.trunk) - 1, Token: 7})
					for i := range b {
						list = append(list, model.Target{Position: len(c.trunk) + i, Token: 3 + i})
						targets[0] = append(targets[0], model.Target{Position: at + i, Token: 3 + i})
					}
					wanted = append(wanted, model.Targets{list})
				}
				trees = append(trees, tree)
			}
			batch.Tokens, batch.Trees, batch.Bucket = [][]int{row}, [][]model.Tree{trees}, len(row)+3
			got, err := m.Forward(batch, model.Outputs{Targets: targets}, e)
			if err != nil {
				t.Fatalf("%s, %s: %v", name, v.name, err)
			}
			at := 0
			for i, b := range alone {
				want, err := m.Forward(b, model.Outputs{Targets: wanted[i]}, e)
				if err != nil {
					t.Fatalf("%s, %s: %v", name, v.name, err)
				}
				for k, x := range want.LogProbs[0] {
					if y := got.LogProbs[0][at+k]; math.Abs(x-y) > 2e-4 {
						t.Errorf("%s, %s, sequence %d, target %d: %g in a row of trees, %g alone", name, v.name, i, k, y, x)
					}
				}
				at += len(want.LogProbs[0])
			}
		}
	}
}
