package model

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	attn "github.com/attune-lab/attune/pkg/attention"
	"github.com/attune-lab/attune/pkg/grouped"
)

// experts is a mixture: a router sends each token to the k experts with the largest router logits and adds their outputs, weighted by the softmax over those
// k, or by the softmax over all where that is not normalised again. Each expert is a gated MLP, in one of two forms:
//
//   - gate, up [inner, hidden] and down [hidden, inner], a tensor of the checkpoint for each expert, here stacked: down · (act(gate · x) * (up · x));
//   - gateUp, in which the columns of gate and up alternate, with biases and a clamped activation (gpt-oss model card, arXiv 2508.10925):
//     gate = min(gate, limit); up = clamp(up, -limit, limit); y = ((up + 1) * gate * attn.SigmoidBySoftmax(alpha * gate)) · down + b
//
// A shared expert is an MLP that every token goes through, its output times attn.SigmoidBySoftmax(sharedGate · x).
type experts struct {
	router      dense
	prefix      string        // of the experts' own modules: the expert's number and a name of module follow
	module      expertModules // names of the three modules; empty in the second form
	act         activation
	inLoops     bool // its activation makes no scalars, or its own, see expertsByRounds
	renormalise bool // shares are the softmax over the chosen experts

	gateUp, gateUpBias string // [experts, hidden, 2*inner], [experts, 2*inner]
	down, downBias     string // [experts, inner, hidden], [experts, hidden]
	limit, alpha       float64

	shared     mlp
	sharedGate dense

	count, active int
	hidden, inner int
}

// expertModules are the names that a family gives an expert's products.
type expertModules struct{ gate, up, down string }

// stack names the variable that holds one module of all experts.
func (e *experts) stack(module string) string { return e.prefix + module }

func (e *experts) weights() []weight {
	ws := []weight{{name: e.router.name + ".weight", shape: []int{e.count, e.hidden}}}
	if e.router.bias {
		ws = append(ws, weight{name: e.router.name + ".bias", shape: []int{e.count}, init: initZeros})
	}
	if e.gateUp != "" {
		return append(ws,
			weight{name: e.gateUp, shape: []int{e.count, e.hidden, 2 * e.inner}},
			weight{name: e.gateUpBias, shape: []int{e.count, 2 * e.inner}, init: initZeros},
			weight{name: e.down, shape: []int{e.count, e.inner, e.hidden}, init: initResidual},
			weight{name: e.downBias, shape: []int{e.count, e.hidden}, init: initZeros})
	}
	stacked := func(module string, init initKind, out, in int) weight {
		w := weight{name: e.stack(module), shape: []int{e.count, out, in}, init: init}
		for i := range e.count {
			w.parts = append(w.parts, fmt.Sprintf("%s%d.%s.weight", e.prefix, i, module))
		}
		return w
	}
	return append(ws, stacked(e.module.gate, initNormal, e.inner, e.hidden), stacked(e.module.up, initNormal, e.inner, e.hidden),
		stacked(e.module.down, initResidual, e.hidden, e.inner))
}

// mixture applies the experts, [batch, tokens, hidden]. Few tokens read only the experts they are sent to; more go through all of them, one large product in place of the
// weights for each token; many on XLA go through their own (see segments.go).
func (d *decoder) mixture(e *experts, x *Node) *Node {
	dims := x.Shape().Dimensions
	rows := dims[0] * dims[1]
	x = Reshape(x, rows, e.hidden)
	logits, in := d.route(e, x), d.rounded(e, x)
	choose := topK
	if d.sorted(e, in) && d.phase != attn.Decode {
		choose = ranked
	}
	chosen, top := choose(logits, e.active)
	share := Softmax(top, -1)
	if !e.renormalise {
		share = Exp(Sub(top, logSumExp(logits)))
	}
	var y *Node
	switch {
	case rows*e.active <= e.count: // beyond, what several rows share is read by each: at twice as many all experts are faster
		y = d.sparseExperts(e, in, chosen, share)
	case d.sorted(e, in):
		y = d.sortedExperts(e, in, chosen, share)
	default:
		y = d.allExperts(e, in, chosen, share)
	}
	y = ConvertDType(y, x.DType())
	if e.shared.down.name != "" {
		z := d.dense(e.shared.down, Mul(e.shared.act(d.dense(e.shared.gate, x)), d.dense(e.shared.up, x)))
		y = Add(y, Mul(z, attn.SigmoidBySoftmax(d.dense(e.sharedGate, x))))
	}
	return Reshape(y, dims...)
}

// rounded gives the experts' inputs in the type of their weights. What a router reads decides between experts and keeps its digits, see route; an expert's products do not, as
// those of other layers do not.
func (d *decoder) rounded(e *experts, x *Node) *Node {
	if d.training {
		return x
	}
	return ConvertDType(x, d.params[e.products()[0]].DType())
}

// logSumExp over the last axis, kept.
func logSumExp(x *Node) *Node {
	top := ReduceAndKeep(x, ReduceMax, -1)
	return Add(top, Log(ReduceAndKeep(Exp(Sub(x, top)), ReduceSum, -1)))
}

// route gives the router's logits, [rows, hidden] -> float32 [rows, experts]. They are sums in float32 of whole products, whatever the model's type: rounded to bfloat16 they
// send tokens to other experts.
func (d *decoder) route(e *experts, x *Node) *Node {
	wide := func(n *Node) *Node { return ConvertDType(n, dtypes.Float32) }
	weights := d.params[e.router.name+".weight"]
	var logits *Node
	switch half := weights.DType() != dtypes.Float32; {
	case half && !d.training && x.DType() == weights.DType():
		logits = Dot(x, weights).WithOutputDType(dtypes.Float32).General([]int{1}, nil, []int{1}, nil)
	case half && !d.training:
		logits = d.matmul(x, 1, weights, 1, 0)
	default:
		logits = DotGeneral(wide(x), []int{1}, nil, wide(weights), []int{1}, nil)
	}
	if !e.router.bias {
		return logits
	}
	return Add(logits, InsertAxes(wide(d.params[e.router.name+".bias"]), 0))
}

