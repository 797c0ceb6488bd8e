package sink

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/model"
)

// blocks reduces a layer whose fused kernel forms no probabilities, from queries, keys and the rows' log-sum-exp: A[h,i,j] = exp(s_ij - LSE_i), in any
// block of rows and keys by itself. The causal triangle is cut into square blocks of tokens; those ahead of the diagonal are left out. A loop takes a few
// pairs of a query block and a key block at a time, so that memory grows with the tokens, and one body is compiled whatever their number.
type blocks struct {
	*collector
	size, count    int // tokens of a block; blocks in the prompt
	group          int // query rows summed at once, a divisor of size
	heads, kvHeads int
	batch, tokens  int
	scale          float64
	queryAt, keyAt []int32 // of each pair
	pairs          int     // real ones; more make the last step of the loop whole
	step           int     // pairs in one step of the loop
}

// operands are a layer's queries, keys and LSE by blocks: [blocks, batch*kv_heads, heads/kv_heads*size, head_dim], [blocks, batch*kv_heads, size,
// head_dim] and [blocks, batch*kv_heads, heads/kv_heads*size].
type operands struct{ query, key, lse *Node }

const (
	blockTokens = 256       // of a block: large enough for the matrix units
	blockBytes  = 144 << 20 // of one step's scores: large enough that a step is longer than its launches, small beside the weights
)

// newBlocks lays a layer's triangle out.
func (c *collector) newBlocks(site *model.Site) *blocks {
	d := site.Query.Shape().Dimensions
	b := &blocks{collector: c, batch: d[0], heads: d[1], tokens: d[2], kvHeads: site.Keys[0].Shape().Dimensions[1], scale: site.Scale, group: 1}
	if c.measures.Has(Shapes) {
		b.group = c.group
	}
	rows := c.blockRows
	if rows == 0 {
		rows = blockTokens
	}
	b.size = min((rows+b.group-1)/b.group, (b.tokens+b.group-1)/b.group) * b.group
	if !c.measures.Has(Shapes) {
		b.group = b.size
	}
	b.count = (b.tokens + b.size - 1) / b.size
	for k := range b.count {
		for q := k; q < b.count; q++ {
			b.queryAt, b.keyAt = append(b.queryAt, int32(q)), append(b.keyAt, int32(k))
		}
	}
	b.pairs = len(b.queryAt)
	b.step = b.pairs
	if backend.IsXLA(c.run.Graph.Backend()) {
		most := max(1, blockBytes/(4*b.batch*b.heads*b.size*b.size))
		steps := (b.pairs + most - 1) / most
		b.step = (b.pairs + steps - 1) / steps
	}
	for len(b.queryAt)%b.step != 0 { // the query block behind the last is padding, whose probabilities are zero
		b.queryAt, b.keyAt = append(b.queryAt, int32(b.count)), append(b.keyAt, 0)
	}
	return b
}

// operandsOf cuts a layer into blocks. Rows of padding get an LSE that makes their probabilities zero.
func (b *blocks) operandsOf(site *model.Site, lse *Node) operands {
	per := b.heads / b.kvHeads
	whole := b.count * b.size
	if b.valid != nil {
		lse = Add(lse, MulScalar(OneMinus(b.valid), 1e30))
	}
	lse = padAxis(lse, 2, whole+b.size, 1e30)
	q, k := padAxis(site.Query, 2, whole+b.size, 0), padAxis(site.Keys[0], 2, whole, 0)
	dim := q.Shape().Dimensions[3]
	n := b.batch * b.kvHeads
	q = TransposeAllAxes(Reshape(q, n, per, b.count+1, b.size, dim), 2, 0, 1, 3, 4)
	k = TransposeAllAxes(Reshape(k, n, b.count, b.size, dim), 1, 0, 2, 3)
	lse = TransposeAllAxes(Reshape(lse, n, per, b.count+1, b.size), 2, 0, 1, 3)
	return operands{Reshape(q, b.count+1, n, per*b.size, dim), k, Reshape(lse, b.count+1, n, per*b.size)}
}

// tile is a step's attention: arrays [pairs, batch*kv_heads, keys, heads/kv_heads, groups, rows of a group].
type tile struct {
	probs    *Node
	logs     *Node // of the probabilities, -1e30 ahead of the query
	distance *Node // int32, query less key
}

