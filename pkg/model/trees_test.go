package model_test

import (
	"math"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/attention"
	"github.com/attune-lab/attune/pkg/model"
)

// TestTreesAreTheirSequences: in every family, the logits of a trunk with three branches and of a sequence beside it are those of the four sequences alone, but for the
// order of float32 sums.
func TestTreesAreTheirSequences(t *testing.T) {
	everyFamily(t, func(t *testing.T, name string) {
		m := family(t, name)
		rows, err := m.Rows(nil)
		if err != nil {
			t.Fatal(err)
		}
		trunk, other := tokens(1, 13, 97), tokens(9, 10, 97)
		branches := [][]int{tokens(2, 9, 97)[1:], nil, tokens(3, 6, 97)[1:]}
		tree := model.Tree{Trunk: len(trunk)}
		row := append([]int{}, trunk...)
		for _, b := range branches {
			row, tree.Branches = append(row, b...), append(tree.Branches, len(b))
		}
		batch := model.Batch{Tokens: [][]int{row}, Trees: [][]model.Tree{{tree}}, Bucket: len(row) + 5}
		if rows == attention.ManyTrees {
			batch.Tokens[0], batch.Trees[0] = append(append([]int{}, row...), other...), append(batch.Trees[0], model.Tree{Trunk: len(other)})
		}
		r, err := m.Forward(batch, model.Outputs{Logits: true}, nil)
		if depends := strings.Contains(name, "dynamic") || strings.Contains(name, "long rope"); depends {
			if rows != attention.OneSequence || err == nil {
				t.Fatalf("rotations depend on lengths, rows may hold %d, error %v", rows, err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		flat := tensors.MustCopyFlatData[float32](r.Logits)
		same := func(what string, sequence []int, from, at, n int) {
			want := logits(t, m, [][]int{sequence}, nil)[0]
			for i := range n {
				for k := range 97 {
					if a, b := flat[(at+i)*97+k], want[(from+i)*97+k]; math.Abs(float64(a-b)) > 2e-4 {
						t.Fatalf("%s, token %d: logit %g, alone %g", what, from+i, a, b)
					}
				}
			}
		}
		at := len(trunk)
		same("trunk", trunk, 0, 0, len(trunk))
		for _, b := range branches {
			same("branch", append(append([]int{}, trunk...), b...), len(trunk), at, len(b))
			at += len(b)
		}
		if rows == attention.ManyTrees {
			same("the other sequence", other, 0, at, len(other))
		}
	})
}

// TestTreesThatCannotBeAreRefused names the row and what was expected.
func TestTreesThatCannotBeAreRefused(t *testing.T) {
	m := tinyModel(t)
	row := tokens(1, 20, 97)
	for want, trees := range map[string][]model.Tree{
		"at least one token in the trunk": {{Trunk: 0, Branches: []int{20}}},
		"the row has left":                {{Trunk: 10, Branches: []int{11}}},
		"a branch of -1 tokens":           {{Trunk: 10, Branches: []int{-1, 11}}},
		"its trees have 15 tokens":        {{Trunk: 15}},
		"a prompt of 16":                  {{Trunk: 10, Branches: []int{5, 5}, Extent: model.Extent{Prompt: 16}}},
	} {
		_, err := m.Forward(model.Batch{Tokens: [][]int{row}, Trees: [][]model.Tree{trees}}, model.Outputs{Logits: true}, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, expected one with %q", trees, err, want)
		}
	}
	if _, err := m.Forward(model.Batch{Tokens: [][]int{row}, Trees: [][]model.Tree{{{Trunk: 20}}}}, model.Outputs{Logits: true}, reads{}); err == nil || !strings.Contains(err.Error(), "Model.Rows") {
		t.Errorf("an experiment that says nothing of rows: error %v", err)
	}
}

// reads is an experiment that does not say what rows it may see.
type reads struct{}

func (reads) Visit(attention.Layer) *attention.Visit {
	return &attention.Visit{Key: "reads", Build: func(s *attention.Site) { s.Probs() }}
}
