package model

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/attune-lab/attune/pkg/backend"
)

// softmax over the last axis, with its gradient written out on the Go backend:
//
//	dL/dx_i = p_i (g_i - sum_j g_j p_j),  g what arrives at p
//
// GoMLX derives it from a softmax of its own making, whose exponentials are math.Exp's: see sigmoid for what they cost there.
func softmax(x *Node) *Node {
	if backend.IsXLA(x.Graph().Backend()) {
		return Softmax(x, -1)
	}
	last := x.Rank() - 1
	kernel := func() *Node { return BackendFusedSoftmax(x, last) }
	p, _ := InternalFusedOpCaller(kernel, func() *Node { // what the gradient is taken of
		p := StopGradient(kernel())
		carrier := IdentityWithCustomGradient(x, func(_, arriving *Node) *Node {
			weighed := Mul(arriving, p)
			return Sub(weighed, Mul(p, ReduceAndKeep(weighed, ReduceSum, last)))
		})
		return Add(p, Sub(carrier, StopGradient(carrier)))
	}, true)
	return p
}
