package model

import (
	"errors"
	"fmt"

	"github.com/gomlx/gomlx/core/tensors"

	attn "github.com/attune-lab/attune/pkg/attention"
)

// Tree is a prompt, or whatever several sequences begin with, and their continuations, which a row holds one behind the other: each sees the trunk and itself, at the
// positions that it has behind the trunk alone. What the sequences share is computed once.
type Tree struct {
	Trunk    int    // tokens that all sequences begin with, at least 1
	Branches []int  // tokens of each continuation, in order; nil = the trunk is the sequence
	Extent   Extent // of each sequence: the trunk with one branch
}

// Tokens is how many tokens the tree takes in its row.
func (t Tree) Tokens() int {
	n := t.Trunk
	for _, b := range t.Branches {
		n += b
	}
	return n
}

// longest is the number of tokens of the longest sequence.
func (t Tree) longest() int {
	n := 0
	for _, b := range t.Branches {
		n = max(n, b)
	}
	return t.Trunk + n
}

// Rows says what rows of a pass may hold under an experiment, nil for the plain model: where rotations depend on a sequence's length, one sequence; where a token's
// experts are computed beside those of the row's other tokens, one tree; otherwise what the experiment allows.
func (m *Model) Rows(exp Experiment) (attn.Rows, error) {
	visits, err := m.visits(exp, attn.Prefill)
	if err != nil {
		return attn.OneSequence, err
	}
	return m.rowsOf(visits), nil
}

func (m *Model) rowsOf(visits []*attn.Visit) attn.Rows {
	rows := attn.RowsOf(visits)
	for _, b := range m.arch.blocks {
		if b.attn.rope != nil && b.attn.rope.trained > 0 {
			rows = min(rows, attn.OneSequence)
		}
		if b.mlp.experts != nil {
			rows = min(rows, attn.OneTree)
		}
	}
	return rows
}

// checkTrees reports a batch of trees that the pass cannot take.
func (m *Model) checkTrees(b Batch, want Outputs, visits []*attn.Visit) error {
	if b.Extents != nil || want.Whole {
		return errors.New("rows of trees have the trees' extents and run through stages: expected neither Batch.Extents nor Outputs.Whole")
	}
	rows, needed := m.rowsOf(visits), attn.OneTree
	for _, trees := range b.Trees {
		if len(trees) > 1 {
			needed = attn.ManyTrees
		}
	}
	if rows < needed {
		return fmt.Errorf("the model, or what the experiment does to its attention, does not allow such rows (%d of %d): see Model.Rows", needed, rows)
	}
	return nil
}

// treeLayout is what the tokens of rows of trees are, int32 [batch, width, 6]: position, number of the own part and of its trunk (a trunk's is its own), tokens of the
// prompt, and the highlighted span. Padding is a part of its own in each row.
func (m *Model) treeLayout(b Batch, width int) (*tensors.Tensor, error) {
	if len(b.Trees) != len(b.Tokens) {
		return nil, fmt.Errorf("trees of %d rows for %d rows", len(b.Trees), len(b.Tokens))
	}
	flat := make([]int32, 0, len(b.Tokens)*width*6)
	for i, trees := range b.Trees {
		at, part := 0, int32(0)
		for k, t := range trees {
			if err := m.checkTree(t, len(b.Tokens[i])-at); err != nil {
				return nil, fmt.Errorf("row %d of the batch, tree %d: %w", i, k, err)
			}
			extent := t.Extent.row(t.longest())
			put := func(own, trunk int32, from, tokens int) {
				for p := from; p < from+tokens; p++ {
					flat = append(flat, int32(p), own, trunk, extent[1], extent[2], extent[3])
				}
			}
			trunk := part
			put(trunk, trunk, 0, t.Trunk)
			for _, n := range t.Branches {
				part++
				put(part, trunk, t.Trunk, n)
			}
			at, part = at+t.Tokens(), part+1
		}
		if at != len(b.Tokens[i]) {
			return nil, fmt.Errorf("row %d of the batch: its trees have %d tokens, the row %d", i, at, len(b.Tokens[i]))
		}
		for ; at < width; at++ {
			flat = append(flat, int32(at), -1, -1, 0, 0, 0)
		}
	}
	return tensors.FromFlatDataAndDimensions(flat, len(b.Tokens), width, 6), nil
}

func (m *Model) checkTree(t Tree, left int) error {
	for _, n := range t.Branches {
		if n < 0 {
			return fmt.Errorf("a branch of %d tokens", n)
		}
	}
	switch {
	case t.Trunk < 1 || t.Tokens() > left:
		return fmt.Errorf("a trunk of %d tokens and branches of %v: expected at least one token in the trunk, and no more than the %d that the row has left", t.Trunk, t.Branches, left)
	case t.longest() > m.longest():
		return fmt.Errorf("its longest sequence has %d tokens, more than the model's %d positions", t.longest(), m.Config.MaxPositions)
	}
	return t.Extent.check(t.longest())
}
