package model

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/attune-lab/attune/pkg/backend"
)

// OnResidual calls f with the residual stream behind each layer, [batch, tokens, hidden] in the model's type, while a prefill's graph is
// built: what an observer of hidden states attaches to. f may Emit.
func (r *Run) OnResidual(f func(layer int, x *Node)) { r.residual = append(r.residual, f) }

func (r *Run) sawResidual(layer int, x *Node) {
	for _, f := range r.residual {
		f(layer, x)
	}
}

// Hold has the layers to come wait for a value of this one, such as what an observer reduced, so that what it was made from is not kept until the end: XLA otherwise
// puts off what no layer needs, and all layers' operands pile up. It does nothing on the Go backend, which computes in the order of creation.
func (r *Run) Hold(value *Node) {
	if backend.IsXLA(r.Graph.Backend()) {
		r.held = append(r.held, value)
	}
}

// behindHeld is the residual stream once what is held exists.
func (r *Run) behindHeld(x *Node) *Node {
	if len(r.held) > 0 {
		x = OptimizationBarriers(append([]*Node{x}, r.held...)...)[0]
		r.held = nil
	}
	return x
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
