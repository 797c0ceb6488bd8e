package sink

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/model"
)

// tile is the attention of a block of query rows. Attention is causal, so the keys behind the last row are left out, and a row is always
// whole: its softmax needs no other tile. All arrays are float32.
type tile struct {
	start, rows, keys int
	onXLA             bool
	probs             *Node // [batch, heads, rows, keys]; rows of padding are zero where paddingIsZero
	valid             *Node // [batch, 1, rows], 1 for real rows; nil when no prompt of the batch is padded
	paddingIsZero     bool
	own               *Node // see diagonal

	// What the logarithm of the probabilities needs; scores are nil where an intervention rewrote them or a learned sink took part.
	scores *Node // [batch, heads, rows, keys]
	lse    *Node // [batch, heads, rows], log of the row's sum of exp(scores); only in tiles computed from queries and keys
	exps   *Node // exp(scores - row maximum)
	top    *Node // row maximum, [batch, heads, rows, 1]
	keySum *Node // row sum of exps, [batch, heads, rows]
	sum    *Node // the same with a learned sink's share
}

// span is a tile's place.
type span struct{ start, end int }

// spans cuts n query rows into blocks of so many.
func spans(n, rows int) []span {
	var out []span
	for at := 0; at < n; at += rows {
		out = append(out, span{at, min(at+rows, n)})
	}
	return out
}

// tileFromProbs cuts a tile out of probabilities that the layer forms anyway.
func tileFromProbs(site *model.Site, at span, valid *Node) *tile {
	t := newTile(site, at, valid)
	t.probs = cut(site.Probs(), at)
	if !site.Rewritten() && site.Sinks == nil {
		t.scores = cut(site.Scores(), at)
	}
	return t
}

// cut takes the rows of a span and the keys up to its end from [batch, heads, queries, keys].
func cut(x *Node, at span) *Node {
	if at.start == 0 && at.end == x.Shape().Dimensions[2] {
		return x
	}
	return SliceAxis(SliceAxis(x, 2, AxisRange(at.start, at.end)), 3, AxisRange(0, at.end))
}

// tileFromQueries computes a tile from queries and keys, so that the layer itself can stay with a kernel that never forms probabilities.
// Half-precision operands are multiplied into float32.
func tileFromQueries(site *model.Site, at span, valid *Node) *tile {
	t := newTile(site, at, valid)
	t.scores = blockScores(site, at)
	t.top = ReduceAndKeep(t.scores, ReduceMax, -1)
	if site.Sinks != nil {
		t.top = Max(t.top, sinkLogits(site, t.top))
	}
	t.exps = Exp(Sub(t.scores, t.top))
	t.keySum = ReduceSum(t.exps, -1)
	t.sum = t.keySum
	if site.Sinks != nil {
		t.sum = Add(t.sum, Squeeze(Exp(Sub(sinkLogits(site, t.top), t.top)), -1))
	}
	t.lse = Add(Squeeze(t.top, -1), Log(t.sum))
	lse := t.lse
	if valid != nil { // so that a row of padding comes out as zero
		lse = Add(lse, MulScalar(OneMinus(t.valid), 1e30))
	}
	t.probs, t.paddingIsZero = Exp(Sub(t.scores, InsertAxes(lse, -1))), true
	return t
}

// sinkLogits are the learned sinks of a layer, one per head, in the shape of like: [batch, heads, rows, 1].
func sinkLogits(site *model.Site, like *Node) *Node {
	return BroadcastToDims(Reshape(ConvertDType(site.Sinks, dtypes.Float32), 1, -1, 1, 1), like.Shape().Dimensions...)
}

func newTile(site *model.Site, at span, valid *Node) *tile {
	t := &tile{start: at.start, rows: at.end - at.start, keys: at.end, onXLA: backend.IsXLA(site.Query.Graph().Backend())}
	if valid != nil {
		t.valid = SliceAxis(valid, -1, AxisRange(at.start, at.end))
	}
	return t
}

// masked stands for minus infinity: its exponential is zero beside any real score.
const masked = -1e30

