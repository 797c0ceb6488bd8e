package sink

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/attune-lab/attune/pkg/attention"
	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/internal/while"
)

// blocks reduces a layer whose fused kernel forms no probabilities, from queries, keys and the rows' log-sum-exp: A[h,i,j] = exp(s_ij - LSE_i), in any
// block of rows and keys by itself. The causal triangle is cut into square blocks of tokens; those ahead of the diagonal are left out. A loop takes a few
// pairs of a query block and a key block at a time, so that memory grows with the tokens, and one body is compiled whatever their number.
//
// Score and LSE are float32 and each is rounded, so a probability is off by up to the score's own rounding, |s| 2^-24 of its value: nothing at the scores of models
// (below 100), 3e-4 at a score of 5,000.
type blocks struct {
	*collector
	size, count    int // tokens of a block; blocks in the prompt
	group          int // query rows summed at once, a divisor of size
	heads, kvHeads int
	batch, tokens  int
	queryAt, keyAt []int32 // of each pair
	pairs          int     // real ones; more make the last step of the loop whole
	step           int     // pairs in one step of the loop
}

// operands are a layer's queries, keys and LSE by blocks: [blocks, batch*kv_heads, heads/kv_heads*size, head_dim], [blocks, batch*kv_heads, size,
// head_dim] and [blocks, batch*kv_heads, heads/kv_heads*size]; and how the layer makes scores of them.
type operands struct {
	query, key, lse *Node
	share           *Node // where a learned sink takes part of the rows, the logarithm of what it leaves, of the lse's dimensions; nil elsewhere
	attention.Form
}

// nodes are the operands' nodes.
func (x operands) nodes() []*Node {
	if x.share == nil {
		return []*Node{x.query, x.key, x.lse}
	}
	return []*Node{x.query, x.key, x.lse, x.share}
}

// with are the same operands with other nodes.
func (x operands) with(nodes []*Node) operands {
	x.query, x.key, x.lse = nodes[0], nodes[1], nodes[2]
	if x.share != nil {
		x.share = nodes[3]
	}
	return x
}

const (
	blockTokens = 256       // of a block: large enough for the matrix units
	blockBytes  = 144 << 20 // of one step's scores: large enough that a step is longer than its launches, small beside the weights
)

