package sink

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/attune-lab/attune/pkg/model"
)

// inBlocks reduces a layer by blocks, given the log-sum-exp of its rows, [batch, heads, queries].
func (c *collector) inBlocks(site *model.Site, lse *Node) {
	b := c.newBlocks(site)
	own := b.operandsOf(site, lse)
	sets := []operands{own}
	names := []string{nameReceived}
	terms := []func(t []tile) *Node{func(t []tile) *Node { return t[0].probs }}
	add := func(name string, f func(t []tile) *Node) { names, terms = append(names, name), append(terms, f) }
	if c.measures.Has(Rows) {
		add(nameEntropy, func(t []tile) *Node { return Mul(t[0].probs, Neg(t[0].logs)) })
		add(nameDistance, func(t []tile) *Node { return Mul(t[0].probs, ConvertDType(t[0].distance, dtypes.Float32)) })
		add(nameLocal, func(t []tile) *Node {
			near := LessThan(t[0].distance, number(t[0].distance, float64(c.window)))
			return Mul(t[0].probs, ConvertDType(near, dtypes.Float32))
		})
	}
	if c.measures.Has(Masks) {
		add(nameMarked, func(t []tile) *Node { return ConvertDType(t[0].above(c.tau), dtypes.Float32) })
		if site.Layer > 0 {
			sets = append(sets, *c.sourceOperands())
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
	columns := b.columns(each)
	c.putReceived(columns)
	if c.measures.Has(Shapes) {
		c.put(nameCells, b.cells(each))
	}
	sums := map[string]*Node{}
	for i, name := range names[1:] {
		sums[name] = b.perHead(added[i])
	}
	if c.measures.Has(Rows) {
		first := b.toKey(site, lse, SliceAxis(site.Keys[0], 2, AxisRange(0, 1)))
		sums[nameFirst], sums[nameLate] = column(columns, 0), c.sumRows(since(first, c.late))
		sums[nameDiagonal] = c.sumRows(b.toKey(site, lse, site.Keys[0]))
		sums[nameRowSum] = ReduceSum(columns, -1)
		c.putRows(sums)
	}
	if c.measures.Has(Masks) {
		if site.Layer == 0 {
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

// toKey is what each query gives to one key: [batch, kv_heads, 1 or queries, head_dim] -> [batch, heads, queries].
func (b *blocks) toKey(site *model.Site, lse, key *Node) *Node {
	per, dim := b.heads/b.kvHeads, site.Query.Shape().Dimensions[3]
	q := ConvertDType(Reshape(site.Query, b.batch, b.kvHeads, per, b.tokens, dim), dtypes.Float32)
	k := BroadcastToDims(InsertAxes(ConvertDType(key, dtypes.Float32), 2), q.Shape().Dimensions...)
	score := MulScalar(Reshape(ReduceSum(Mul(q, k), -1), b.batch, b.heads, b.tokens), b.scale)
	return Exp(Sub(score, lse))
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
