package model

import (
	. "github.com/gomlx/gomlx/core/graph"

	attn "github.com/attune-lab/attune/pkg/attention"
)

// matmul is attention.Product as the pass wants it, also of operands of two types.
//
// Where rhs are weights of a narrower type than the activations lhs, these are not narrowed: they are the sum of two parts of that type, their rounding and what it
// left, and the products of both are added in the activations' type.
func (d *decoder) matmul(lhs *Node, lhsAxis int, rhs *Node, rhsAxis, batchAxes int) *Node {
	if lhs.DType() == rhs.DType() {
		return attn.Product(lhs, lhsAxis, rhs, rhsAxis, batchAxes, d.training)
	}
	batch := make([]int, batchAxes)
	for i := range batch {
		batch[i] = i
	}
	times := func(part *Node) *Node {
		return Dot(part, rhs).WithOutputDType(lhs.DType()).General([]int{lhsAxis}, batch, []int{rhsAxis}, batch)
	}
	rounded := OptimizationBarrier(ConvertDType(lhs, rhs.DType())) // XLA would take lhs for its own rounding
	return Add(times(rounded), times(ConvertDType(Sub(lhs, ConvertDType(rounded, lhs.DType())), rhs.DType())))
}

// matmuls applies products to one input. In training they are one product with their weights side by side: larger products, and one gradient of the input
// instead of several to be added up.
func (d *decoder) matmuls(x *Node, ms ...dense) []*Node {
	out := make([]*Node, len(ms))
	join := d.training
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
	y := d.matmul(x, x.Rank()-1, Concatenate(weights, 0), 1, 0)
	at := 0
	for i, m := range ms {
		out[i] = SliceAxis(y, -1, AxisRange(at, at+m.out))
		at += m.out
	}
	return out
}