// newBlocks lays a layer's triangle out.
func (c *collector) newBlocks() *blocks {
	site := c.site
	d := site.Query.Shape().Dimensions
	b := &blocks{collector: c, batch: d[0], heads: d[1], tokens: d[2], kvHeads: site.Keys[0].Shape().Dimensions[1], group: 1}
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
			if site.Window > 0 && (q-k-1)*b.size+1 >= site.Window { // the nearest of their tokens are farther apart
				break
			}
			b.queryAt, b.keyAt = append(b.queryAt, int32(q)), append(b.keyAt, int32(k))
		}
	}
	b.pairs = len(b.queryAt)
	b.step = b.pairs
	if backend.IsXLA(c.graph().Backend()) {
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
func (b *blocks) operandsOf(site *attention.Site, lse *Node) operands {
	per := b.heads / b.kvHeads
	whole := b.count * b.size
	lse = padAxis(b.onlyReal(lse), 2, whole+b.size, 1e30)
	q, k := padAxis(site.Query, 2, whole+b.size, 0), padAxis(site.Keys[0], 2, whole, 0)
	dim := q.Shape().Dimensions[3]
	n := b.batch * b.kvHeads
	q = TransposeAllAxes(Reshape(q, n, per, b.count+1, b.size, dim), 2, 0, 1, 3, 4)
	k = TransposeAllAxes(Reshape(k, n, b.count, b.size, dim), 1, 0, 2, 3)
	ofRows := func(x *Node) *Node {
		return Reshape(TransposeAllAxes(Reshape(x, n, per, b.count+1, b.size), 2, 0, 1, 3), b.count+1, n, per*b.size)
	}
	x := operands{query: Reshape(q, b.count+1, n, per*b.size, dim), key: k, Form: attention.Form{Scale: site.Scale, Softcap: site.Softcap, Window: site.Window}}
	if site.Sinks != nil {
		x.share = ofRows(rowShare(site, lse))
	}
	x.lse = ofRows(lse)
	return x
}

// tile is a step's attention: arrays [pairs, batch*kv_heads, keys, heads/kv_heads, groups, rows of a group].
type tile struct {
	probs    *Node
	logs     *Node // of the probabilities, -1e30 where a query sees no key
	distance *Node // int32, query less key
	share    *Node // see operands
}

// normalised are the probabilities of rows brought to sum 1, and their logarithms.
func (t tile) normalised() (probs, logs *Node) {
	if t.share == nil {
		return t.probs, t.logs
	}
	logs = Sub(t.logs, t.share)
	return Exp(logs), logs
}

// tile forms a step's probabilities. It stands in a loop's body, where XLA's builder (go-xla v0.4.5) wants every constant made again and knows no sums
// but products: see number and sumLast.
func (b *blocks) tile(x operands, queryAt, keyAt *Node) tile {
	g := queryAt.Graph()
	n, per := b.batch*b.kvHeads, b.heads/b.kvHeads
	dims := []int{b.step, n, b.size, per, b.size / b.group, b.group}
	take := func(blocks, at *Node) *Node { return Gather(blocks, InsertAxes(at, -1)) }
	// Keys first: sums over the rows are then sums over the last axis.
	s := Dot(take(x.key, keyAt), take(x.query, queryAt)).WithAccumulatorDType(dtypes.Float32).WithOutputDType(dtypes.Float32).
		General([]int{3}, []int{0, 1}, []int{3}, []int{0, 1})
	ofRows := func(x *Node) *Node {
		return BroadcastToDims(Reshape(take(x, queryAt), b.step, n, 1, per, dims[4], dims[5]), dims...)
	}

	place := func(at *Node, shape ...int) *Node { // of each token of the pairs' blocks, broadcast
		within := Iota(g, shapes.Make(dtypes.Int32, b.step, b.size), 1)
		at = Add(within, BroadcastToDims(InsertAxes(Mul(at, number(at, float64(b.size))), -1), b.step, b.size))
		return BroadcastToDims(Reshape(at, shape...), dims...)
	}
	t := tile{distance: Sub(place(queryAt, b.step, 1, 1, 1, dims[4], dims[5]), place(keyAt, b.step, 1, b.size, 1, 1, 1))}
	scores := Mul(Reshape(s, dims...), number(s, x.Scale))
	if x.Softcap > 0 {
		scores = Mul(Tanh(Mul(scores, number(s, 1/x.Softcap))), number(s, x.Softcap))
	}
	logs := Sub(scores, ofRows(x.lse))
	visible := GreaterOrEqual(t.distance, number(t.distance, 0))
	if x.Window > 0 {
		visible = LogicalAnd(visible, LessThan(t.distance, number(t.distance, float64(x.Window))))
	}
	if x.share != nil {
		t.share = ofRows(x.share)
	}
	t.logs = Where(visible, logs, BroadcastToDims(number(logs, attention.Masked), dims...))
	t.probs = Exp(t.logs)
	return t
}

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
	g := b.graph()
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
		state = append(state, x.nodes()...)
	}
	cond := func(s []*Node) *Node { return LessThan(s[0], number(s[0], float64(len(b.queryAt)/b.step))) }
	body := func(s []*Node) []*Node {
		at := Mul(s[0], number(s[0], float64(b.step)))
		inside := make([]operands, len(sets))
		from := changing
		for i, x := range sets {
			n := len(x.nodes())
			inside[i] = x.with(s[from : from+n])
			from += n
		}
		slice := func(x *Node) *Node { return DynamicSlice(x, []*Node{at}, []int{b.step}) }
		out := step(at.Graph(), inside, slice(s[1]), slice(s[2]))
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
	}
	final := while.Loop(state, cond, body)
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

// inBlocks reduces a layer by blocks, given the log-sum-exp of its rows, [batch, heads, queries].
func (c *collector) inBlocks(lse *Node) {
	site := c.site
	b := c.newBlocks()
	own := b.operandsOf(site, lse)
	sets := []operands{own}
	names := []string{nameReceived}
	terms := []func(t []tile) *Node{func(t []tile) *Node { return t[0].probs }}
	add := func(name string, f func(t []tile) *Node) { names, terms = append(names, name), append(terms, f) }
	if c.measures.Has(Rows) {
		add(nameEntropy, func(t []tile) *Node {
			probs, logs := t[0].normalised()
			return Mul(probs, Neg(logs))
		})
		add(nameDistance, func(t []tile) *Node {
			probs, _ := t[0].normalised()
			return Mul(probs, ConvertDType(t[0].distance, dtypes.Float32))
		})
		add(nameLocal, func(t []tile) *Node {
			near := LessThan(t[0].distance, number(t[0].distance, float64(c.window)))
			return Mul(t[0].probs, ConvertDType(near, dtypes.Float32))
		})
	}
	if c.measures.Has(Masks) {
		add(nameMarked, func(t []tile) *Node { return ConvertDType(t[0].above(c.tau), dtypes.Float32) })
		if site.Index > 0 {
			first := attention.KeptLayer(site, keptSource)
			sets = append(sets, b.operandsOf(first, first.LSE()))
			add(nameShared, func(t []tile) *Node {
				return ConvertDType(LogicalAnd(t[0].above(c.tau), t[1].above(c.tau)), dtypes.Float32)
			})
		}
	}
	each, added := b.loop(sets, len(terms), func(t []tile) []*Node {
		out := make([]*Node, len(terms))
		for i, f := range terms {
			out[i] = sumLast(f(t))
		}
		return out
	})
	var cells *Node
	if c.measures.Has(Shapes) {
		cells = b.cells(each)
	}
	sums := map[string]*Node{}
	for i, name := range names[1:] {
		sums[name] = b.perHead(added[i])
	}
	c.putSums(lse, b.columns(each), cells, sums)
}

