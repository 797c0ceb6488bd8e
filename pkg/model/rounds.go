package model

import (
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/attune-lab/attune/pkg/internal/while"
)

// Experts by rounds, where no kernel takes them: a round takes the next capacity tokens of every segment through one batched product with the weights as they lie; where a
// segment has ended, its rows of the product are left out. Rounds go on until the longest segment has ended: nothing is dropped, and nothing of the weights is copied.
//
// Routing that is even takes one round, of 1.25 times the rows that it needs; if all tokens go to the same experts, rounds together compute what every expert on every
// token would.

// byRounds reports whether rounds spare anything: a round multiplies at most half of all rows with an expert.
func (e *experts) byRounds(rows int) bool { return 2*e.capacity(rows) <= rows }

// capacity is how many rows an expert takes in a round: a quarter more than its share of them, in multiples that suit matrix units.
func (e *experts) capacity(rows int) int {
	c := (rows*e.active*5/4 + e.count - 1) / e.count
	if c > 128 {
		return min(rows, roundUp(c, 128))
	}
	return min(rows, roundUp(c, 16))
}

// expertsByRounds runs each row of x, [rows, hidden], through its chosen experts, int32 [rows, active], and adds their outputs by their shares, float32 [rows, active]: float32 [rows, hidden].
func (d *decoder) expertsByRounds(e *experts, x, chosen, share *Node) *Node {
	g, rows := x.Graph(), x.Shape().Dimensions[0]
	s := e.segmentsOf(chosen)
	names := e.products()
	// State of the loop: where the round starts in each segment, the outputs so far, and what no round changes: XLA's builder (go-xla v0.4.5) refuses arithmetic on what a
	// body captures.
	state := []*Node{Const(g, int32(0)), Zeros(g, shapes.Make(dtypes.Float32, rows, e.hidden)), ReduceAllMax(s.counts), x, s.tokens, s.starts, s.slot, chosen, share}
	fixed := len(state)
	for _, name := range names {
		state = append(state, d.params[name])
	}
	round := func(in []*Node) []*Node {
		next := slices.Clone(in)
		inner := &decoder{params: map[string]*Node{}}
		for i, name := range names {
			inner.params[name] = in[fixed+i]
		}
		at := segments{tokens: in[4], starts: in[5], slot: in[6]}
		next[0] = Add(in[0], number(in[0], float64(e.capacity(rows))))
		next[1] = Add(in[1], inner.round(e, in[0], in[3], at, in[7], in[8]))
		return next
	}
	return while.Loop(state, func(in []*Node) *Node { return LessThan(in[0], in[2]) }, round)[1]
}

// round is the experts' output for those rows whose slots lie between from and from plus the capacity, and 0 for the others: float32 [rows, hidden]. It stands in a loop's
// body, where XLA's builder wants every constant made again and knows no sums but products.
func (d *decoder) round(e *experts, from, x *Node, s segments, chosen, share *Node) *Node {
	g, rows := x.Graph(), x.Shape().Dimensions[0]
	capacity := e.capacity(rows)
	places := Add(Iota(g, shapes.Make(dtypes.Int32, e.count, capacity), 1), Reshape(Add(s.starts, from), e.count, 1))
	places = Min(places, number(places, float64(rows*e.active-1)))                // behind the last segment
	inputs := Gather(x, InsertAxes(Gather(s.tokens, InsertAxes(places, -1)), -1)) // [experts, capacity, hidden]
	outputs := Reshape(d.expertsOf(e, inputs, func(name string) *Node { return d.params[name] }), e.count*capacity, e.hidden)

	slot := Sub(s.slot, from)
	now := LogicalAnd(GreaterOrEqual(slot, number(slot, 0)), LessThan(slot, number(slot, float64(capacity))))
	at := Add(Mul(chosen, number(chosen, float64(capacity))), Min(Max(slot, number(slot, 0)), number(slot, float64(capacity-1))))
	weight := Mul(share, ConvertDType(now, dtypes.Float32)) // [rows, active]
	var sum *Node
	for k := range e.active {
		column := func(x *Node) *Node { return SliceAxis(x, 1, AxisRange(k, k+1)) }
		part := Mul(ConvertDType(Gather(outputs, column(at)), dtypes.Float32), column(weight))
		if sum == nil {
			sum = part
		} else {
			sum = Add(sum, part)
		}
	}
	return sum
}

// products are the names of the experts' weights, the router's and a shared expert's left out.
func (e *experts) products() []string {
	if e.gateUp != "" {
		return []string{e.gateUp, e.gateUpBias, e.down, e.downBias}
	}
	return []string{e.stack(e.module.gate), e.stack(e.module.up), e.stack(e.module.down)}
}

// number is a new constant of x's type: GoMLX keeps one node per scalar and graph, which XLA's builder refuses in a loop's body if the main function made it.
func number(x *Node, v float64) *Node { return ConstAsDType(x.Graph(), x.DType(), v) }
