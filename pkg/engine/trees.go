package engine

import (
	"cmp"
	"slices"

	"github.com/attune-lab/attune/pkg/model"
)

// Trees reports whether Score takes trees under an experiment, nil for the plain model: where geometry, model and experiment allow it, see model.Model.Trees.
func (r *Runner) Trees(e model.Experiment) (bool, error) {
	if !r.geometry.Trees {
		return false, nil
	}
	trees, _, err := r.model.Trees(e)
	return trees, err
}

// scoring cuts sequences into passes. On processors with XLA rows are packed where the model allows it, see packed.
func (r *Runner) scoring(qs []Sequence, e model.Experiment) ([]Batch, error) {
	lengths, targets := make([]int, len(qs)), make([]int, len(qs))
	trees := false
	for i, q := range qs {
		lengths[i], targets[i] = len(q.Tokens), len(q.Targets)
		trees = trees || q.Branches != nil
	}
	if r.geometry.Packed > 0 {
		_, packed, err := r.model.Trees(e)
		if err != nil {
			return nil, err
		}
		if packed {
			return r.geometry.packed(lengths), nil
		}
	}
	if !trees {
		return r.geometry.batches(lengths, targets), nil
	}
	batches := r.geometry.batches(lengths, nil)
	for i := range batches {
		batches[i].trees = true
	}
	return batches, nil
}

// Widths and rows of packed batches. Widths of attention are few, since each takes XLA about as long to compile as it computes some hundred tokens, and there are rows for
// sequences of half the width.
const (
	smallestPacked = 64
	packedRows     = 2
)

// packed cuts sequences of these lengths into batches of which all but attention is computed on a fixed number of tokens, those of the rows one behind the other: a
// processor waits for the weights in a pass of fewer (60 items of PIQA, 135 M parameters: 11.5 s of a core with 512 tokens, 13.3 with 256, 18 in padded rows), and would
// compute padding in rows. Attention keeps a width that follows from the sequence's length, so that no sum depends on what else is in the batch. A sequence goes into the first batch of its width that has the room, longest
// first; one that is longer has a pass to itself.
func (g Geometry) packed(lengths []int) []Batch {
	order := make([]int, len(lengths))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(lengths[b], lengths[a]) })
	var all []Batch
	var left []int // tokens that a batch has room for, one in each row that is left being a dummy's
	for _, i := range order {
		width := smallestPacked
		for width < lengths[i] {
			width *= 2
		}
		if width > g.Packed {
			width = g.Width(lengths[i])
			all, left = append(all, Batch{Width: width, Rows: 1, At: []int{i}, trees: true}), append(left, -1)
			continue
		}
		k := 0
		for ; k < len(all) && (all[k].Width != width || left[k] < lengths[i]-1 || len(all[k].At) == all[k].Rows); k++ {
		}
		if k == len(all) {
			rows := packedRows * g.Packed / width
			all, left = append(all, Batch{Width: width, Rows: rows, trees: true, packed: g.Packed}), append(left, g.Packed-rows)
		}
		all[k].At = append(all[k].At, i)
		left[k] -= lengths[i] - 1
	}
	return all
}

// layTrees makes the model's batch of trees. Dummy rows have one token.
func layTrees(b Batch, qs []Sequence) (model.Batch, model.Outputs) {
	batch := model.Batch{Bucket: b.Width, Packed: b.packed}
	want := model.Outputs{Targets: model.Targets{}}
	for row := range b.Rows {
		q := Sequence{Tokens: []int{0}}
		if row < len(b.At) {
			q = qs[b.At[row]]
		}
		batch.Tokens, batch.Trees, batch.Extents = append(batch.Tokens, q.Tokens), append(batch.Trees, q.tree()), append(batch.Extents, q.Extent)
		want.Targets = append(want.Targets, q.Targets)
	}
	return batch, want
}