// tile forms a step's probabilities. It stands in a loop's body, where XLA's builder (go-xla v0.4.5) wants every constant made anew and knows no sums
// but products: see number and sumLast.
func (b *blocks) tile(x operands, queryAt, keyAt *Node) tile {
	g := queryAt.Graph()
	n, per := b.batch*b.kvHeads, b.heads/b.kvHeads
	dims := []int{b.step, n, b.size, per, b.size / b.group, b.group}
	take := func(blocks, at *Node) *Node { return Gather(blocks, InsertAxes(at, -1)) }
	// Keys first: sums over the rows are then sums over the last axis.
	s := Dot(take(x.key, keyAt), take(x.query, queryAt)).WithAccumulatorDType(dtypes.Float32).WithOutputDType(dtypes.Float32).
		General([]int{3}, []int{0, 1}, []int{3}, []int{0, 1})
	lse := BroadcastToDims(Reshape(take(x.lse, queryAt), b.step, n, 1, per, dims[4], dims[5]), dims...)

	place := func(at *Node, shape ...int) *Node { // of each token of the pairs' blocks, broadcast
		within := Iota(g, shapes.Make(dtypes.Int32, b.step, b.size), 1)
		at = Add(within, BroadcastToDims(InsertAxes(Mul(at, number(at, float64(b.size))), -1), b.step, b.size))
		return BroadcastToDims(Reshape(at, shape...), dims...)
	}
	t := tile{distance: Sub(place(queryAt, b.step, 1, 1, 1, dims[4], dims[5]), place(keyAt, b.step, 1, b.size, 1, 1, 1))}
	logs := Sub(Mul(Reshape(s, dims...), number(s, b.scale)), lse)
	visible := GreaterOrEqual(t.distance, number(t.distance, 0))
	t.logs = Where(visible, logs, BroadcastToDims(number(logs, masked), dims...))
	t.probs = Exp(t.logs)
	return t
}

// masked stands for minus infinity: its exponential is zero beside any real score.
const masked = -1e30

// number is a new constant of x's type.
func number(x *Node, v float64) *Node { return ConstAsDType(x.Graph(), x.DType(), v) }

// sumLast sums the last axis by an inner product with ones, which XLA turns into the sum. (go-xla keeps one function for all sums of a graph, and refuses it
// everywhere but where it was first used.)
func sumLast(x *Node) *Node {
	last := x.Rank() - 1
	batch := make([]int, last)
	for i := range batch {
		batch[i] = i
	}
	ones := BroadcastToDims(number(x, 1), x.Shape().Dimensions...)
	return DotGeneral(x, []int{last}, batch, ones, []int{last}, batch)
}

// loop takes every pair through f, which makes a step's sums over groups of rows, [pairs, batch*kv_heads, keys, heads/kv_heads, groups]. The first of them is
// returned for each pair, the others added up over the steps.
func (b *blocks) loop(sets []operands, sums int, f func(tiles []tile) []*Node) (each *Node, added []*Node) {
	g := b.run.Graph
	step := func(g *Graph, sets []operands, queryAt, keyAt *Node) []*Node {
		tiles := make([]tile, len(sets))
		for i, x := range sets {
			tiles[i] = b.tile(x, queryAt, keyAt)
		}
		return f(tiles)
	}
	queryAt, keyAt := Const(g, b.queryAt), Const(g, b.keyAt)
	if len(b.queryAt) == b.step {
		out := step(g, sets, queryAt, keyAt)
		return out[0], out[1:]
	}
	of := []int{b.step, b.batch * b.kvHeads, b.size, b.heads / b.kvHeads, b.size / b.group}
	all := append([]int{len(b.queryAt)}, of[1:]...)
	state := []*Node{Const(g, int32(0)), queryAt, keyAt, Zeros(g, shapes.Make(dtypes.Float32, all...))}
	for range sums - 1 {
		state = append(state, Zeros(g, shapes.Make(dtypes.Float32, of...)))
	}
	changing := len(state)
	for _, x := range sets { // XLA's builder refuses arithmetic on what a body captures
		state = append(state, x.query, x.key, x.lse)
	}
	declare := func(g *Graph) []*Node {
		nodes := make([]*Node, len(state))
		for i, s := range state {
			nodes[i] = Parameter(g, fmt.Sprintf("state%d", i), s.Shape())
		}
		return nodes
	}
	cond := NewClosure(g, func(g *Graph) []*Node {
		s := declare(g)
		return []*Node{LessThan(s[0], number(s[0], float64(len(b.queryAt)/b.step)))}
	})
	body := NewClosure(g, func(g *Graph) []*Node {
		s := declare(g)
		at := Mul(s[0], number(s[0], float64(b.step)))
		inside := make([]operands, len(sets))
		for i := range inside {
			x := s[changing+3*i:]
			inside[i] = operands{x[0], x[1], x[2]}
		}
		slice := func(x *Node) *Node { return DynamicSlice(x, []*Node{at}, []int{b.step}) }
		out := step(g, inside, slice(s[1]), slice(s[2]))
		starts := []*Node{at}
		for range of[1:] {
			starts = append(starts, number(at, 0))
		}
		next := append([]*Node{}, s...)
		next[0] = Add(s[0], number(s[0], 1))
		next[3] = DynamicUpdateSlice(s[3], out[0], starts)
		for i := 1; i < sums; i++ {
			next[3+i] = Add(s[3+i], out[i])
		}
		return next
	})
	final := While(cond, body, state...)
	return final[3], final[4:changing]
}

// perHead adds up what the loop added, [pairs, batch*kv_heads, keys, heads/kv_heads, groups] -> [batch, heads].
func (b *blocks) perHead(x *Node) *Node {
	return Reshape(ReduceSum(x, 0, 2, 4), b.batch, b.heads)
}

// padAxis widens an axis with a value.
func padAxis(x *Node, axis, width int, value float64) *Node {
	d := x.Shape().Clone().Dimensions
	if d[axis] == width {
		return x
	}
	d[axis] = width - d[axis]
	return Concatenate([]*Node{x, BroadcastToDims(Scalar(x.Graph(), x.DType(), value), d...)}, axis)
}
