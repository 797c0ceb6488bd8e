package model

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// geometry says where queries and keys are: see the fields of Site.
type geometry struct {
	queryPos, keyPos, keyTokens *Node
	// lengths of the sequences, int32 [batch]; nil = no rotary embedding depends on them.
	lengths *Node
	// segments number the documents of packed rows, int32 [batch, tokens]; nil = a row is one document. Positions are then those in the document.
	segments *Node
}

// prefillGeometry is the causal square over the run's tokens. Batches are padded on the right, so no real query can see padding.
func prefillGeometry(run *Run) geometry {
	batch, tokens := run.Tokens.Shape().Dimensions[0], run.Tokens.Shape().Dimensions[1]
	pos := positionsUpTo(run.Graph, tokens)
	lengths := run.Lengths
	if lengths == nil {
		lengths = AddScalar(ZerosLike(SliceAxis(run.Tokens, 1, AxisElem(0))), tokens)
		lengths = Reshape(lengths, batch)
	}
	return geometry{queryPos: pos, keyPos: pos, keyTokens: run.Tokens, lengths: lengths}
}

// mask is where queries may attend, bool [1 or batch, 1, queries, keys]: real keys up to the query's own position and, with a window, no further back
// than window-1 positions.
func (d *decoder) mask(window int) *Node {
	if d.run.Phase == Prefill && window >= d.geo.keyPos.Shape().Dimensions[1] {
		window = 0
	}
	if m := d.masks[window]; m != nil {
		return m
	}
	q, k := InsertAxes(d.geo.queryPos, 1, -1), InsertAxes(d.geo.keyPos, 1, 1)
	var m *Node
	switch {
	case window > 0:
		m = LogicalAnd(d.mask(0), GreaterThan(k, AddScalar(q, -window)))
	case d.run.Phase == Prefill:
		m = GreaterOrEqual(q, k)
		if d.geo.segments != nil {
			m = LogicalAnd(m, Equal(InsertAxes(d.geo.segments, 1, -1), InsertAxes(d.geo.segments, 1, 1)))
		}
	default: // empty slots of the cache have position -1
		m = LogicalAnd(GreaterOrEqual(k, ScalarZero(k.Graph(), k.DType())), LessOrEqual(k, q))
	}
	d.masks[window] = m
	return m
}

// rotary computes the rotation of the queries' positions once for all layers that share it.
func (d *decoder) rotary(r *rope) rotary {
	if t, ok := d.rotaries[r]; ok {
		return t
	}
	t := r.at(d.geo.queryPos, d.geo.lengths)
	d.rotaries[r] = t
	return t
}