// blockScores are the scaled, capped and masked scores of a block of queries: float32 [batch, heads, rows, keys].
func blockScores(site *model.Site, at span) *Node {
	q := SliceAxis(site.Query, 2, AxisRange(at.start, at.end))
	k := SliceAxis(site.Keys[0], 2, AxisRange(0, at.end))
	g, d := q.Graph(), q.Shape().Dimensions
	batch, heads, rows, dim := d[0], d[1], d[2], d[3]
	kvHeads := k.Shape().Dimensions[1]
	// The query heads of one key head are rows of one matrix: grouped-query attention without a copy of the keys.
	q = Reshape(q, batch, kvHeads, heads/kvHeads*rows, dim)
	s := Dot(q, TransposeAllAxes(k, 0, 1, 3, 2)).WithAccumulatorDType(dtypes.Float32).WithOutputDType(dtypes.Float32).General([]int{3}, []int{0, 1}, []int{2}, []int{0, 1})
	s = Reshape(MulScalar(s, site.Scale), batch, heads, rows, at.end)
	if site.Softcap != 0 {
		s = MulScalar(Tanh(DivScalar(s, site.Softcap)), site.Softcap)
	}
	// Computed from positions: a slice of the site's mask would keep its [queries, keys] square in memory.
	ahead := Sub(iota2(g, at, 0, at.start), iota2(g, at, 1, 0))
	visible := GreaterOrEqual(ahead, ScalarZero(g, dtypes.Int32))
	if site.Window > 0 {
		visible = LogicalAnd(visible, LessThan(ahead, Scalar(g, dtypes.Int32, site.Window)))
	}
	return Where(BroadcastToDims(InsertAxes(visible, 0, 0), batch, heads, rows, at.end), s, Scalar(g, dtypes.Float32, masked))
}

// iota2 counts along one axis of [rows, keys], from an offset: int32.
func iota2(g *Graph, at span, axis, from int) *Node {
	return AddScalar(Iota(g, shapes.Make(dtypes.Int32, at.end-at.start, at.end), axis), from)
}

// over is sum_j p_ij w_ij, [batch, heads, rows], for weights [batch, heads, rows, keys].
func (t *tile) over(w *Node) *Node {
	if t.exps != nil { // before the division: the sums of one pass over the scores then become one kernel
		return Div(innerKeys(t.exps, w, t.onXLA), t.sum)
	}
	return innerKeys(t.probs, w, t.onXLA)
}

// innerKeys is the inner product over keys. A matrix product is the fastest reduction of the Go backend, a fused sum XLA's.
func innerKeys(a, b *Node, onXLA bool) *Node {
	if onXLA {
		return ReduceSum(Mul(a, b), -1)
	}
	return DotGeneral(a, []int{3}, []int{0, 1, 2}, b, []int{3}, []int{0, 1, 2})
}

// diagonal is the probability of the query's own position: [batch, heads, rows].
func (t *tile) diagonal() *Node {
	if t.own == nil {
		t.own = t.diagonalOf(t.probs)
	}
	return t.own
}

// diagonalOf picks each row's entry at its own position, [batch, heads, rows, keys] -> [batch, heads, rows]: a masked sum where that is fused
// into the pass that makes x, else a gather of as many numbers as there are rows.
func (t *tile) diagonalOf(x *Node) *Node {
	g, d := x.Graph(), x.Shape().Dimensions
	if t.onXLA {
		own := BroadcastToDims(InsertAxes(isZero(t.distances(g)), 0, 0), d...)
		return ReduceSum(Where(own, x, ZerosLike(x)), -1)
	}
	// Indices of all four axes: flattening x for a single one would copy it.
	count := func(axis int) *Node { return Iota(g, shapes.Make(dtypes.Int32, d[0], d[1], t.rows, 1), axis) }
	row := count(2)
	return Gather(x, Concatenate([]*Node{count(0), count(1), row, AddScalar(row, t.start)}, -1))
}

// first is the probability of position 0: [batch, heads, rows].
func (t *tile) first() *Node { return Squeeze(SliceAxis(t.probs, -1, AxisRange(0, 1)), -1) }

// rowBlock is how many query rows a tile may have for its scores to stay within a budget, in multiples of step.
func rowBlock(batch, heads, tokens, step int) int {
	const budget = 128 << 20 // bytes: large enough to keep a GPU busy, small beside any model whose scores exceed it
	rows := budget / (4 * batch * heads * tokens)
	if rows >= tokens {
		return tokens
	}
	return max(1, rows/step) * step
}
