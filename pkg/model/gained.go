package model

import (
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/attune-lab/attune/pkg/attention/kernel"
)

// ours reports whether our own kernel computes a kind of attention with the layer's queries and keys: rows of one document, on a GPU whose compiler takes it. It
// has no gradient.
func (s *Site) ours(k kernel.Kind) bool {
	if !s.whole() || s.packed != nil || s.run.differentiable {
		return false
	}
	shape := func(x *Node) shapes.Shape {
		d := x.Shape().Dimensions
		return shapes.Make(x.DType(), d[0], d[2], d[1], d[3])
	}
	return kernel.Available(s.run.Graph.Backend(), shape(s.Query), shape(s.Keys[0]), k) == nil
}

// kernel calls ours.
func (s *Site) kernel(gain *kernel.Gain) (out, lse *Node) {
	o := kernel.Options{Scale: s.Scale, Softcap: s.Softcap, Sinks: s.Sinks, Gain: gain}
	if s.kind().Windowed {
		o.Window = s.Window
	}
	out, lse = kernel.Attention(tokensFirst(s.Query), tokensFirst(s.Keys[0]), tokensFirst(s.Values[0]), o)
	return tokensFirst(out), lse
}

// Gainable reports whether Gained computes the layer with a mask of bits, or with one that another layer's limits say: whole prompts on a GPU, and nobody has
// asked for the layer's probabilities or rewritten them.
func (s *Site) Gainable(byLimits bool) bool {
	k := s.kind()
	k.ByBits, k.ByLimits = !byLimits, byLimits
	return !s.rewritten && !s.FormsProbs() && s.ours(k)
}

// Gained is the layer's attention with the probabilities that a mask covers multiplied by their head's gain, in one pass that forms none of them: [batch, heads,
// queries, head_dim] in the queries' type. It panics, as graph-building code does, where Gainable says no.
func (s *Site) Gained(gain kernel.Gain) *Node {
	out, _ := s.kernel(&gain)
	return out
}

// Above is the mask of the layer's own entries whose score passes a limit, float32 [batch, heads, queries]: Gained of another layer of the same dimensions finds it
// along the way. A limit is LSE + log tau for the probabilities above tau. It says the layer's mask only where the layer is Plain. The diagonal is in it only where
// it is said to be.
func (s *Site) Above(limit *Node, diagonal bool) kernel.Mask {
	return kernel.Mask{Query: tokensFirst(s.Query), Key: tokensFirst(s.Keys[0]), Limit: MulScalar(limit, 1/s.Scale), Diagonal: diagonal}
}

// tokensFirst swaps [batch, heads, tokens, dim] and [batch, tokens, heads, dim], which is how projections lie in memory: there nothing is transposed.
func tokensFirst(x *Node) *Node { return TransposeAllAxes(x, 0, 2, 1, 3) }
