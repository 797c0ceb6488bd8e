package sink

import . "github.com/gomlx/gomlx/core/graph"

// distance is how far back a query looks on average, sum_j A[h,i,j] (i-j) / sum_j A[h,i,j]: [batch, heads, rows].
func (t *tile) distance(c *collector, total *Node) *Node {
	sum := t.over(c.weight(nameDistance, t, func() *Node { return t.distances(c.run.Graph) }))
	return Div(sum, MaxScalar(total, tiny))
}

// Distance is the mean attended distance in tokens, the mean over queries i of sum_j A[h,i,j] (i-j) (Clark et al. 2019, arXiv 1906.04341,
// look at the same by offset). Rows that do not sum to 1 are divided by their sum.
func (s *Survey) Distance() (*PerHead, error) {
	return s.rowMeasure(nameDistance, "mean attended distance")
}