// topK picks the k largest logits of each row, [rows, n] -> indices int32 and values float32, both [rows, k]. It goes by rounds: a sort may not
// stand in a loop's body. Nor may an operand of a binary operation be broadcast explicitly there: the Go backend (compute v0.1.6) then frees it too early.
func topK(logits *Node, k int) (chosen, top *Node) {
	var indices, values []*Node
	columns := indexLike(logits)
	for range k {
		best := InsertAxes(ArgMax(logits, -1, dtypes.Int32), -1)
		indices, values = append(indices, best), append(values, ReduceAndKeep(logits, ReduceMax, -1))
		logits = Where(Equal(columns, best), Scalar(logits.Graph(), logits.DType(), attn.Masked), logits)
	}
	return Concatenate(indices, -1), Concatenate(values, -1)
}

// sparseExperts multiplies each row with the weights of its experts: float32 [rows, hidden].
func (d *decoder) sparseExperts(e *experts, x, chosen, share *Node) *Node {
	if y, ok := d.vectorExperts(e, x, chosen, share); ok {
		return y
	}
	return d.copiedExperts(e, x, chosen, share)
}

// vectorExperts reads those weights where they lie, by a kernel, and reports whether that takes these operands: on a GPU, in half precision.
func (d *decoder) vectorExperts(e *experts, x, chosen, share *Node) (sum *Node, ok bool) {
	if d.training || !e.inLoops { // a kernel has no gradient, and no other activation
		return nil, false
	}
	rows := x.Shape().Dimensions[0]
	index := Reshape(chosen, rows*e.active)
	up, down := d.groupedWeights(e)
	if grouped.VectorsAvailable(x, index, up) != nil {
		return nil, false
	}
	y := grouped.VectorProduct(x, index, up) // [rows*active, inner]
	if grouped.VectorsAvailable(y, index, down) != nil {
		return nil, false
	}
	y = Reshape(grouped.VectorProduct(y, index, down), rows, e.active, e.hidden)
	return ReduceSum(Mul(y, InsertAxes(share, -1)), 1), true
}

// copiedExperts gathers those weights.
func (d *decoder) copiedExperts(e *experts, x, chosen, share *Node) *Node {
	rows := x.Shape().Dimensions[0]
	n := rows * e.active
	index := Reshape(chosen, n, 1)
	repeated := Reshape(BroadcastToDims(InsertAxes(x, 1), rows, e.active, e.hidden), n, 1, e.hidden)
	y := d.expertsOf(e, repeated, func(name string) *Node { return Gather(d.params[name], index) })
	y = Mul(ConvertDType(Reshape(y, rows, e.active, e.hidden), dtypes.Float32), InsertAxes(share, -1))
	return ReduceSum(y, 1)
}

// allExperts runs every row through every expert and adds the outputs by their shares, zero for those not chosen: float32 [rows, hidden].
func (d *decoder) allExperts(e *experts, x, chosen, share *Node) *Node {
	rows := x.Shape().Dimensions[0]
	all := BroadcastToDims(InsertAxes(x, 0), e.count, rows, e.hidden)
	y := d.expertsOf(e, all, func(name string) *Node { return d.params[name] })                 // [experts, rows, hidden]
	weight := ReduceSum(Mul(OneHot(chosen, e.count, dtypes.Float32), InsertAxes(share, -1)), 1) // [rows, experts]
	weight = InsertAxes(TransposeAllAxes(weight, 1, 0), -1)
	return ReduceSum(Mul(ConvertDType(y, dtypes.Float32), weight), 0)
}

// expertsOf runs rows through experts, [experts, rows, hidden] -> the same; of gives the weights of those experts by name.
func (d *decoder) expertsOf(e *experts, x *Node, of func(name string) *Node) *Node {
	if e.gateUp == "" {
		times := func(x *Node, module string) *Node { return d.matmul(x, 2, of(e.stack(module)), 2, 1) }
		return times(Mul(e.act(times(x, e.module.gate)), times(x, e.module.up)), e.module.down)
	}
	bias := func(name string) *Node { return InsertAxes(ConvertDType(of(name), x.DType()), 1) }
	h := e.activate(Add(d.perExpert(x, of(e.gateUp)), bias(e.gateUpBias)))
	return Add(d.perExpert(h, of(e.down)), bias(e.downBias))
}

// perExpert multiplies [experts, rows, a] by [experts, a, b].
func (d *decoder) perExpert(x, w *Node) *Node { return d.matmul(x, 2, w, 1, 1) }

// activate is the clamped SwiGLU of alternating columns, [experts, rows, 2*inner] -> [experts, rows, inner].
func (e *experts) activate(h *Node) *Node {
	dims := h.Shape().Dimensions
	h = Reshape(h, dims[0], dims[1], e.inner, 2)
	column := func(i int) *Node { return Reshape(SliceAxis(h, -1, AxisRange(i, i+1)), dims[0], dims[1], e.inner) }
	gate, up := Min(column(0), number(h, e.limit)), Max(Min(column(1), number(h, e.limit)), number(h, -e.limit))
	return Mul(Add(up, number(h, 1)), Mul(gate, attn.SigmoidBySoftmax(Mul(gate, number(h, e.alpha)))))
}
