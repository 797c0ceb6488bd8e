package sink

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/attune-lab/attune/pkg/attention"
	"github.com/attune-lab/attune/pkg/backend"
)

// square is a layer's probabilities, whole, in a layer that forms them anyway. All arrays are float32.
//
// The Go backend has no fused passes: what is summed over these [heads, queries, keys] is a matrix product wherever it can be, a tenth of the time of
// an elementwise pass.
type square struct {
	onXLA                bool
	batch, heads, tokens int
	probs                *Node // see square
	scores               *Node // [batch, heads, queries, keys]; nil where the probabilities are not their softmax alone: rewritten, or with a learned sink
	valid                *Node // [batch, 1, queries], 1 for real rows; nil when no prompt of the batch is padded
	near                 *Node // see band
}

func squareOf(site *attention.Site, valid *Node) *square {
	p := site.Probs()
	d := p.Shape().Dimensions
	a := &square{onXLA: backend.IsXLA(p.Graph().Backend()), batch: d[0], heads: d[1], tokens: d[2], probs: p, valid: valid}
	if !attention.Rewritten(site) && site.Sinks == nil {
		a.scores = site.Scores()
	}
	return a
}

// as gives the probabilities another shape, that of the next who ask: the Go backend reshapes in place what nobody reads any more, and would else copy.
func (a *square) as(dims ...int) *Node {
	a.probs = Reshape(a.probs, dims...)
	return a.probs
}

// square is the probabilities, [batch, heads, queries, keys].
func (a *square) square() *Node { return a.as(a.batch, a.heads, a.tokens, a.tokens) }

// first is the probability of position 0: [batch, heads, queries].
func (a *square) first() *Node { return column(a.square(), 0) }

// column is one key's entries of [batch, heads, queries, keys].
func column(x *Node, key int) *Node {
	return Squeeze(SliceAxis(x, -1, AxisRange(key, key+1)), -1)
}

// total is what each row sums to, which is 1 unless an intervention rewrote it or a learned sink took its share: [batch, heads, queries].
func (a *square) total() *Node {
	return a.over(Ones(a.probs.Graph(), shapes.Make(dtypes.Float32, a.tokens)))
}

// over is sum_j p_ij w_j, [batch, heads, queries], for weights of the keys, [keys].
func (a *square) over(w *Node) *Node {
	return DotGeneral(a.square(), []int{3}, nil, w, []int{0}, nil)
}

// band is each query's entries at its last keys, its own included, and zeros where it has fewer: [batch, heads, queries, width].
func band(x *Node, width int) *Node {
	g, d := x.Graph(), x.Shape().Dimensions
	count := func(axis int) *Node { return Iota(g, shapes.Make(dtypes.Int32, d[0], d[1], d[2], 1), axis) }
	start := MaxScalar(AddScalar(count(2), 1-width), 0) // where a query has fewer keys, the band extends ahead of it
	at := Concatenate([]*Node{count(0), count(1), count(2), start}, -1)
	return Reshape(GatherSlices(x, []int{0, 1, 2, 3}, at, []int{1, 1, 1, width}, false), d[0], d[1], d[2], width)
}

// diagonal is each query's entry at itself, [batch, heads, queries], out of its band: the last entry of a full band, the i-th of query i's before.
func diagonal(band *Node) *Node {
	d := band.Shape().Dimensions
	last := d[3] - 1
	full := column(SliceAxis(band, 2, AxisRange(last)), last)
	if last == 0 {
		return full
	}
	at := shapes.Make(dtypes.Int32, 1, 1, last, d[3])
	own := ConvertDType(Equal(Iota(band.Graph(), at, 3), Iota(band.Graph(), at, 2)), dtypes.Float32)
	early := SliceAxis(band, 2, AxisRange(0, last))
	return Concatenate([]*Node{ReduceSum(Mul(early, BroadcastToDims(own, early.Shape().Dimensions...)), -1), full}, -1)
}

// rows are the probabilities as matrices of one row, [batch*heads*queries, 1, keys], which the Go backend multiplies in vectors.
func (a *square) rows() *Node { return a.as(a.batch*a.heads*a.tokens, 1, a.tokens) }

// dotRows is the inner product of the rows of two arrays as rows gives them: [batch, heads, queries].
func (a *square) dotRows(x, y *Node) *Node {
	var sums *Node
	if a.onXLA {
		sums = ReduceSum(Mul(x, y), -1)
	} else {
		sums = DotGeneral(x, []int{2}, []int{0}, y, []int{2}, []int{0})
	}
	return Reshape(sums, a.batch, a.heads, a.tokens)
}

// shapesLike is a shape of x's type with other dimensions.
func shapesLike(x *Node, dims ...int) shapes.Shape { return shapes.Make(x.DType(), dims...) }
