package model

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	attn "github.com/attune-lab/attune/pkg/attention"
)

// experts is a mixture: a router sends each token to the k experts with the largest router logits and adds their outputs, weighted by the softmax
// over those k. Each expert has a clamped SwiGLU whose gate and up columns alternate (gpt-oss model card, arXiv 2508.10925):
//
//	gate = min(gate, limit); up = clamp(up, -limit, limit)
//	y = ((up + 1) * gate * sigmoid(alpha * gate)) · down + b
type experts struct {
	router             dense
	gateUp, gateUpBias string // [experts, hidden, 2*inner], [experts, 2*inner]
	down, downBias     string // [experts, inner, hidden], [experts, hidden]
	count, active      int
	hidden, inner      int
	limit, alpha       float64
}

func (e *experts) weights() []weight {
	return []weight{
		{e.router.name + ".weight", []int{e.count, e.hidden}, initNormal},
		{e.router.name + ".bias", []int{e.count}, initZeros},
		{e.gateUp, []int{e.count, e.hidden, 2 * e.inner}, initNormal},
		{e.gateUpBias, []int{e.count, 2 * e.inner}, initZeros},
		{e.down, []int{e.count, e.inner, e.hidden}, initResidual},
		{e.downBias, []int{e.count, e.hidden}, initZeros},
	}
}

// mixture applies the experts, [batch, tokens, hidden]. Few tokens read only the experts they are sent to; many go through all of them, which
// then is one large product in place of a copy of the weights for each token.
func (d *decoder) mixture(e *experts, x *Node) *Node {
	dims := x.Shape().Dimensions
	rows := dims[0] * dims[1]
	x = Reshape(x, rows, e.hidden)
	chosen, share := topK(d.route(e, x), e.active)
	var y *Node
	if rows*e.active <= e.count {
		y = d.sparseExperts(e, x, chosen, share)
	} else {
		y = d.allExperts(e, x, chosen, share)
	}
	return Reshape(y, dims...)
}

// route gives the router's logits, [rows, hidden] -> float32 [rows, experts]. They are computed in float32 whatever the model's type: rounded to
// bfloat16 they send tokens to other experts.
func (d *decoder) route(e *experts, x *Node) *Node {
	wide := func(n *Node) *Node { return ConvertDType(n, dtypes.Float32) }
	logits := DotGeneral(wide(x), []int{1}, nil, wide(d.params[e.router.name+".weight"]), []int{1}, nil)
	return Add(logits, InsertAxes(wide(d.params[e.router.name+".bias"]), 0))
}

// topK picks the k largest logits of each row, [rows, n] -> indices int32 and their softmax float32, both [rows, k]. It goes by rounds: a sort may not
// stand in a loop's body. Nor may an operand of a binary operation be broadcast explicitly there: the Go backend (compute v0.1.6) then frees it too early.
func topK(logits *Node, k int) (chosen, share *Node) {
	var indices, values []*Node
	columns := indexLike(logits)
	for range k {
		best := InsertAxes(ArgMax(logits, -1, dtypes.Int32), -1)
		indices, values = append(indices, best), append(values, ReduceAndKeep(logits, ReduceMax, -1))
		logits = Where(Equal(columns, best), Scalar(logits.Graph(), logits.DType(), attn.Masked), logits)
	}
	return Concatenate(indices, -1), Softmax(Concatenate(values, -1), -1)
}

// sparseExperts gathers the weights of each row's experts.
func (d *decoder) sparseExperts(e *experts, x, chosen, share *Node) *Node {
	rows := x.Shape().Dimensions[0]
	n := rows * e.active
	index := Reshape(chosen, n, 1)
	of := func(name string) *Node { return Gather(d.params[name], index) }
	bias := func(name string) *Node { return InsertAxes(ConvertDType(of(name), x.DType()), 1) }
	repeated := Reshape(BroadcastToDims(InsertAxes(x, 1), rows, e.active, e.hidden), n, 1, e.hidden)
	h := d.perExpert(repeated, of(e.gateUp))
	h = e.activate(Add(h, bias(e.gateUpBias)))
	y := Add(d.perExpert(h, of(e.down)), bias(e.downBias))
	y = Mul(ConvertDType(Reshape(y, rows, e.active, e.hidden), dtypes.Float32), InsertAxes(share, -1))
	return ConvertDType(ReduceSum(y, 1), x.DType())
}

