package model

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// OnResidual calls f with the residual stream behind each layer, [batch, tokens, hidden] in the model's type, while a prefill's graph is
// built: what an observer of hidden states attaches to. f may Emit.
func (r *Run) OnResidual(f func(layer int, x *Node)) { r.residual = append(r.residual, f) }

func (r *Run) sawResidual(layer int, x *Node) {
	for _, f := range r.residual {
		f(layer, x)
	}
}

// Rewritten reports whether an experiment has rewritten the layer's probabilities so far.
func (s *Site) Rewritten() bool { return s.rewritten }

// FormsProbs reports whether the layer forms its probabilities whatever an observer does, because it was asked for them already or no fused
// kernel computes it: then Probs costs nothing. Otherwise an observer that can do without them leaves the layer its fused kernel.
func (s *Site) FormsProbs() bool { return s.probs != nil || s.change != nil || !s.fusable() }

// PassOn hands the layer the same probabilities as another node, such as the last of an observer's reshapes: what nobody reads any more the Go backend reshapes
// in place, so that observing copies nothing.
func (s *Site) PassOn(same *Node) {
	same.AssertDims(s.probs.Shape().Dimensions...)
	s.probs = same
}