// putSums ends a layer that is known by sums: of each key's column, [batch, heads, keys], of maps' cells, [batch, groups, cells], and of the other measures that
// were asked for, [batch, heads], but for those that columns and single keys say.
func (c *collector) putSums(lse, columns, cells *Node, sums map[string]*Node) {
	site := c.site
	c.putReceived(columns)
	if c.measures.Has(Shapes) {
		c.put(nameCells, cells)
	}
	if c.measures.Has(Rows) {
		first := c.toKey(lse, SliceAxis(site.Keys[0], 2, AxisRange(0, 1)))
		if site.Window > 0 {
			i := Iota(first.Graph(), shapes.Make(dtypes.Int32, first.Shape().Dimensions...), 2)
			first = Where(LessThan(i, Scalar(first.Graph(), dtypes.Int32, site.Window)), first, ZerosLike(first))
		}
		sums[nameFirst], sums[nameLate] = column(columns, 0), c.sumRows(since(first, c.late))
		sums[nameDiagonal] = c.sumRows(c.toKey(lse, site.Keys[0]))
		sums[nameRowSum] = ReduceSum(columns, -1)
		c.putRows(sums)
	}
	if c.measures.Has(Masks) {
		if site.Index == 0 {
			attention.KeepOperands(site, keptSource, lse)
			sums[nameShared] = sums[nameMarked]
		}
		c.put(nameMarked, sums[nameMarked])
		c.put(nameShared, sums[nameShared])
	}
}

// above are the entries of a tile above tau, off the diagonal.
func (t tile) above(tau float64) *Node {
	off := GreaterThan(t.distance, number(t.distance, 0))
	return LogicalAnd(off, GreaterThan(t.probs, number(t.probs, tau)))
}

// toKey is what each query gives to one key that it sees, given the rows' log-sum-exp: [batch, kv_heads, 1 or queries, head_dim] -> [batch, heads, queries].
func (c *collector) toKey(lse, key *Node) *Node {
	d := c.site.Query.Shape().Dimensions
	batch, heads, tokens, dim, kvHeads := d[0], d[1], d[2], d[3], key.Shape().Dimensions[1]
	q := ConvertDType(Reshape(c.site.Query, batch, kvHeads, heads/kvHeads, tokens, dim), dtypes.Float32)
	k := BroadcastToDims(InsertAxes(ConvertDType(key, dtypes.Float32), 2), q.Shape().Dimensions...)
	score := MulScalar(Reshape(ReduceSum(Mul(q, k), -1), batch, heads, tokens), c.site.Scale)
	return Exp(Sub(attention.Softcap(score, c.site.Softcap), lse))
}

// ofKeyBlocks adds up the pairs of each key block, [pairs, n] -> [blocks, n], by a product with their membership.
func (b *blocks) ofKeyBlocks(x *Node) *Node {
	member := make([][]float32, b.count)
	for k := range member {
		member[k] = make([]float32, len(b.queryAt))
		for p := range b.pairs {
			if int(b.keyAt[p]) == k {
				member[k][p] = 1
			}
		}
	}
	return Dot(Const(x.Graph(), member), x).MatMul()
}

// columns are the sums of each key, [pairs, batch*kv_heads, keys, heads/kv_heads, groups] -> [batch, heads, keys].
func (b *blocks) columns(each *Node) *Node {
	n, per := b.batch*b.kvHeads, b.heads/b.kvHeads
	x := b.ofKeyBlocks(Reshape(ReduceSum(each, 4), len(b.queryAt), n*b.size*per))
	x = TransposeAllAxes(Reshape(x, b.count, n, b.size, per), 1, 3, 0, 2)
	return SliceAxis(Reshape(x, b.batch, b.heads, b.count*b.size), 2, AxisRange(0, b.tokens))
}

// cells are the binned maps averaged over heads: [batch, groups, cells].
func (b *blocks) cells(each *Node) *Node {
	groups := b.size / b.group
	x := Reshape(each, len(b.queryAt), b.batch, b.kvHeads, groups, b.group, b.heads/b.kvHeads, groups)
	x = DivScalar(ReduceSum(x, 2, 4, 5), float64(b.heads)) // [pairs, batch, cells, groups]
	x = Concatenate([]*Node{SliceAxis(x, 0, AxisRange(0, b.pairs)), Zeros(x.Graph(), shapesLike(x, 1, b.batch, groups, groups))}, 0)
	grid := make([][][]int32, b.count) // of each query and key block the pair, or the zeros behind the last
	for q := range grid {
		grid[q] = make([][]int32, b.count)
		for k := range grid[q] {
			grid[q][k] = []int32{int32(b.pairs)}
		}
	}
	for p := range b.pairs {
		grid[b.queryAt[p]][b.keyAt[p]][0] = int32(p)
	}
	x = TransposeAllAxes(Gather(x, Const(x.Graph(), grid)), 2, 0, 4, 1, 3)
	n := (b.tokens + b.group - 1) / b.group
	x = Reshape(x, b.batch, b.count*groups, b.count*groups)
	return SliceAxis(SliceAxis(x, 1, AxisRange(0, n)), 2, AxisRange(0, n))
}
