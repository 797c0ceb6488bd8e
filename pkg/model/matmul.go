package model

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// product is DotGeneral as the pass wants it: lhs and rhs contracted over one axis each, with equal leading batch axes.
//
// In training its gradient stays in the operands' type. GoMLX (v0.28) otherwise converts half-precision operands to float32 on the way back and multiplies
// in float32, five times slower than the matrix units, which add up in float32 anyway.
//
// Where rhs are weights of a narrower type than the activations lhs, these are not narrowed: they are the sum of two parts of that type, their rounding and what it
// left, and the products of both are added in the activations' type.
func (r *Run) product(lhs *Node, lhsAxis int, rhs *Node, rhsAxis, batchAxes int) *Node {
	batch := make([]int, batchAxes)
	for i := range batch {
		batch[i] = i
	}
	if lhs.DType() == rhs.DType() {
		dot := Dot(lhs, rhs)
		if r.training {
			dot = dot.WithAccumulatorDType(dtypes.InvalidDType)
		}
		return dot.General([]int{lhsAxis}, batch, []int{rhsAxis}, batch)
	}
	times := func(part *Node) *Node {
		return Dot(part, rhs).WithOutputDType(lhs.DType()).General([]int{lhsAxis}, batch, []int{rhsAxis}, batch)
	}
	rounded := OptimizationBarrier(ConvertDType(lhs, rhs.DType())) // XLA would take lhs for its own rounding
	return Add(times(rounded), times(ConvertDType(Sub(lhs, ConvertDType(rounded, lhs.DType())), rhs.DType())))
}

// several applies products to one input. In training they are one product with their weights side by side: larger products, and one gradient of the input
// instead of several to be added up.
func (d *decoder) several(x *Node, ms ...dense) []*Node {
	out := make([]*Node, len(ms))
	join := d.run.training
	for _, m := range ms {
		join = join && !m.bias && !m.transposed && d.params[m.name+loraA] == nil
	}
	if !join {
		for i, m := range ms {
			out[i] = d.dense(m, x)
		}
		return out
	}
	weights := make([]*Node, len(ms))
	for i, m := range ms {
		weights[i] = d.params[m.name+".weight"]
	}
	y := d.run.product(x, x.Rank()-1, Concatenate(weights, 0), 1, 0)
	at := 0
	for i, m := range ms {
		out[i] = SliceAxis(y, -1, AxisRange(at, at+m.out))
		at += m.out
	}
	return out
}
