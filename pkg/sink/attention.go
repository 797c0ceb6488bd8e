package sink

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/model"
)

// attention is a layer's probabilities, whole, in a layer that forms them anyway. All arrays are float32.
//
// The Go backend has no fused passes: what is summed over these [heads, queries, keys] is a matrix product wherever it can be, a tenth of the time of
// an elementwise pass.
type attention struct {
	onXLA  bool
	probs  *Node // [batch, heads, queries, keys]
	scores *Node // the same; nil where the probabilities are not their softmax alone: rewritten, or with a learned sink
	valid  *Node // [batch, 1, queries], 1 for real rows; nil when no prompt of the batch is padded
	near   *Node // see band
}

func attentionOf(site *model.Site, valid *Node) *attention {
	a := &attention{onXLA: backend.IsXLA(site.Query.Graph().Backend()), probs: site.Probs(), valid: valid}
	if !site.Rewritten() && site.Sinks == nil {
		a.scores = site.Scores()
	}
	return a
}

// dims are batch, heads and tokens.
func (a *attention) dims() (batch, heads, tokens int) {
	d := a.probs.Shape().Dimensions
	return d[0], d[1], d[2]
}

// first is the probability of position 0: [batch, heads, queries].
func (a *attention) first() *Node { return column(a.probs, 0) }

// column is one key's entries of [batch, heads, queries, keys].
func column(x *Node, key int) *Node {
	return Squeeze(SliceAxis(x, -1, AxisRange(key, key+1)), -1)
}

// total is what each row sums to, which is 1 unless an intervention rewrote it or a learned sink took its share: [batch, heads, queries].
func (a *attention) total() *Node {
	_, _, tokens := a.dims()
	if a.scores != nil {
		return OnesLike(a.first())
	}
	return a.over(Ones(a.probs.Graph(), shapes.Make(dtypes.Float32, tokens)))
}

// over is sum_j p_ij w_j, [batch, heads, queries], for weights of the keys, [keys].
func (a *attention) over(w *Node) *Node {
	return DotGeneral(a.probs, []int{3}, nil, w, []int{0}, nil)
}

// band is each query's entries at its last keys, its own included, and zeros where it has fewer: [batch, heads, queries, width].
func band(x *Node, width int) *Node {
	g, d := x.Graph(), x.Shape().Dimensions
	count := func(axis int) *Node { return Iota(g, shapes.Make(dtypes.Int32, d[0], d[1], d[2], 1), axis) }
	start := MaxScalar(AddScalar(count(2), 1-width), 0) // where a query has fewer keys, the band goes on ahead of it
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

// dotRows is the inner product of each row of two arrays, [batch, heads, queries, keys] -> [batch, heads, queries]. The Go backend multiplies in
// vectors where an operand is a matrix of one row.
func dotRows(x, y *Node, onXLA bool) *Node {
	if onXLA {
		return ReduceSum(Mul(x, y), -1)
	}
	d := x.Shape().Dimensions
	rows := func(x *Node) *Node { return Reshape(x, d[0]*d[1]*d[2], 1, d[3]) }
	return Reshape(DotGeneral(rows(x), []int{2}, []int{0}, rows(y), []int{2}, []int{0}), d[0], d[1], d[2])
}

// shapesLike is a shape of x's type with other dimensions.
func shapesLike(x *Node, dims ...int) shapes.Shape { return shapes.Make(x.DType(), dims...) }
