package model

import (
	"errors"
	"fmt"

	"github.com/gomlx/gomlx/core/tensors"

	attn "github.com/attune-lab/attune/pkg/attention"
)

// Tree is a prompt, or whatever several sequences begin with, and their continuations, which a row holds one behind the other: each sees the trunk and itself, at the
// positions that it has behind the trunk alone. What the sequences share is computed once. The batch's extent of the row is that of each sequence.
type Tree struct {
	Trunk    int   // tokens that all sequences begin with, at least 1
	Branches []int // tokens of each continuation, in order; nil = the trunk is the sequence
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

// Trees reports whether rows may hold trees under an experiment, nil for the plain model, and whether a batch of them may be packed. An experiment must say that trees do
// not change it, see attention.Visit, and rotations must not depend on a sequence's length. Packed, nothing but attention may look at other tokens: not a mixture,
// whose experts see their tokens beside one another, nor keys that the stream carries to later layers, nor an experiment that reads the stream.
func (m *Model) Trees(exp Experiment) (trees, packed bool, err error) {
	visits, err := m.visits(exp, attn.Prefill)
	if err != nil {
		return false, false, err
	}
	trees, packed = m.treesUnder(visits)
	return trees, packed, nil
}

func (m *Model) treesUnder(visits []*attn.Visit) (trees, packed bool) {
	trees, packed = true, m.arch.shared == nil
	for _, b := range m.arch.blocks {
		trees = trees && (b.attn.rope == nil || b.attn.rope.trained == 0)
		packed = packed && b.mlp.experts == nil
	}
	for _, v := range visits {
		trees = trees && (v == nil || v.Trees)
		packed = packed && (v == nil || v.MLP == nil && v.Residual == nil)
	}
	return trees, trees && packed
}

// checkTrees reports a batch whose trees are not of its rows, or that the pass cannot take.
func (m *Model) checkTrees(b Batch, want Outputs, visits []*attn.Visit) error {
	if b.Trees == nil && b.Packed == 0 {
		return nil
	}
	if len(b.Trees) != len(b.Tokens) {
		return fmt.Errorf("%d trees for %d rows", len(b.Trees), len(b.Tokens))
	}
	switch trees, packed := m.treesUnder(visits); {
	case want.Whole:
		return errors.New("a pass of trees runs through stages: expected Outputs.Whole unset")
	case !trees || b.Packed > 0 && (!packed || want.Logits):
		return errors.New("the model, or what the experiment does to it, does not allow rows of trees, or that they are packed, see Model.Trees; and packed rows have no logits")
	}
	all := 0
	for i, t := range b.Trees {
		for _, n := range t.Branches {
			if n < 0 {
				return fmt.Errorf("tree %d of the batch: a branch of %d tokens", i, n)
			}
		}
		switch longest := t.longest(); {
		case t.Trunk < 1 || t.Tokens() != len(b.Tokens[i]):
			return fmt.Errorf("tree %d of the batch: a trunk of %d tokens and branches of %v in a row of %d: expected a trunk of at least one, and together those of the row", i, t.Trunk, t.Branches, len(b.Tokens[i]))
		case longest > m.longest():
			return fmt.Errorf("tree %d of the batch: its longest sequence has %d tokens, more than the model's %d positions", i, longest, m.Config.MaxPositions)
		case b.Extents != nil && b.Extents[i].check(longest) != nil:
			return fmt.Errorf("tree %d of the batch: %w", i, b.Extents[i].check(longest))
		}
		all += t.Tokens()
	}
	if b.Packed > 0 && all > b.Packed {
		return fmt.Errorf("rows of %d tokens together, packed into %d", all, b.Packed)
	}
	return nil
}

// treeLayout is what graphs read of rows of trees, padded to a width: positions and numbers of parts of their tokens, int32 [batch, width], and where they are packed the
// tokens' places, see geometry. Padding is a part of its own in each row. nil without trees.
func (b Batch) treeLayout(width int) (layout []*tensors.Tensor) {
	if b.Trees == nil {
		return nil
	}
	rows := len(b.Trees)
	positions, parts, slots, places := make([]int32, 0, rows*width), make([]int32, 0, rows*width), make([]int32, rows*width), make([]int32, b.Packed)
	stream := 0
	for i, t := range b.Trees {
		put := func(part int32, from, tokens int) {
			for p := range tokens {
				if b.Packed > 0 {
					slots[len(parts)], places[stream] = int32(stream), int32(len(parts))
				}
				positions, parts = append(positions, int32(from+p)), append(parts, part)
				stream++
			}
		}
		put(0, 0, t.Trunk)
		for k, n := range t.Branches {
			put(int32(k+1), t.Trunk, n)
		}
		for len(parts) < (i+1)*width {
			positions, parts = append(positions, int32(len(parts)-i*width)), append(parts, -1)
		}
	}
	layout = append(layout, tensors.FromFlatDataAndDimensions(positions, rows, width), tensors.FromFlatDataAndDimensions(parts, rows, width))
	if b.Packed > 0 {
		layout = append(layout, tensors.FromFlatDataAndDimensions(slots, rows*width), tensors.FromFlatDataAndDimensions(places, b.Packed))
	}
	return layout
}

// inStream gives the targets the places of a packed batch, in one list.
func (b Batch) inStream(targets Targets) Targets {
	if b.Packed == 0 {
		return targets
	}
	all, start := []Target{}, 0
	for i, ts := range targets {
		for _, t := range ts {
			all = append(all, Target{start + t.Position, t.Token})
		}
		start += b.Trees[i].Tokens()
	}
	return Targets{all}
}

// ofRows cuts what the targets of a packed batch gave.
func ofRows(all []float64, targets Targets) [][]float64 {
	rows := make([][]float64, len(targets))
	for i, ts := range targets {
		rows[i], all = all[:len(ts)], all[len(ts):]
	}
	return rows
}
