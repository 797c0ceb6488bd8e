package model

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// rmsNorm is x / sqrt(mean(x^2) + eps) * weight over the last axis, in float32 (Zhang and Sennrich 2019).
func rmsNorm(x, weight *Node, eps float64) *Node {
	dtype := x.DType()
	x = ConvertDType(x, dtypes.Float32)
	root := Sqrt(AddScalar(ReduceAndKeep(Square(x), ReduceMean, -1), eps)) // Rsqrt has no gradient in GoMLX v0.28
	x = ConvertDType(Div(x, root), dtype)
	return Mul(x, ExpandLeftToRank(weight, x.Rank()))
}

// linear is x · weightᵀ (+ bias) with the checkpoint's layout, weight [out, in].
func linear(x, weight, bias *Node) *Node {
	y := DotGeneral(x, []int{x.Rank() - 1}, nil, weight, []int{1}, nil)
	if bias != nil {
		y = Add(y, ExpandLeftToRank(bias, y.Rank()))
	}
	return y
}

// rotary holds the rotation of each position: float32 [1 or batch, tokens, head_dim/2].
type rotary struct{ cos, sin *Node }

// newRotary computes the angles position * theta^(-2i/dim) in float32 whatever the model's type: in bfloat16 neighbouring
// positions past 256 would share an angle (Su et al. 2021, equation 15).
func newRotary(positions *Node, dim int, theta float64) rotary {
	g := positions.Graph()
	inv := make([]float32, dim/2)
	for i := range inv {
		inv[i] = float32(math.Pow(theta, -2*float64(i)/float64(dim)))
	}
	angle := Mul(InsertAxes(ConvertDType(positions, dtypes.Float32), -1), InsertAxes(Const(g, inv), 0, 0))
	return rotary{Cos(angle), Sin(angle)}
}

// apply rotates x [batch, heads, tokens, head_dim], halves paired as Hugging Face checkpoints store them: (x1, x2) ->
// (x1 cos - x2 sin, x2 cos + x1 sin).
func (r rotary) apply(x *Node) *Node {
	dtype := x.DType()
	x = ConvertDType(x, dtypes.Float32)
	half := x.Shape().Dimensions[3] / 2
	x1, x2 := SliceAxis(x, -1, AxisRange(0, half)), SliceAxis(x, -1, AxisRange(half))
	cos, sin := InsertAxes(r.cos, 1), InsertAxes(r.sin, 1)
	return ConvertDType(Concatenate([]*Node{
		Sub(Mul(x1, cos), Mul(x2, sin)),
		Add(Mul(x2, cos), Mul(x1, sin)),
	}, -1), dtype)
}

// splitHeads turns [batch, tokens, heads*dim] into [batch, heads, tokens, dim].
func splitHeads(x *Node, heads int) *Node {
	d := x.Shape().Dimensions
	return TransposeAllAxes(Reshape(x, d[0], d[1], heads, d[2]/heads), 0, 2, 1, 3)
}

// mergeHeads is the inverse of splitHeads.
func mergeHeads(x *Node) *Node {
	d := x.Shape().Dimensions
	return Reshape(TransposeAllAxes(x, 0, 2, 1, 3), d[0], d[2], d[1]*d[3])
}

// silu is x * sigmoid(x).
func silu(x *Node) *Node { return Mul(x, Sigmoid(x)) }

// positionsUpTo is 0..n-1, int32 [1, n].
func positionsUpTo(g *Graph, n int) *Node { return Iota(g, shapes.Make(dtypes.Int32, 1, n), 1) }

// shapesOf is a shape of x's type with other dimensions.
func shapesOf(x *Node, dims ...int) shapes.Shape { return shapes.Make(x.DType(), dims...) }
