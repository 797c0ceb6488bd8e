package attention

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	fusedattention "github.com/gomlx/gomlx/ml/layers/attention"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/attune-lab/attune/pkg/attention/kernel"
	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/customcall"
)

// NarrowTokens is from how wide a prompt on a family with float32 activations rounds what its layers attend with: there a layer that forms its probabilities takes longer
// than all else in it (gpt-oss-20b's at 2,048 tokens: 5.0 ms of which 3.1; at 4,096 15.2 of which 11.7). It is a prompt's own width, so that a result does not depend on what is
// computed beside it.
const NarrowTokens = 1024

// narrow rounds a layer's float32 queries, keys and values to the half precision of its weights where the prompt is long, or its probabilities would be too large to be
// formed at once, and a fused kernel then computes it; it reports whether it did. Elsewhere the layer keeps its digits: a token goes to other experts for want of them.
func (s *Site) narrow() bool {
	if s.Half == dtypes.InvalidDType || s.Query.DType() != dtypes.Float32 || s.carry.Differentiable || !s.whole() || s.NumKeys() < NarrowTokens && !s.tooLarge() {
		return false
	}
	wide := s.Operands
	half := func(x *Node) *Node { return ConvertDType(x, wide.Half) }
	s.Query, s.Keys, s.Values = half(wide.Query), []*Node{half(wide.Keys[0])}, []*Node{half(wide.Values[0])}
	if !s.fusable() {
		s.Operands = wide
		return false
	}
	return true
}

func (s *Site) onXLA() bool { return backend.IsXLA(s.graph().Backend()) }

// whole reports whether the site is a prefill of whole prompts, one a row, not a part of one.
func (s *Site) whole() bool { return s.Phase == Prefill && !s.part && len(s.Keys) == 1 && !s.Trees }

// oneSquare reports whether the layer's attention is the softmax of one square of scaled scores, up to the mask: no soft cap, no window shorter than the
// keys, no learned sinks, no cache. The library's kernel (cuDNN) computes no other.
func (s *Site) oneSquare() bool { return s.whole() && kernelsOf(s.kind())[0] == Library }

// kind is what the layer's attention has beyond one square, as our kernel names it.
func (s *Site) kind() kernel.Kind {
	return kernel.Kind{HasSoftcap: s.Softcap > 0, HasWindow: s.Window > 0 && s.Window < s.NumKeys(), HasSinks: s.Sinks != nil}
}

// plain reports whether the layer's attention is the causal softmax of scaled scores and nothing else, so that queries, keys, the scale and a row's LSE say
// all of it: no soft cap, window, learned sinks, cache or packed documents, and no experiment has rewritten it.
func (s *Site) plain() bool {
	return s.oneSquare() && s.carry.Packed == nil && !s.rewritten
}

// formsProbs reports whether the layer forms its probabilities whatever an observer does, because it was asked for them already or no fused
// kernel computes it: then Probs costs nothing. Otherwise an observer that can do without them leaves the layer its fused kernel.
func (s *Site) formsProbs() bool { return s.probs != nil || s.later != nil || !s.fusable() }

// fused is the layer's attention by a fused kernel, which it also asks for the rows' log-sum-exp: one pass, made once however often it is asked for. That is the
// library's where it computes the layer (cuDNN's flash attention on CUDA), then ours. Where there is neither after all (XLA on a CPU), GoMLX computes the same
// without one.
func (s *Site) fused() *Node {
	if s.fusedOut != nil {
		return s.fusedOut
	}
	packed := s.carry.Packed
	err := exceptions.TryCatch[error](func() {
		if !s.oneSquare() {
			panic(compute.ErrNotImplemented)
		}
		var bias *Node
		if packed != nil {
			bias = packed(s.Query)
		}
		s.fusedOut, s.lse = s.libraryKernel(bias)
		s.biasable = packed == nil
	})
	switch {
	case err == nil:
	case !compute.IsNotImplemented(err):
		panic(err)
	case s.ownKernel(s.kind()):
		s.fusedOut, s.lse = s.runOwnKernel(nil)
	default:
		o := fusedattention.CoreOptions{Scale: s.Scale, UseCausalMask: true}
		if packed != nil {
			o.AttentionBias = packed(s.Query)
		}
		s.fusedOut, _ = fusedattention.Core(s.Query, s.Keys[0], s.Values[0], compute.AttentionAxesLayoutBHSD, o)
	}
	return s.fusedOut
}

// libraryKernel calls the backend's kernel, of a graph over several devices for the heads of each.
func (s *Site) libraryKernel(bias *Node) (out, lse *Node) {
	attend := func(query, key, value, bias *Node) []*Node {
		config := &compute.ScaledDotProductAttentionConfig{Scale: s.Scale, Causal: true}
		if bias != nil {
			config.Bias = InternalBackendOutputs(bias)[0]
		}
		out, states := BackendFusedScaledDotProductAttention(query, key, value, compute.AttentionAxesLayoutBSHD, config)
		return []*Node{out, states[0]}
	}
	query, key, value := tokensFirst(s.Query), tokensFirst(s.Keys[0]), tokensFirst(s.Values[0])
	results := attend(query, key, value, bias) // panics where there is no such kernel; XLA leaves it out where it is not used
	if n := customcall.Devices(s.graph()); n > 1 && s.entries()[1]%n == 0 && s.Keys[0].Shape().Dimensions[1]%n == 0 {
		operands := []customcall.Operand{{Node: query, Axis: 2}, {Node: key, Axis: 2}, {Node: value, Axis: 2}}
		if bias != nil {
			operands = append(operands, customcall.Operand{Node: bias, Axis: 1})
		}
		results = customcall.PerDevice(operands, []int{2, 1}, func(of []*Node) []*Node { return attend(of[0], of[1], of[2], append(of, nil)[3]) })
	}
	return tokensFirst(results[0]), results[1]
}

