package engine

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/attune-lab/attune/pkg/attention"
	"github.com/attune-lab/attune/pkg/model"
)

// trees are sequences with up to three branches.
func trees(n int, seed uint64) []Sequence {
	r := rand.New(rand.NewPCG(seed, 1))
	qs := sequences(n, seed)
	for i := range qs {
		for range r.IntN(4) {
			branch := 1 + r.IntN(12)
			qs[i].Branches = append(qs[i].Branches, branch)
			for range branch {
				qs[i].Tokens = append(qs[i].Tokens, 1+r.IntN(90))
				qs[i].Targets = append(qs[i].Targets, model.Target{Position: len(qs[i].Tokens) - 1, Token: r.IntN(97)})
			}
		}
	}
	return qs
}

// TestPackedTreesScoreAsRows: rows and packed batches give the same but for the order of sums; a long sequence has a pass of its own in either.
func TestPackedTreesScoreAsRows(t *testing.T) {
	m := tiny(t)
	qs := trees(15, 1)
	for i := range 60 { // together more than the smallest width, and than all of a pass
		qs[0].Tokens, qs[0].Branches = append(qs[0].Tokens, 1+i), nil
	}
	r := New(m, Options{})
	r.geometry.Packed = 0
	want := score(t, r, qs)
	for _, n := range []int{96, 256} {
		r.geometry.Packed = n
		for i, row := range score(t, r, qs) {
			for k, x := range row {
				if math.Abs(x-want[i][k]) > 1e-4 {
					t.Errorf("packed into %d, sequence %d, target %d: %g, in rows %g", n, i, k, x, want[i][k])
				}
			}
		}
	}
}

// TestTreesThatAnExperimentDoesNotAllow are refused, and their sequences scored in rows.
func TestTreesThatAnExperimentDoesNotAllow(t *testing.T) {
	r := New(tiny(t), Options{})
	if ok, err := r.Trees(nil); err != nil || !ok {
		t.Errorf("the plain model: trees %t, error %v", ok, err)
	}
	if ok, err := r.Trees(lengths{}); err != nil || ok {
		t.Errorf("an experiment that says nothing of trees: %t, error %v", ok, err)
	}
	batches, err := r.scoring(sequences(5, 1), attention.Sequence(lengths{}, lengths{}))
	if err != nil || slices.ContainsFunc(batches, func(b Batch) bool { return b.trees }) {
		t.Errorf("batches %+v, error %v", batches, err)
	}
}

func TestPackedBatches(t *testing.T) {
	g := Geometry{Budget: 2048, Smallest: 16, MaxRows: 4, Packed: 256, Positions: 2000}
	var got []string
	for _, b := range g.packed([]int{60, 300, 100, 60, 64, 60, 129, 20, 1, 120}) {
		got = append(got, fmt.Sprintf("%dx%d/%d%v", b.Width, b.Rows, b.packed, b.At))
	}
	// Of width 64: rows of 64, 60, 60 and 60 tokens leave 8 of 256, of which 4 are those of dummies and one is the row's of one token.
	want := []string{"384x1/0[1]", "256x2/256[6]", "128x4/256[9 2]", "64x8/256[4 0 3 5 8]", "64x8/256[7]"}
	if !slices.Equal(got, want) {
		t.Errorf("batches %q, expected %q", got, want)
	}
}
