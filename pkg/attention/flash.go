package model

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	fusedattention "github.com/gomlx/gomlx/ml/layers/attention"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/attune-lab/attune/pkg/attention/kernel"
	"github.com/attune-lab/attune/pkg/backend"
)

// fusable reports whether a fused kernel computes exactly this layer: causal prefill in half precision on XLA, by the library's kernel or by ours.
func (s *Site) fusable() bool {
	half := s.Query.DType() == dtypes.BFloat16 || s.Query.DType() == dtypes.Float16
	if !half || !s.whole() || !backend.IsXLA(s.run.Graph.Backend()) {
		return false
	}
	return s.oneSquare() && s.Query.Shape().Dimensions[3]%8 == 0 || s.ours(s.kind())
}

// whole reports whether the site is a prefill of whole prompts, not a part of one.
func (s *Site) whole() bool { return s.Phase == Prefill && !s.part && len(s.Keys) == 1 }

// oneSquare reports whether the layer's attention is the softmax of one square of scaled scores, up to the mask: no soft cap, no window shorter than the
// keys, no learned sinks, no cache. The library's kernel (cuDNN) computes no other.
func (s *Site) oneSquare() bool { return s.whole() && s.kind() == kernel.Kind{} }

// kind is what the layer's attention has beyond one square, as our kernel names it.
func (s *Site) kind() kernel.Kind {
	return kernel.Kind{Capped: s.Softcap > 0, Windowed: s.Window > 0 && s.Window < s.NumKeys(), Sinking: s.Sinks != nil}
}

// Plain reports whether the layer's attention is the causal softmax of scaled scores and nothing else, so that queries, keys, the scale and a row's LSE say
// all of it: no soft cap, window, learned sinks, cache or packed documents, and no experiment has rewritten it.
func (s *Site) Plain() bool {
	return s.oneSquare() && s.packed == nil && !s.rewritten
}

// fused is the layer's attention by a fused kernel, which it also asks for the rows' log-sum-exp: one pass, made once however often it is asked for. That is the
// library's where it computes the layer (cuDNN's flash attention on CUDA), then ours. Where there is neither after all (XLA on a CPU), GoMLX computes the same
// without one.
func (s *Site) fused() *Node {
	if s.fusedOut != nil {
		return s.fusedOut
	}
	err := exceptions.TryCatch[error](func() {
		if !s.oneSquare() {
			panic(compute.ErrNotImplemented)
		}
		var bias *Node
		if s.packed != nil {
			bias = s.packed(s.Query)
		}
		s.fusedOut, s.lse = s.library(bias)
		s.biasable = s.packed == nil
	})
	switch {
	case err == nil:
	case !compute.IsNotImplemented(err):
		panic(err)
	case s.ours(s.kind()):
		s.fusedOut, s.lse = s.kernel(nil)
	default:
		o := fusedattention.CoreOptions{Scale: s.Scale, UseCausalMask: true}
		if s.packed != nil {
			o.AttentionBias = s.packed(s.Query)
		}
		s.fusedOut, _ = fusedattention.Core(s.Query, s.Keys[0], s.Values[0], compute.AttentionAxesLayoutBHSD, o)
	}
	return s.fusedOut
}

// library calls the backend's kernel.
func (s *Site) library(bias *Node) (out, lse *Node) {
	config := &compute.ScaledDotProductAttentionConfig{Scale: s.Scale, Causal: true}
	if bias != nil {
		config.Bias = InternalBackendOutputs(bias)[0]
	}
	out, states := BackendFusedScaledDotProductAttention(tokensFirst(s.Query), tokensFirst(s.Keys[0]), tokensFirst(s.Values[0]), compute.AttentionAxesLayoutBSHD, config)
	return tokensFirst(out), states[0]
}

// LSE is the log-sum-exp of each row's scores over the keys that it may see and its learned sink, float32 [batch, heads, queries], where a fused kernel computes the
// layer and gives it at no cost; nil elsewhere. A probability is then exp(score - LSE), in any block of rows and keys. Rows of padding have some value or other.
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

// Biasable reports whether Fused takes a bias: the library's kernel computes the layer, and no bias of its own keeps packed documents apart.
func (s *Site) Biasable() bool { return s.LSE() != nil && s.biasable }

// Fused runs the layer's kernel with a bias added to its scores, [batch, heads, queries, keys] in the type of the queries: the attention, [batch, heads,
// queries, head_dim], and the log-sum-exp of the biased scores, float32 [batch, heads, queries]. A nil bias gives the layer's own attention. It panics, as
// graph-building code does, where LSE is nil, or Biasable says no to a bias.
func (s *Site) Fused(bias *Node) (out, lse *Node) {
	if s.LSE() == nil || bias != nil && !s.biasable {
		exceptions.Panicf("layer %d: no fused kernel computes it: ask LSE or Biasable first", s.Layer)
	}
	if bias == nil {
		return s.fused(), s.lse
	}
	q := s.Query.Shape().Dimensions
	bias.AssertDims(q[0], q[1], q[2], s.NumKeys())
	return s.library(bias)
}
