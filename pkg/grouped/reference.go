package grouped

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// inPlain is Product in plain operations, float32, which multiplies every row with every group's matrix.
func inPlain(x *Node, s Segments, w Weights) *Node {
	g, groups := x.Graph(), w.Matrices.Shape().Dimensions[0]
	if s.Index != nil {
		x = Gather(x, InsertAxes(s.Index, -1))
	}
	places := x.Shape().Dimensions[0]
	of := shapes.Make(dtypes.Int32, places, groups)
	place, starts := Iota(g, of, 0), BroadcastToDims(InsertAxes(s.Starts, 0), places, groups)
	ends := Add(starts, BroadcastToDims(InsertAxes(s.Counts, 0), places, groups))
	return plainProduct(x, ConvertDType(LogicalAnd(GreaterOrEqual(place, starts), LessThan(place, ends)), dtypes.Float32), w)
}

// vectorsInPlain is VectorProduct so.
func vectorsInPlain(x, groups *Node, w Weights) *Node {
	rows := x.Shape().Dimensions[0]
	each := groups.Shape().Size() / rows
	x = Reshape(BroadcastToDims(InsertAxes(x, 1), rows, each, x.Shape().Dimensions[1]), rows*each, -1)
	return plainProduct(x, OneHot(groups, w.Matrices.Shape().Dimensions[0], dtypes.Float32), w)
}

// plainProduct multiplies rows, one for each place, with the matrices that own, float32 [places, groups], has a 1 for.
func plainProduct(x, own *Node, w Weights) *Node {
	wide := func(x *Node) *Node { return ConvertDType(x, dtypes.Float32) }
	places, in := x.Shape().Dimensions[0], 1
	if w.OutIn {
		in = 2
	}
	times := func(m *Node) *Node { // [places, out]
		all := DotGeneral(wide(x), []int{1}, nil, wide(m), []int{in}, nil) // [places, groups, out]
		return ReduceSum(Mul(all, InsertAxes(own, -1)), 1)
	}
	silu := func(x *Node, alpha float64) *Node { return Mul(x, Sigmoid(MulScalar(x, alpha))) }
	y := times(w.Matrices)
	if w.Bias != nil {
		y = Add(y, Dot(own, wide(w.Bias)).Product())
	}
	switch c := w.Clamped; {
	case w.Up != nil:
		return Mul(silu(y, 1), times(w.Up))
	case c != nil:
		y = Reshape(y, places, y.Shape().Dimensions[1]/2, 2)
		column := func(i int) *Node { return Squeeze(SliceAxis(y, -1, AxisRange(i, i+1)), -1) }
		gate, up := MinScalar(column(0), c.Limit), MaxScalar(MinScalar(column(1), c.Limit), -c.Limit)
		return Mul(AddScalar(up, 1), silu(gate, c.Alpha))
	}
	return y
}

// distance of a result from what it should be, relative.
func distance(got, want *Node) *Node {
	norm := func(x *Node) *Node { return Sqrt(ReduceAllSum(Square(x))) }
	return Div(norm(Sub(ConvertDType(got, dtypes.Float32), want)), norm(want))
}