// allExperts runs every row through every expert and adds the outputs by their shares, zero for those not chosen.
func (d *decoder) allExperts(e *experts, x, chosen, share *Node) *Node {
	rows := x.Shape().Dimensions[0]
	all := BroadcastToDims(InsertAxes(x, 0), e.count, rows, e.hidden)
	bias := func(name string) *Node { return InsertAxes(ConvertDType(d.params[name], x.DType()), 1) }
	h := d.perExpert(all, d.params[e.gateUp])
	h = e.activate(Add(h, bias(e.gateUpBias)))
	y := Add(d.perExpert(h, d.params[e.down]), bias(e.downBias))                                // [experts, rows, hidden]
	weight := ReduceSum(Mul(OneHot(chosen, e.count, dtypes.Float32), InsertAxes(share, -1)), 1) // [rows, experts]
	weight = InsertAxes(TransposeAllAxes(weight, 1, 0), -1)
	return ConvertDType(ReduceSum(Mul(ConvertDType(y, dtypes.Float32), weight), 0), x.DType())
}

// perExpert multiplies [experts, rows, a] by [experts, a, b].
func (d *decoder) perExpert(x, w *Node) *Node { return d.product(x, 2, w, 1, 1) }

// activate is the clamped SwiGLU of alternating columns, [experts, rows, 2*inner] -> [experts, rows, inner].
func (e *experts) activate(h *Node) *Node {
	dims := h.Shape().Dimensions
	h = Reshape(h, dims[0], dims[1], e.inner, 2)
	column := func(i int) *Node { return Reshape(SliceAxis(h, -1, AxisRange(i, i+1)), dims[0], dims[1], e.inner) }
	gate, up := MinScalar(column(0), e.limit), ClipScalar(column(1), -e.limit, e.limit)
	return Mul(AddScalar(up, 1.0), Mul(gate, attn.SigmoidBySoftmax(MulScalar(gate, e.alpha))))
}

// gptOss is llama with a learned sink logit per head, a mixture of experts in place of the MLP, biases, and a window on every other layer
// (OpenAI 2025, arXiv 2508.10925). Its bfloat16 form; the published 4-bit one is refused with the rest of the quantised checkpoints.
func gptOss(c *Config, f *fields) *architecture {
	if top := f.plain(); !top.has("rope_parameters") && !top.has("rope_scaling") {
		f.values["rope_parameters"] = []byte(`{"rope_type":"yarn","factor":32,"beta_fast":32,"beta_slow":1,"truncate":false,"original_max_position_embeddings":4096}`)
	}
	a := llama(c, f)
	count, active := f.integer(0, "num_local_experts"), f.integer(0, "num_experts_per_tok")
	if count < 1 || count > maxExperts || active < 1 || active > count {
		f.fail("num_experts_per_tok is %d of num_local_experts %d, expected 1 to their number, at most %d", active, count, maxExperts)
		return a
	}
	a.wide = true                 // rounded to bfloat16 they would send tokens to other experts: 7 of 71 in testdata/reference
	const limit, alpha = 7, 1.702 // of the experts' activation, not in config.json
	a.each(func(b *block, p string) {
		b.attn.sinks = p + "self_attn.sinks"
		b.mlp = mlp{experts: &experts{
			router: dense{name: p + "mlp.router", in: c.HiddenSize, out: count, bias: true},
			gateUp: p + "mlp.experts.gate_up_proj", gateUpBias: p + "mlp.experts.gate_up_proj_bias",
			down: p + "mlp.experts.down_proj", downBias: p + "mlp.experts.down_proj_bias",
			count: count, active: active, hidden: c.HiddenSize, inner: c.IntermediateSize, limit: limit, alpha: alpha,
		}}
	})
	a.setWindows(f.windows(c, f.integer(0, "sliding_window"), everyOther))
	return a
}

// maxExperts is far above any published mixture.
const maxExperts = 4096
