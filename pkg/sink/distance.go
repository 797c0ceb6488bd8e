package sink

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// distance is how far back a query looks on average, i - sum_j A[h,i,j] j / sum_j A[h,i,j]: [batch, heads, queries].
func (a *square) distance(total *Node) *Node {
	g := a.probs.Graph()
	at := a.over(Iota(g, shapes.Make(dtypes.Float32, a.tokens), 0))
	return Sub(Iota(g, at.Shape(), 2), Div(at, MaxScalar(total, tiny)))
}

// distance where every row sums to 1, summed over the real rows of each prompt, from what each key receives in all: with n rows,
// sum_i (i - sum_j A[h,i,j] j) = sum_j ((n-1)/2 - j) sum_i A[h,i,j]. Columns [batch, heads, keys] -> [batch, heads].
func (c *collector) distance(columns *Node) *Node {
	j := Iota(c.graph(), shapes.Make(dtypes.Float32, 1, columns.Shape().Dimensions[2]), 1)
	away := Sub(MulScalar(AddScalar(c.lengths, -1), 0.5), j) // [batch, keys]
	return ReduceSum(Mul(columns, InsertAxes(away, 1)), -1)
}

// Distance is the mean attended distance in tokens, the mean over queries i of sum_j A[h,i,j] (i-j) (Clark et al. 2019, arXiv 1906.04341,
// look at the same by offset). Rows that do not sum to 1 are divided by their sum.
func (s *Survey) Distance() (*PerHead, error) {
	return s.rowMeasure(nameDistance, "mean attended distance")
}
