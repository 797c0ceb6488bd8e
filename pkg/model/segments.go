package model

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	attn "github.com/attune-lab/attune/pkg/attention"
	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/grouped"
)

// Many tokens go through their own experts only, in shapes that do not depend on where tokens go: they are put in the order of their experts, each expert's segment as
// long as it happens to be. On a GPU a kernel multiplies each segment with the weights of its expert (package grouped); elsewhere, and where the kernel does not take the
// sizes, they go by rounds (rounds.go). Nothing is dropped, and nothing of the weights is copied.

// sortedRows is from how many rows on experts go by segments: with fewer, reading the weights takes longer than every expert's products with every row.
const sortedRows = 256

// sorted reports whether rows go by segments: many on XLA, forward only. The Go backend is slow at loops, and neither a loop nor a kernel has a gradient.
func (d *decoder) sorted(e *experts, x *Node) bool {
	return backend.IsXLA(x.Graph().Backend()) && !d.training && e.inLoops && x.Shape().Dimensions[0] >= sortedRows
}

// sortedExperts runs each row of x, [rows, hidden], through its chosen experts, int32 [rows, active], and adds their outputs by their shares, float32 [rows, active]: float32
// [rows, hidden].
func (d *decoder) sortedExperts(e *experts, x, chosen, share *Node) *Node {
	if d.phase != attn.Decode { // in whose token loop segments are not found
		if y, ok := d.kernelExperts(e, x, chosen, share); ok {
			return y
		}
	}
	if e.byRounds(x.Shape().Dimensions[0]) {
		return d.expertsByRounds(e, x, chosen, share)
	}
	return d.allExperts(e, x, chosen, share)
}

// ranked is topK for many rows: a logit's rank is the number of those that come before it, so that all ranks are found at once.
func ranked(logits *Node, k int) (chosen, top *Node) {
	g, rows, n := logits.Graph(), logits.Shape().Dimensions[0], logits.Shape().Dimensions[1]
	cube := shapes.Make(dtypes.Int32, rows, n, n) // of a row, an expert, another expert
	own, other := BroadcastToDims(InsertAxes(logits, 2), rows, n, n), BroadcastToDims(InsertAxes(logits, 1), rows, n, n)
	tie := LogicalAnd(Equal(other, own), LessThan(Iota(g, cube, 2), Iota(g, cube, 1)))
	rank := ReduceSum(ConvertDType(LogicalOr(GreaterThan(other, own), tie), dtypes.Int32), -1)
	each := shapes.Make(dtypes.Int32, rows, k, n)
	at := Equal(BroadcastToDims(InsertAxes(rank, 1), rows, k, n), Iota(g, each, 1))
	of := func(x *Node) *Node { return ReduceSum(Where(at, x, ZerosLike(x)), -1) }
	return of(Iota(g, each, 2)), of(BroadcastToDims(InsertAxes(logits, 1), rows, k, n))
}

// segments are the tokens of a mixture in the order of their experts.
type segments struct {
	tokens *Node // int32 [rows*active]: the token at each place
	starts *Node // int32 [experts]: the place where an expert's tokens start
	counts *Node // int32 [experts]: an expert's tokens
	place  *Node // int32 [rows, active]: the place of a token in the order of each of its experts
	slot   *Node // int32 [rows, active]: the place of a token in the segment of each of its experts
}

// segmentsOf finds them for chosen, int32 [rows, active], without a sort: a token's slot is the number of earlier tokens that its expert has.
func (e *experts) segmentsOf(chosen *Node) segments {
	g, rows := chosen.Graph(), chosen.Shape().Dimensions[0]
	each := OneHot(chosen, e.count, dtypes.Float32) // [rows, active, experts]; counts are exact in float32 below 2^24
	before, counts := countBefore(ReduceSum(each, 1))
	square := shapes.Make(dtypes.Int32, e.count, e.count)
	all := BroadcastToDims(InsertAxes(counts, 0), e.count, e.count)
	starts := ReduceSum(Where(LessThan(Iota(g, square, 1), Iota(g, square, 0)), all, ZerosLike(all)), 1) // not by a product: on a GPU those round what is above 2,048
	whole := func(x *Node) *Node { return ConvertDType(x, dtypes.Int32) }
	of := func(x *Node) *Node { return whole(ReduceSum(Mul(each, InsertAxes(x, 1)), -1)) } // x [rows or 1, experts] at each token's experts
	place := of(Add(before, InsertAxes(starts, 0)))
	n := rows * e.active
	token := Iota(g, shapes.Make(dtypes.Int32, rows, e.active), 0)
	return segments{
		tokens: Scatter(Reshape(place, n, 1), Reshape(token, n), shapes.Make(dtypes.Int32, n), false, true),
		starts: whole(starts),
		counts: whole(counts),
		place:  place,
		slot:   of(before),
	}
}

