package model

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	attn "github.com/attune-lab/attune/pkg/attention"
	"github.com/attune-lab/attune/pkg/backend"
)

// Rows are what a training pass reads, each int32 [batch, tokens]. Positions (from 0 in each document) and Segments (the documents' numbers, 0 in
// padding) may both be nil: then a row is one document, with padding behind it.
type Rows struct{ Tokens, Positions, Segments *Node }

// PassOptions of [Model.LossGraph]. The zero value computes in the model's type and keeps everything that the way back needs.
type PassOptions struct {
	// DType of the matrix products; 0 = the model's. Weights are cast inside the graph, so that gradients arrive in the type that is stored.
	DType dtypes.DType
	// Recompute keeps only each block's input; what is inside the block is computed again on the way back (Chen et al. 2016, gradient checkpointing).
	Recompute bool
}

// LossGraph is the training pass inside a caller's graph: rows and the tokens to predict, int32 [batch, tokens] -> the negative log-likelihood of each in
// nats, float32 [batch, tokens]. A token sees those of its own document up to itself, so its loss is what it would be if the document stood alone.
//
// Rotary scalings that depend on the length of the whole text take a row's width for it.
func (m *Model) LossGraph(rows Rows, labels *Node, o PassOptions) *Node {
	g := rows.Tokens.Graph()
	geo := prefillGeometry(rows.Tokens, nil)
	if rows.Segments != nil {
		geo.queryPos, geo.keyPos, geo.segments = rows.Positions, rows.Positions, rows.Segments
	}
	params := m.params(g)
	if o.DType != dtypes.InvalidDType {
		for name, w := range params {
			// Norms and biases are cast where they are used, and embeddings behind their look-up: there gradients of many tokens are added up.
			if w.Rank() > 1 && name != m.arch.embed && name != m.arch.positions {
				params[name] = ConvertDType(w, o.DType)
			}
		}
	}
	d := m.newDecoder(params, attn.Prefill, geo, nil)
	d.pass = o
	d.training = true
	d.carry.Training, d.carry.Differentiable = true, true
	x, _ := d.prefill(rows.Tokens)
	return nll(d.rawLogits(x), labels)
}

// nll is the negative log-likelihood of labels, int32 [...], under logits [..., vocab]: LSE(logits) - logits[label], float32 [...].
//
// Its gradient is written out, (exp(logits - LSE) - [label]) times what arrives, so that nothing of the vocabulary's width is kept in float32 between the
// passes: a graph's own derivative keeps the exponentials.
func nll(logits, labels *Node) *Node {
	x := ConvertDType(logits, dtypes.Float32)
	last := x.Rank() - 1
	label := Equal(indexLike(x), InsertAxes(labels, -1)) // [..., vocab]
	top := ReduceAndKeep(x, ReduceMax, -1)
	var lse *Node
	shares := func() *Node { return Exp(Sub(x, lse)) }
	if backend.IsXLA(x.Graph().Backend()) {
		lse = Add(top, Log(ReduceAndKeep(Exp(Sub(x, top)), ReduceSum, -1)))
	} else { // by the softmax, see there: its largest share is that of the largest logit
		p := StopGradient(attn.RowSoftmax(x))
		lse = Sub(top, Log(ReduceAndKeep(p, ReduceMax, -1)))
		shares = func() *Node { return p }
	}
	value := StopGradient(Sub(lse, ReduceAndKeep(Where(label, x, ZerosLike(x)), ReduceSum, -1)))
	lse = StopGradient(lse)
	first := func(x *Node) *Node { return SliceAxis(x, last, AxisRange(0, 1)) }
	// GoMLX takes gradients of its own for identities only. So the value is constant, and the gradient comes in through a zero that depends on the logits.
	carrier := first(IdentityWithCustomGradient(x, func(x, arriving *Node) *Node {
		return Mul(Sub(shares(), ConvertDType(label, dtypes.Float32)), first(arriving))
	}))
	return Squeeze(Add(value, Sub(carrier, StopGradient(carrier))), last)
}

// Weight is one of a model's tensors as a trainer sees it.
type Weight struct {
	Name   string // of the variable in the Store and of the tensor in a checkpoint
	Shape  []int
	Matrix bool // multiplies activations: neither a norm nor a bias nor an embedding (a tied head is an embedding)
}

// Weights lists all tensors of the architecture, without an adapter's.
func (m *Model) Weights() []Weight {
	var ws []Weight
	for _, w := range m.weights {
		drawn := w.init == initNormal || w.init == initResidual
		ws = append(ws, Weight{w.name, w.shape, drawn && len(w.shape) > 1 && w.name != m.arch.embed && w.name != m.arch.positions})
	}
	return ws
}
