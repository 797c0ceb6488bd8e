package model

import (
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/attune-lab/attune/pkg/kernel"
)

// Gainable reports whether Gained computes the layer with a mask of bits, or with one that another layer's limits say: a plain layer that nobody has asked for
// probabilities, on a GPU whose compiler takes the kernel.
func (s *Site) Gainable(byLimit bool) bool {
	if !s.Plain() || s.FormsProbs() {
		return false
	}
	shape := func(x *Node) shapes.Shape {
		d := x.Shape().Dimensions
		return shapes.Make(x.DType(), d[0], d[2], d[1], d[3])
	}
	return kernel.Available(s.run.Graph.Backend(), shape(s.Query), shape(s.Keys[0]), byLimit) == nil
}

// Gained is the layer's attention with every probability that the mask covers multiplied by its head's gain, float32 [heads], in one pass that forms no
// probabilities: [batch, heads, queries, head_dim] in the queries' type. With normalise rows sum to 1 again, and gains must be above 0. It panics, as
// graph-building code does, where Gainable says no.
func (s *Site) Gained(gains *Node, mask kernel.Mask, normalise bool) *Node {
	o := kernel.Options{Scale: s.Scale, Normalise: normalise}
	return tokensFirst(kernel.Attention(tokensFirst(s.Query), tokensFirst(s.Keys[0]), tokensFirst(s.Values[0]), gains, mask, o))
}

// Above is the mask of the layer's own entries whose score passes a limit, float32 [batch, heads, queries]: Gained of another layer of the same dimensions finds it
// along the way. A limit is LSE + log tau for the probabilities above tau. The diagonal is in the mask only where it is said to be.
func (s *Site) Above(limit *Node, diagonal bool) kernel.Mask {
	return kernel.Mask{Query: tokensFirst(s.Query), Key: tokensFirst(s.Keys[0]), Limit: MulScalar(limit, 1/s.Scale), Diagonal: diagonal}
}

// tokensFirst swaps [batch, heads, tokens, dim] and [batch, tokens, heads, dim], which is how projections lie in memory: there nothing is transposed.
func tokensFirst(x *Node) *Node { return TransposeAllAxes(x, 0, 2, 1, 3) }
