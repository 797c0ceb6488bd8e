package model_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/attention"
	"github.com/attune-lab/attune/pkg/model"
)

// TestTreesAreTheirSequences: in every family, what follows each token of a trunk with three branches and of a sequence without any is what follows it in the four
// sequences alone, but for the order of float32 sums; in rows, and packed where the family allows it.
func TestTreesAreTheirSequences(t *testing.T) {
	everyFamily(t, func(t *testing.T, name string) {
		m := family(t, name)
		trees, packed, err := m.Trees(nil)
		if err != nil {
			t.Fatal(err)
		}
		trunk, other := tokens(1, 13, 97), tokens(9, 10, 97)
		branches := [][]int{tokens(2, 9, 97)[1:], nil, tokens(3, 6, 97)[1:]}
		row, tree := slices.Clone(trunk), model.Tree{Trunk: len(trunk)}
		for _, b := range branches {
			row, tree.Branches = append(row, b...), append(tree.Branches, len(b))
		}
		batch := model.Batch{Tokens: [][]int{row, other}, Trees: []model.Tree{tree, {Trunk: len(other)}}, Bucket: len(row) + 5}
		targets := make(model.Targets, 2)
		for r, tokens := range batch.Tokens {
			for i := range tokens {
				targets[r] = append(targets[r], model.Target{Position: i, Token: 2 + 3*i})
			}
		}
		if depends := strings.Contains(name, "dynamic") || strings.Contains(name, "long rope"); depends {
			if _, err := m.Forward(batch, model.Outputs{Targets: targets}, nil); trees || err == nil {
				t.Fatalf("rotations depend on lengths, and trees are allowed: error %v", err)
			}
			return
		}
		alone := func(sequence []int, from, at int, row []model.Target) []float64 {
			var list []model.Target
			for i := range len(sequence) - from {
				list = append(list, model.Target{Position: from + i, Token: row[at+i].Token})
			}
			r, err := m.Forward(model.Prompts(sequence), model.Outputs{Targets: model.Targets{list}}, nil)
			if err != nil {
				t.Fatal(err)
			}
			return r.LogProbs[0]
		}
		want := [][]float64{alone(trunk, 0, 0, targets[0]), alone(other, 0, 0, targets[1])}
		for at := len(trunk); len(branches) > 0; branches = branches[1:] {
			want[0] = append(want[0], alone(append(slices.Clone(trunk), branches[0]...), len(trunk), at, targets[0])...)
			at += len(branches[0])
		}
		for _, stream := range []int{0, 48} {
			batch.Packed = stream
			r, err := m.Forward(batch, model.Outputs{Targets: targets}, nil)
			if stream > 0 && !packed {
				if err == nil {
					t.Errorf("it does not allow packed rows and takes them")
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			for row := range want {
				for i, x := range want[row] {
					if y := r.LogProbs[row][i]; math.Abs(x-y) > 1e-4 {
						t.Errorf("packed into %d, row %d, token %d: %g, alone %g", stream, row, i, y, x)
					}
				}
			}
		}
	})
}

// TestTreesThatCannotBeAreRefused says what was found and expected.
func TestTreesThatCannotBeAreRefused(t *testing.T) {
	m := tinyModel(t)
	targets := model.Outputs{Targets: model.Targets{{{Position: 1, Token: 2}}}}
	for want, b := range map[string]model.Batch{
		"a trunk of at least one":     {Trees: []model.Tree{{Trunk: 0, Branches: []int{20}}}},
		"in a row of 20":              {Trees: []model.Tree{{Trunk: 10, Branches: []int{11}}}},
		"a branch of -1 tokens":       {Trees: []model.Tree{{Trunk: 10, Branches: []int{-1, 11}}}},
		"a prompt of 16":              {Trees: []model.Tree{{Trunk: 10, Branches: []int{5, 5}}}, Extents: []model.Extent{{Prompt: 16}}},
		"2 trees for 1 rows":          {Trees: []model.Tree{{Trunk: 20}, {Trunk: 20}}},
		"0 trees for 1 rows":          {Packed: 32},
		"20 tokens together, packed ": {Trees: []model.Tree{{Trunk: 20}}, Packed: 19},
	} {
		b.Tokens = [][]int{tokens(1, 20, 97)}
		if _, err := m.Forward(b, targets, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, expected one with %q", b, err, want)
		}
	}
	b := model.Batch{Tokens: [][]int{tokens(1, 20, 97)}, Trees: []model.Tree{{Trunk: 20}}}
	if _, err := m.Forward(b, targets, reads{}); err == nil || !strings.Contains(err.Error(), "Model.Trees") {
		t.Errorf("an experiment that says nothing of trees: error %v", err)
	}
}

// reads is an experiment that does not say whether trees change it.
type reads struct{}

func (reads) Visit(attention.Layer) *attention.Visit {
	return &attention.Visit{Key: "reads", Build: func(s *attention.Site) { s.Probs() }}
}
