package attention

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/attune-lab/attune/pkg/backend"
)

// RowSoftmax is the softmax over the last axis, with its gradient written out on the Go backend:
//
//	dL/dx_i = p_i (g_i - sum_j g_j p_j),  g what arrives at p
//
// GoMLX derives it from a softmax of its own making, whose exponentials are math.Exp's: see SigmoidBySoftmax for what they cost there.
func RowSoftmax(x *Node) *Node {
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

// softmaxWith is the softmax of [batch, heads, queries, keys] over the keys and a sink logit per head, [heads] or nil, whose own share is left out: the
// softmax over the keys alone times sigmoid(LSE(scores) - sink), what the keys have of the whole.
func softmaxWith(scores, sinks *Node) *Node {
	if sinks == nil {
		return RowSoftmax(scores)
	}
	top := StopGradient(ReduceAndKeep(scores, ReduceMax, -1))
	shares := Exp(Sub(scores, top))
	sum := ReduceAndKeep(shares, ReduceSum, -1)
	real := Sigmoid(Sub(Add(top, Log(sum)), Reshape(sinks, 1, sinks.Shape().Dimensions[0], 1, 1)))
	return Mul(shares, Div(real, sum))
}

// SigmoidBySoftmax is 1 / (1 + exp(-x)). On the Go backend it is the softmax of the pair (x, 0): the softmax has an exponential of its own, while the operations that
// call math.Exp mix its old-style instructions with what the AVX-512 products of a build with GOEXPERIMENT=simd leave in the registers, at a
// microsecond for each number (compute v0.1.6, Go 1.26), more than all the rest of a small model's step.
func SigmoidBySoftmax(x *Node) *Node {
	if backend.IsXLA(x.Graph().Backend()) {
		return Sigmoid(x)
	}
	y := ConvertDType(x, dtypes.Float32) // the only type its softmax has
	pair := RowSoftmax(Stack([]*Node{y, ZerosLike(y)}, -1))
	return ConvertDType(Reshape(SliceAxis(pair, -1, AxisElem(0)), x.Shape().Dimensions...), x.DType())
}

// TanhBySoftmax is tanh, 2 sigmoid(2x) - 1, for the same reason.
func TanhBySoftmax(x *Node) *Node {
	if backend.IsXLA(x.Graph().Backend()) {
		return Tanh(x)
	}
	return AddScalar(MulScalar(SigmoidBySoftmax(MulScalar(x, 2.0)), 2.0), -1.0)
}

// Softcap bounds x smoothly: cap * tanh(x/cap); 0 = no bound.
func Softcap(x *Node, cap float64) *Node {
	if cap == 0 {
		return x
	}
	return MulScalar(TanhBySoftmax(MulScalar(x, 1/cap)), cap)
}
