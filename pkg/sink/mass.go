package sink

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// since keeps the rows of queries from position late on, and zero for earlier ones: [batch, heads, queries].
func since(x *Node, late int) *Node {
	i := Iota(x.Graph(), shapes.Make(dtypes.Int32, x.Shape().Dimensions...), 2)
	return Where(GreaterOrEqual(i, Scalar(x.Graph(), dtypes.Int32, late)), x, ZerosLike(x))
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
