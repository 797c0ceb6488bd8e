package sink

import . "github.com/gomlx/gomlx/core/graph"

// The measures of one query's row of attention, averaged over the real queries of each prompt and head.
const (
	nameEntropy  = "entropy"
	nameFirst    = "first"
	nameDiagonal = "diagonal"
	nameLocal    = "local"
	nameDistance = "distance"
	nameRowSum   = "row-sum"
	nameLate     = "first-late"
)

var rowNames = []string{nameEntropy, nameFirst, nameDiagonal, nameLocal, nameDistance, nameRowSum, nameLate}

// rows are the sums of the measures over real rows, [batch, heads]; columns are those of putReceived.
func (c *collector) rows(a *square, first, columns *Node) map[string]*Node {
	own, total := diagonal(a.near), OnesLike(first)
	if a.scores == nil {
		total = a.total()
	}
	sums := map[string]*Node{
		nameFirst: column(columns, 0), nameLate: c.sumRows(since(first, c.late)), nameDiagonal: c.sumRows(own), nameLocal: c.sumRows(ReduceSum(a.near, -1)),
		nameRowSum: ReduceSum(columns, -1), nameEntropy: c.sumRows(a.entropy(first, own, total)),
	}
	if a.scores != nil {
		sums[nameDistance] = c.distance(columns)
	} else {
		sums[nameDistance] = c.sumRows(a.distance(total))
	}
	return sums
}

// putRows ends a layer's row measures: sums over real queries, [batch, heads], over how many there are.
func (c *collector) putRows(sums map[string]*Node) {
	for _, name := range rowNames {
		queries := c.lengths
		if name == nameLate {
			queries = MaxScalar(AddScalar(queries, -float64(c.late)), 1.0)
		}
		c.put(name, Div(sums[name], queries))
	}
}
