package model

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// norm applies a normalisation over the last axis, in float32; a norm without a name passes x on.
//
//	rms:        x / sqrt(mean(x²) + eps) * w            (Zhang and Sennrich 2019)
//	rmsPlusOne: x / sqrt(mean(x²) + eps) * (1 + w)
//	layerNorm:  (x - mean(x)) / sqrt(var(x) + eps) * w + b
func (d *decoder) norm(n norm, x *Node) *Node {
	if n.name == "" {
		return x
	}
	dtype, rank := x.DType(), x.Rank()
	param := func(name string) *Node {
		return ExpandLeftToRank(ConvertDType(d.params[n.name+name], dtypes.Float32), rank)
	}
	x = ConvertDType(x, dtypes.Float32)
	if n.kind == layerNorm {
		x = Sub(x, ReduceAndKeep(x, ReduceMean, -1))
	}
	// Division by a root: Rsqrt has no gradient in GoMLX v0.28.
	x = Div(x, Sqrt(AddScalar(ReduceAndKeep(Square(x), ReduceMean, -1), n.eps)))
	weight := param(".weight")
	if n.kind == rmsPlusOne {
		weight = AddScalar(weight, 1.0)
	}
	x = Mul(x, weight)
	if n.kind == layerNorm {
		x = Add(x, param(".bias"))
	}
	return ConvertDType(x, dtype)
}

// dense applies a matrix product over the last axis.
func (d *decoder) dense(m dense, x *Node) *Node {
	axis := 1
	if m.transposed {
		axis = 0
	}
	y := d.run.product(x, x.Rank()-1, d.params[m.name+".weight"], axis, 0)
	if more := d.addend(m.name, x); more != nil {
		y = Add(y, more)
	}
	if m.bias {
		y = Add(y, ExpandLeftToRank(ConvertDType(d.params[m.name+".bias"], y.DType()), y.Rank()))
	}
	return y
}

// project makes queries, keys and values of the attention's input, each [batch, heads or kv_heads, tokens, head_dim], before rotation.
func (d *decoder) project(a *attention, x *Node) (q, k, v *Node) {
	c := d.config
	switch {
	case a.fused.name == "":
		y := d.several(x, a.query, a.key, a.value)
		q, k, v = y[0], y[1], y[2]
	case a.interleaved:
		y := d.dense(a.fused, x)
		dims := y.Shape().Dimensions
		y = Reshape(y, dims[0], dims[1], c.Heads, 3*c.HeadDim)
		third := func(i int) *Node {
			part := SliceAxis(y, -1, AxisRange(i*c.HeadDim, (i+1)*c.HeadDim))
			return Reshape(part, dims[0], dims[1], c.Heads*c.HeadDim)
		}
		q, k, v = third(0), third(1), third(2)
	default:
		y := d.dense(a.fused, x)
		n, m := c.Heads*c.HeadDim, c.KVHeads*c.HeadDim
		q, k, v = SliceAxis(y, -1, AxisRange(0, n)), SliceAxis(y, -1, AxisRange(n, n+m)), SliceAxis(y, -1, AxisRange(n+m, n+2*m))
	}
	if a.normWhole {
		q, k = d.norm(a.queryNorm, q), d.norm(a.keyNorm, k)
	}
	q, k, v = splitHeads(q, c.Heads), splitHeads(k, c.KVHeads), splitHeads(v, c.KVHeads)
	if !a.normWhole {
		q, k = d.norm(a.queryNorm, q), d.norm(a.keyNorm, k)
	}
	return q, k, v
}

// feedForward applies a block's MLP, [batch, tokens, hidden].
func (d *decoder) feedForward(m *mlp, x *Node) *Node {
	switch {
	case m.experts != nil:
		return d.mixture(m.experts, x)
	case m.gateUp.name != "":
		y := d.dense(m.gateUp, x)
		half := m.gateUp.out / 2
		return d.dense(m.down, Mul(m.act(SliceAxis(y, -1, AxisRange(0, half))), SliceAxis(y, -1, AxisRange(half, 2*half))))
	case m.gate.name != "":
		y := d.several(x, m.gate, m.up)
		return d.dense(m.down, Mul(m.act(y[0]), y[1]))
	}
	return d.dense(m.down, m.act(d.dense(m.up, x)))
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

// positionsUpTo is 0..n-1, int32 [1, n].
func positionsUpTo(g *Graph, n int) *Node { return Iota(g, shapes.Make(dtypes.Int32, 1, n), 1) }

// shapesOf is a shape of x's type with other dimensions.
func shapesOf(x *Node, dims ...int) shapes.Shape { return shapes.Make(x.DType(), dims...) }
