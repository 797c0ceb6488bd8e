package model

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/attune-lab/attune/pkg/backend"
)

// Over several devices each layer waits twice until all have added up what they computed. So large passes compute what is between two attentions in two halves, of the
// batch or of the tokens: while the sums of one half travel, devices compute with the other. XLA's scheduler does that by itself where nothing joins the halves'
// products or sums again, which the flags that package backend sets for several cards see to.

// overlapTokens is from how many tokens of a pass on halves pay: a sum of 1,024 tokens of a model with 4,096 entries takes as long as its launch.
const overlapTokens = 2048

// overlapping reports whether a pass over tokens, [batch, tokens], goes by halves; a test wants it everywhere.
var overlapping = func(m *Model, tokens *Node) bool {
	return backend.IsCUDA(m.Backend) && tokens.Shape().Size() >= overlapTokens
}

// halves cuts tensors [batch, tokens, ...] in two along their batch or, where it is odd, their tokens, and returns what puts results together; all are in one piece where
// nothing overlaps.
func (d *decoder) halves(xs ...*Node) (parts [][]*Node, join func([]*Node) *Node) {
	dims, axis := xs[0].Shape().Dimensions, 0
	if dims[axis]%2 != 0 {
		axis = 1
	}
	if !d.overlap || dims[axis]%2 != 0 {
		return [][]*Node{xs}, func(whole []*Node) *Node { return whole[0] }
	}
	n := dims[axis] / 2
	parts = make([][]*Node, 2)
	for _, x := range xs {
		parts[0], parts[1] = append(parts[0], SliceAxis(x, axis, AxisRange(0, n))), append(parts[1], SliceAxis(x, axis, AxisRange(n, 2*n)))
	}
	return parts, func(halves []*Node) *Node { return Concatenate(halves, axis) }
}
