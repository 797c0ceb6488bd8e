package sink

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// distances are i - j over a tile: int32 [rows, keys], negative where a key lies ahead.
func (t *tile) distances(g *Graph) *Node {
	at := span{t.start, t.start + t.rows}
	return Sub(iota2(g, at, 0, t.start), iota2(g, at, 1, 0))
}

func isZero(x *Node) *Node { return Equal(x, ScalarZero(x.Graph(), x.DType())) }

// total is what each row sums to, which is 1 unless an intervention rewrote it or a learned sink took its share: [batch, heads, rows].
func (t *tile) total(c *collector) *Node {
	switch {
	case t.exps != nil:
		return Div(t.keySum, t.sum)
	case t.scores != nil:
		return OnesLike(t.first())
	}
	return t.over(c.weight("one", t, func() *Node {
		return OnesLike(ConvertDType(t.distances(c.run.Graph), dtypes.Float32))
	}))
}

// lateFirst is the mass on position 0 of queries from position late on, 0 for earlier ones: [batch, heads, rows].
func (t *tile) lateFirst(late int) *Node {
	first := t.first()
	i := Iota(first.Graph(), shapes.Make(dtypes.Int32, first.Shape().Dimensions...), 2)
	return Where(GreaterOrEqual(i, Scalar(first.Graph(), dtypes.Int32, late-t.start)), first, ZerosLike(first))
}

// local is the mass within the window, the query itself included: sum of A[h,i,j] over i - window < j <= i.
func (t *tile) local(c *collector) *Node {
	return t.over(c.weight(nameLocal, t, func() *Node {
		return LessThan(t.distances(c.run.Graph), Scalar(c.run.Graph, dtypes.Int32, c.window))
	}))
}

// FirstShare is the mass on position 0: the mean over queries i of A[h,i,0].
func (s *Survey) FirstShare() (*PerHead, error) { return s.rowMeasure(nameFirst, "mass on position 0") }

// LateFirstShare is the mass on position 0 from queries at position Late and beyond alone. A short prompt's first queries have few keys to choose from, so
// that position 0 gets much of them in any model: without them a sink stands out.
func (s *Survey) LateFirstShare() (*PerHead, error) {
	return s.rowMeasure(nameLate, "mass on position 0")
}

// DiagonalShare is the mass on the query itself: the mean over queries i of A[h,i,i].
func (s *Survey) DiagonalShare() (*PerHead, error) {
	return s.rowMeasure(nameDiagonal, "mass on the diagonal")
}

// LocalShare is the mass within the last Window positions, the query itself included.
func (s *Survey) LocalShare() (*PerHead, error) {
	return s.rowMeasure(nameLocal, "mass within the local window")
}

// RowSum is what a row sums to: 1 unless an intervention changed it or a learned sink takes its share.
func (s *Survey) RowSum() (*PerHead, error) { return s.rowMeasure(nameRowSum, "the sum of rows") }

func (s *Survey) rowMeasure(name, what string) (*PerHead, error) {
	if err := s.need(Rows, what); err != nil {
		return nil, err
	}
	return s.perHead(name), nil
}