// LSE is the log-sum-exp of each row's scores over the keys that it may see and its learned sink, float32 [batch, heads, queries], where a fused kernel computes the
// layer and gives it at no cost; nil elsewhere. A probability is then exp(score - LSE), in any block of rows and keys. Rows of padding have some value or other.
func (s *Site) LSE() *Node {
	if s.part {
		return s.lse
	}
	if s.formsProbs() {
		return nil
	}
	s.fused()
	return s.lse
}

// biased reports whether runFused takes a bias: the library's kernel computes the layer, and no bias of its own keeps packed documents apart.
func (s *Site) takesBias() bool { return s.LSE() != nil && s.biasable }

// runFused runs the layer's kernel with a bias added to its scores, [batch, heads, queries, keys] in the type of the queries: the attention, [batch, heads,
// queries, head_dim], and the log-sum-exp of the biased scores, float32 [batch, heads, queries]. A nil bias gives the layer's own attention. It panics, as
// graph-building code does, where LSE is nil, or takesBias returns false for a bias.
func (s *Site) runFused(bias *Node) (out, lse *Node) {
	if s.LSE() == nil || bias != nil && !s.biasable {
		exceptions.Panicf("layer %d: no fused kernel computes it with a bias", s.Index)
	}
	if bias == nil {
		return s.fused(), s.lse
	}
	bias.AssertDims(s.entries()...)
	return s.libraryKernel(bias)
}

// ownKernel reports whether our own kernel computes a kind of attention with the layer's queries and keys: rows of one document, on a GPU whose compiler takes it. It
// has no gradient.
func (s *Site) ownKernel(k kernel.Kind) bool {
	if !s.whole() || s.carry.Packed != nil || s.carry.Differentiable {
		return false
	}
	shape := func(x *Node) shapes.Shape {
		d := x.Shape().Dimensions
		return shapes.Make(x.DType(), d[0], d[2], d[1], d[3])
	}
	return kernel.Available(s.graph().Backend(), shape(s.Query), shape(s.Keys[0]), k) == nil
}

func (s *Site) runOwnKernel(gain *kernel.Gain) (out, lse *Node) {
	o := kernel.Options{Scale: s.Scale, Softcap: s.Softcap, Sinks: s.Sinks, Gain: gain}
	if s.kind().HasWindow {
		o.Window = s.Window
	}
	out, lse = kernel.Attention(tokensFirst(s.Query), tokensFirst(s.Keys[0]), tokensFirst(s.Values[0]), o)
	return tokensFirst(out), lse
}

// gainable reports whether gained computes the layer with a mask of bits, or with one that another layer's limits say: whole prompts on a GPU, and nobody has
// asked for the layer's probabilities or rewritten them.
func (s *Site) gainable(byLimits bool) bool {
	k := s.kind()
	k.ByBits, k.ByLimits = !byLimits, byLimits
	return !s.rewritten && !s.formsProbs() && s.ownKernel(k)
}

// gained is the layer's attention with the probabilities that a mask covers multiplied by their head's gain, in one pass that forms none of them: [batch, heads,
// queries, head_dim] in the queries' type. It panics, as graph-building code does, where gainable returns false.
func (s *Site) gained(gain kernel.Gain) *Node {
	out, _ := s.runOwnKernel(&gain)
	return out
}

// aboveLimits is the mask of the layer's own entries whose score passes a limit, float32 [batch, heads, queries]: gained of another layer of the same dimensions finds
// it along the way. A limit is LSE + log tau for the probabilities above tau. It says the layer's mask only where the layer is plain. The diagonal is in it only where
// it is said to be.
func (s *Site) aboveLimits(limit *Node, diagonal bool) kernel.Mask {
	return kernel.Mask{Query: tokensFirst(s.Query), Key: tokensFirst(s.Keys[0]), Limit: MulScalar(limit, 1/s.Scale), Diagonal: diagonal}
}

// limits are what scores must pass for their probability to be above tau, or above perKey over the keys that a query sees, float32 [batch, heads, queries]: LSE + log
// tau. lse is the rows' log-sum-exp and positions int32 [1 or batch, queries]. The threshold is a scalar.
func limits(lse, positions, threshold *Node, perKey bool) *Node {
	if perKey {
		seen := AddScalar(ConvertDType(InsertAxes(positions, 1), dtypes.Float32), 1)
		lse = Sub(lse, Log(seen))
	}
	return Add(lse, Log(threshold))
}

// tokensFirst swaps [batch, heads, tokens, dim] and [batch, tokens, heads, dim], which is how projections lie in memory: there nothing is transposed.
func tokensFirst(x *Node) *Node { return TransposeAllAxes(x, 0, 2, 1, 3) }
