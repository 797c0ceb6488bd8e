package sink

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

const nameReceived = "received"

// received adds a tile's columns: sum_i A[h,i,k]. With Shapes the columns are first summed over groups of rows only, which makes a binned
// map at no further pass over the probabilities.
func (c *collector) received(t *tile, tokens int) {
	p := t.probs
	if t.valid != nil && !t.paddingIsZero {
		p = Mul(p, InsertAxes(t.valid, -1))
	}
	group := t.rows
	if c.measures.Has(Shapes) {
		group = c.group
	}
	partial := sumRows(p, group, t.onXLA) // [batch, heads, groups, keys]
	if c.measures.Has(Shapes) {
		c.cells = append(c.cells, c.bin(partial, tokens))
	}
	columns := padLast(ReduceSum(partial, 2), tokens)
	if c.columns != nil {
		columns = Add(c.columns, columns)
	}
	c.columns = columns
}

// putReceived ends a layer: each key's column over the number of real queries that can see it.
//
//	received[h,k] = 1/(T-k) * sum_{i >= k} A[h,i,k]
func (c *collector) putReceived(tokens int) {
	k := Iota(c.run.Graph, shapes.Make(dtypes.Float32, 1, tokens), 1)
	seen := MaxScalar(Sub(c.lengths, k), 1.0) // [batch, keys]
	c.put(nameReceived, Div(c.columns, InsertAxes(seen, 1)))
	if c.measures.Has(Shapes) {
		c.put(nameCells, Concatenate(c.cells, 1))
	}
}

// sumRows adds up groups of rows: [batch, heads, rows, keys] -> [batch, heads, ceil(rows/group), keys].
func sumRows(p *Node, group int, onXLA bool) *Node {
	d := p.Shape().Dimensions
	switch {
	case group == 1:
		return p
	case group >= d[2] && !onXLA: // one group: no reshape, which copies
		ones := Ones(p.Graph(), shapes.Make(p.DType(), d[0], d[1], 1, d[2]))
		return DotGeneral(ones, []int{3}, []int{0, 1}, p, []int{2}, []int{0, 1})
	}
	full := d[2] / group * group
	var parts []*Node
	if full > 0 {
		x := p
		if full < d[2] {
			x = SliceAxis(p, 2, AxisRange(0, full))
		}
		parts = append(parts, sumAxis3(Reshape(x, d[0], d[1], full/group, group, d[3]), onXLA))
	}
	if full < d[2] {
		x := SliceAxis(p, 2, AxisRange(full, d[2]))
		parts = append(parts, sumAxis3(InsertAxes(x, 2), onXLA))
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return Concatenate(parts, 2)
}

// sumAxis3 sums axis 3 of [batch, heads, groups, rows, keys]. A product with a row of ones takes the Go backend a sixth of the time.
func sumAxis3(x *Node, onXLA bool) *Node {
	if onXLA {
		return ReduceSum(x, 3)
	}
	d := x.Shape().Dimensions
	ones := Ones(x.Graph(), shapes.Make(x.DType(), d[0], d[1], d[2], 1, d[3]))
	return Reshape(DotGeneral(ones, []int{4}, []int{0, 1, 2}, x, []int{3}, []int{0, 1, 2}), d[0], d[1], d[2], d[4])
}

// padLast widens the last axis with zeros.
func padLast(x *Node, width int) *Node {
	d := x.Shape().Clone().Dimensions
	last := len(d) - 1
	if d[last] == width {
		return x
	}
	d[last] = width - d[last]
	return Concatenate([]*Node{x, Zeros(x.Graph(), shapes.Make(x.DType(), d...))}, -1)
}

// Received is the attention each key of a surveyed prompt receives in one head, averaged over the queries that can see it:
// [keys]. The slice is the survey's own.
func (s *Survey) Received(prompt, layer, head int) []float32 {
	n := s.Lengths[prompt]
	at := (layer*s.Heads + head) * n
	return s.data[nameReceived][prompt][at : at+n]
}

// TokenMap is what each token of a surveyed prompt receives in every layer, averaged over heads: [layers][tokens].
func (s *Survey) TokenMap(prompt int) [][]float64 {
	out := make([][]float64, s.Layers)
	for l := range out {
		out[l] = make([]float64, s.Lengths[prompt])
		for h := range s.Heads {
			for k, a := range s.Received(prompt, l, h) {
				out[l][k] += float64(a) / float64(s.Heads)
			}
		}
	}
	return out
}