// countBefore sums the rows before each row, float32 [rows, columns] of zeros and ones -> the same, and all rows, [columns]. It goes by products with triangles, which have no limit on what
// a block of threads holds, unlike a windowed sum.
func countBefore(x *Node) (before, total *Node) {
	const block = 128
	g, rows, columns := x.Graph(), x.Shape().Dimensions[0], x.Shape().Dimensions[1]
	n := (rows + block - 1) / block
	if more := n*block - rows; more > 0 {
		x = Concatenate([]*Node{x, Zeros(g, shapes.Make(dtypes.Float32, more, columns))}, 0)
	}
	x = Reshape(x, n, block, columns)
	earlier := func(n int) *Node { // [n, n]: 1 where the column comes before the row
		of := shapes.Make(dtypes.Int32, n, n)
		return ConvertDType(LessThan(Iota(g, of, 1), Iota(g, of, 0)), dtypes.Float32)
	}
	sums := ReduceSum(x, 1)                                                                          // [n, columns]
	within := TransposeAllAxes(DotGeneral(x, []int{1}, nil, earlier(block), []int{1}, nil), 0, 2, 1) // [n, block, columns]
	blocks := DotGeneral(earlier(n), []int{1}, nil, sums, []int{0}, nil)                             // [n, columns]
	before = Reshape(Add(within, InsertAxes(blocks, 1)), n*block, columns)
	return SliceAxis(before, 0, AxisRange(0, rows)), ReduceSum(sums, 0)
}

// of are the segments as the grouped product takes them, of tokens or of what an earlier product gave for each place.
func (s segments) of(tokens bool) grouped.Segments {
	g := grouped.Segments{Starts: s.starts, Counts: s.counts}
	if tokens {
		g.Index = s.tokens
	}
	return g
}

// groupedWeights are those of the experts' two products, the activation between them being part of the first.
func (d *decoder) groupedWeights(e *experts) (up, down grouped.Weights) {
	if e.gateUp != "" {
		return grouped.Weights{Matrices: d.params[e.gateUp], Bias: d.params[e.gateUpBias], Clamped: &grouped.Clamped{Limit: e.limit, Alpha: e.alpha}},
			grouped.Weights{Matrices: d.params[e.down], Bias: d.params[e.downBias]}
	}
	return grouped.Weights{Matrices: d.params[e.stack(e.module.gate)], Up: d.params[e.stack(e.module.up)], OutIn: true},
		grouped.Weights{Matrices: d.params[e.stack(e.module.down)], OutIn: true}
}

// kernelExperts does so by the grouped product, and reports whether that takes these operands: on a GPU, in half precision and in sizes that suit its tiles.
func (d *decoder) kernelExperts(e *experts, x, chosen, share *Node) (sum *Node, ok bool) {
	s := e.segmentsOf(chosen)
	up, down := d.groupedWeights(e)
	if grouped.Available(x, s.of(true), up) != nil {
		return nil, false
	}
	y := grouped.Product(x, s.of(true), up) // [rows*active, inner]
	if grouped.Available(y, s.of(false), down) != nil {
		return nil, false
	}
	y = grouped.Product(y, s.of(false), down) // [rows*active, hidden]
	for k := range e.active {
		column := func(x *Node) *Node { return SliceAxis(x, 1, AxisRange(k, k+1)) }
		part := Mul(ConvertDType(Gather(y, column(s.place)), dtypes.Float32), column(share))
		if sum == nil {
			sum = part
		} else {
			sum = Add(sum, part)
		}
	}
	return sum, true
}
