package model

import (
	. "github.com/gomlx/gomlx/core/graph"

	attn "github.com/attune-lab/attune/pkg/attention"
)

// geometry says where queries and keys are: see attention.Operands.
type geometry struct {
	queryPos, keyPos, keyTokens *Node
	// real is how many tokens of each sequence are no padding, int32 [batch]; nil in decoding and training.
	real *Node
	// prompt is how many tokens each sequence's prompt has, int32 [batch], and span its highlighted tokens, int32 [batch, 2]; nil in training.
	prompt, span *Node
	// lengths of the sequences, int32 [batch]; nil = no rotary embedding depends on them.
	lengths *Node
	// parts number the parts of trees, int32 [batch, tokens], the trunk 0: a token sees the earlier positions of the trunk and of its own part. nil = a row is one
	// sequence.
	parts *Node
	// Where all but attention is computed on the tokens of all rows one behind the other, the stream: slots are the places in it of the rows' tokens, int32
	// [batch * tokens], and origins those in the rows of the stream's tokens, int32 [stream]. nil = on the rows.
	slots, origins *Node
	// segments number the documents of packed rows, int32 [batch, tokens]; nil = a row is one document. Positions are then those in the document.
	segments *Node
}

// prefillGeometry is the causal square over tokens, int32 [batch, tokens]. extents, int32 [batch, 4], says how many of them are real and belong to the prompt, and
// which are highlighted; nil = all are real. Batches are padded on the right, so no real query can see padding.
func prefillGeometry(tokens, extents *Node) geometry {
	batch, width := tokens.Shape().Dimensions[0], tokens.Shape().Dimensions[1]
	pos := positionsUpTo(tokens.Graph(), width)
	if extents == nil {
		lengths := AddScalar(ZerosLike(SliceAxis(tokens, 1, AxisElem(0))), width)
		return geometry{queryPos: pos, keyPos: pos, keyTokens: tokens, lengths: Reshape(lengths, batch)}
	}
	real, prompt, span := splitExtents(extents)
	return geometry{queryPos: pos, keyPos: pos, keyTokens: tokens, lengths: real, real: real, prompt: prompt, span: span}
}

// inTrees is the geometry of rows of trees, of what treeLayout gives.
func (geo geometry) inTrees(layout []*Node) geometry {
	geo.queryPos, geo.keyPos, geo.parts, geo.lengths = layout[0], layout[0], layout[1], nil
	if len(layout) > 2 {
		geo.slots, geo.origins = layout[2], layout[3]
	}
	return geo
}

// toRows takes the stream's tokens to their rows: [1, stream, n] -> [batch, tokens, n].
func (geo geometry) toRows(x *Node) *Node {
	if geo.slots == nil {
		return x
	}
	rows := geo.keyTokens.Shape().Dimensions
	n := x.Shape().Dimensions[2]
	return Reshape(Gather(Reshape(x, -1, n), InsertAxes(geo.slots, -1)), rows[0], rows[1], n)
}

// toStream is the inverse of toRows.
func (geo geometry) toStream(x *Node) *Node {
	if geo.origins == nil {
		return x
	}
	n := x.Shape().Dimensions[2]
	return Reshape(Gather(Reshape(x, -1, n), InsertAxes(geo.origins, -1)), 1, -1, n)
}

// ofStream is toStream of numbers of the rows' tokens, [batch, tokens] -> [1, stream].
func (geo geometry) ofStream(x *Node) *Node { return Squeeze(geo.toStream(InsertAxes(x, -1)), -1) }

// splitExtents cuts int32 [batch, 4] into its first number, [batch], the prompt's tokens, [batch], and the highlighted span, [batch, 2].
func splitExtents(extents *Node) (first, prompt, span *Node) {
	column := func(i int) *Node { return Squeeze(SliceAxis(extents, 1, AxisElem(i)), 1) }
	return column(0), column(1), SliceAxis(extents, 1, AxisRange(2, 4))
}

// mask is where queries may attend, bool [1 or batch, 1, queries, keys]: real keys up to the query's own position and, with a window, no further back
// than window-1 positions.
func (d *decoder) mask(window int) *Node {
	if d.phase == attn.Prefill && window >= d.geo.keyPos.Shape().Dimensions[1] {
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
	case d.phase == attn.Prefill:
		m = GreaterOrEqual(q, k)
		if d.geo.parts != nil {
			key := InsertAxes(d.geo.parts, 1, 1)
			m = LogicalAnd(m, LogicalOr(Equal(InsertAxes(d.geo.parts, 1, -1), key), Equal(key, ZerosLike(key))))
		}
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
