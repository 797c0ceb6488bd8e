package model

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// Blocked reports whether Rows can cut the site: whole prompts of one document each.
func (s *Site) Blocked() bool {
	return s.Phase == Prefill && !s.part && s.packed == nil && len(s.Keys) == 1
}

// Rows is the site of the queries start to end-1 and of the keys up to the last of them, behind which attention is causal and sees nothing. Masks,
// probabilities and weighed values of a layer can so be computed block by block, in memory that grows with the length and not with its square. It
// is to be read: what is set on it does not reach the layer. Blocked says where it is defined.
func (s *Site) Rows(start, end int) *Site {
	rows := func(x *Node, axis int) *Node { return SliceAxis(x, axis, AxisRange(start, end)) }
	seen := func(x *Node, axis int) *Node { return SliceAxis(x, axis, AxisRange(0, end)) }
	part := &Site{Layer: s.Layer, Layers: s.Layers, Phase: s.Phase, Scale: s.Scale, Softcap: s.Softcap, Window: s.Window, Sinks: s.Sinks,
		Query: rows(s.Query, 2), Keys: []*Node{seen(s.Keys[0], 2)}, Values: []*Node{seen(s.Values[0], 2)},
		QueryPos: rows(s.QueryPos, 1), KeyPos: seen(s.KeyPos, 1), KeyTokens: seen(s.KeyTokens, 1), run: s.run, rewritten: s.rewritten, part: true}
	// From positions: a slice of the layer's mask would keep the whole square in memory.
	q, k := InsertAxes(part.QueryPos, 1, -1), InsertAxes(part.KeyPos, 1, 1)
	part.Mask = GreaterOrEqual(q, k)
	if s.Window > 0 {
		part.Mask = LogicalAnd(part.Mask, GreaterThan(k, AddScalar(q, -s.Window)))
	}
	switch {
	case s.probs != nil || s.change != nil:
		part.probs = seen(rows(s.Probs(), 2), 3)
	case s.LSE() != nil:
		part.lse = rows(s.lse, 2)
	}
	return part
}

// After is the site with its queries and keys behind a barrier that waits for a value. What blocks of rows compute from it is computed then and not before, and anew
// for each value: XLA would otherwise compute the blocks side by side, or see that several layers ask for the same, and keep the whole square.
func (s *Site) After(value *Node) *Site {
	if s.probs != nil || s.change != nil {
		return s // the square exists
	}
	s.LSE() // from the operands themselves, once
	behind := *s
	held := OptimizationBarriers(s.Query, s.Keys[0], value)
	behind.Query, behind.Keys, behind.scores = held[0], []*Node{held[1]}, nil
	return &behind
}
