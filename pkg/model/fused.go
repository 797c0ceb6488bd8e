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
	plain := s.Softcap == 0 && s.Sinks == nil && (s.Window == 0 || s.Window >= s.NumKeys())
	return s.Phase == Prefill && !s.packed && len(s.Keys) == 1 && half && plain && s.Query.Shape().Dimensions[3]%8 == 0 &&
		backend.IsXLA(s.run.Graph.Backend())
}

// fused is the layer's plain attention by the backend's kernel (cuDNN's flash attention on CUDA), which it also asks for the rows' log-sum-exp: one pass,
// made once however often it is asked for. Where the backend has no such kernel after all (XLA on a CPU), GoMLX computes the same without one.
func (s *Site) fused() *Node {
	if s.fusedOut != nil {
		return s.fusedOut
	}
	err := exceptions.TryCatch[error](func() {
		out, states := BackendFusedScaledDotProductAttention(s.Query, s.Keys[0], s.Values[0], compute.AttentionAxesLayoutBHSD,
			&compute.ScaledDotProductAttentionConfig{Scale: s.Scale, Causal: true})
		s.fusedOut, s.lse = out, states[0]
	})
	switch {
	case err == nil:
	case compute.IsNotImplemented(err):
		s.fusedOut, _ = fusedattention.Core(s.Query, s.Keys[0], s.Values[0], compute.AttentionAxesLayoutBHSD,
			fusedattention.CoreOptions{Scale: s.Scale, UseCausalMask: true})
	default:
		panic(err)
	}
	return s.fusedOut
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
