package model

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	fusedattention "github.com/gomlx/gomlx/ml/layers/attention"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/attune-lab/attune/pkg/backend"
)

// fusable reports whether the backend's fused kernel computes exactly this layer: causal prefill in half precision on XLA, head
// dimension a multiple of 8, and nothing that the kernel lacks: a soft cap, a window shorter than the keys, learned sinks.
func (s *Site) fusable() bool {
	half := s.Query.DType() == dtypes.BFloat16 || s.Query.DType() == dtypes.Float16
	return s.oneSquare() && half && s.Query.Shape().Dimensions[3]%8 == 0 && backend.IsXLA(s.run.Graph.Backend())
}

// oneSquare reports whether the layer's attention is the softmax of one square of scaled scores, up to the mask: no soft cap, no window shorter than the
// keys, no learned sinks, no cache.
func (s *Site) oneSquare() bool {
	return s.Phase == Prefill && !s.part && len(s.Keys) == 1 && s.Softcap == 0 && s.Sinks == nil && (s.Window == 0 || s.Window >= s.NumKeys())
}

// Plain reports whether the layer's attention is the causal softmax of scaled scores and nothing else, so that queries, keys, the scale and a row's LSE say
// all of it: no soft cap, window, learned sinks, cache or packed documents, and no experiment has rewritten it.
func (s *Site) Plain() bool {
	return s.oneSquare() && s.packed == nil && !s.rewritten
}

// fused is the layer's plain attention by the backend's kernel (cuDNN's flash attention on CUDA), which it also asks for the rows' log-sum-exp: one pass,
// made once however often it is asked for. Where the backend has no such kernel after all (XLA on a CPU), GoMLX computes the same without one.
func (s *Site) fused() *Node {
	if s.fusedOut != nil {
		return s.fusedOut
	}
	err := exceptions.TryCatch[error](func() {
		var bias *Node
		if s.packed != nil {
			bias = s.packed(s.Query)
		}
		s.fusedOut, s.lse = s.kernel(bias)
	})
	switch {
	case err == nil:
	case compute.IsNotImplemented(err):
		o := fusedattention.CoreOptions{Scale: s.Scale, UseCausalMask: true}
		if s.packed != nil {
			o.AttentionBias = s.packed(s.Query)
		}
		s.fusedOut, _ = fusedattention.Core(s.Query, s.Keys[0], s.Values[0], compute.AttentionAxesLayoutBHSD, o)
	default:
		panic(err)
	}
	return s.fusedOut
}

// kernel calls the backend's.
func (s *Site) kernel(bias *Node) (out, lse *Node) {
	config := &compute.ScaledDotProductAttentionConfig{Scale: s.Scale, Causal: true}
	if bias != nil {
		config.Bias = InternalBackendOutputs(bias)[0]
	}
	out, states := BackendFusedScaledDotProductAttention(tokensFirst(s.Query), tokensFirst(s.Keys[0]), tokensFirst(s.Values[0]), compute.AttentionAxesLayoutBSHD, config)
	return tokensFirst(out), states[0]
}

// LSE is the log-sum-exp of each row's scores over the keys that it may see, float32 [batch, heads, queries], where a fused kernel computes the layer and
// gives it at no cost; nil elsewhere. A probability is then exp(score - LSE), in any block of rows and keys. Rows of padding have some value or other.
func (s *Site) LSE() *Node {
	if s.FormsProbs() {
		return nil
	}
	s.fused()
	return s.lse
}

// packedBias keeps the documents of packed rows apart in a form that the kernel takes: 0 where a query sees a key and hugely negative elsewhere, [batch, heads,
// queries, keys] in the queries' type, made once for all layers.
func (d *decoder) packedBias(query *Node) *Node {
	if d.bias == nil {
		g, dtype, dims := query.Graph(), query.DType(), query.Shape().Dimensions
		bias := Where(d.mask(0), Scalar(g, dtype, 0), Scalar(g, dtype, masked))
		d.bias = StopGradient(BroadcastToDims(bias, dims[0], dims[1], dims[2], dims[2]))
	}
	return d.bias
}

// Fused runs the layer's kernel with a bias added to its scores, [batch, heads, queries, keys] in the type of the queries: the attention, [batch, heads,
// queries, head_dim], and the log-sum-exp of the biased scores, float32 [batch, heads, queries]. A nil bias gives the plain attention. It panics, as
// graph-building code does, where LSE is nil or rows hold several documents, which the kernel keeps apart by a bias of its own.
func (s *Site) Fused(bias *Node) (out, lse *Node) {
	if s.LSE() == nil || bias != nil && s.packed != nil {
		exceptions.Panicf("layer %d: no fused kernel computes it: ask LSE first", s.Layer)
	}
	if bias == nil {
		return s.fused(), s.lse
	}
	q := s.Query.Shape().Dimensions
	bias.AssertDims(q[0], q[1], q[2], s.NumKeys())
	return s.kernel(bias)
}
