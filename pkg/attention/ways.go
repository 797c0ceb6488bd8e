package attention

import (
	"slices"

	"github.com/gomlx/compute/dtypes"

	"github.com/attune-lab/attune/pkg/attention/kernel"
)

// Way is what computes the attention of a prefill's layer.
type Way string

// Ways.
const (
	Library Way = "cuDNN"      // its flash attention: one causal square of scaled scores
	Own     Way = "own kernel" // package kernel: windows, soft caps, learned sinks too
	Dense   Way = "dense"      // probabilities are formed, by blocks of rows where they are large
)

// kernelsOf are the fused kernels that compute a kind of layer in half precision, the preferred one first.
func kernelsOf(k kernel.Kind) []Way {
	if k == (kernel.Kind{}) {
		return []Way{Library, Own}
	}
	return []Way{Own}
}

// OnGPU is how the planner computes a layer of this form on an NVIDIA GPU in a model of half precision where nobody asks for its probabilities. In a family that keeps
// activations in float32 it is dense, and from NarrowTokens on what the second result says; it is "" elsewhere. Heads are of a size that the kernels take:
// multiples of 8 for the library's, powers of two from 16 to 256 for ours; others are dense.
func OnGPU(f Form, hasSinks, float32Activations bool) (way, large Way) {
	way = kernelsOf(kernel.Kind{HasSoftcap: f.Softcap > 0, HasWindow: f.Window > 0, HasSinks: hasSinks})[0]
	if float32Activations {
		return Dense, way
	}
	return way, ""
}

// fusable reports whether a fused kernel computes exactly this layer: causal prefill in half precision on XLA, by the library's kernel or by ours.
func (s *Site) fusable() bool {
	half := s.Query.DType() == dtypes.BFloat16 || s.Query.DType() == dtypes.Float16
	if !half || !s.whole() || !s.onXLA() {
		return false
	}
	kinds := kernelsOf(s.kind())
	return slices.Contains(kinds, Library) && s.Query.Shape().Dimensions[3]%8 == 0 || s.ownKernel(s.kind())
}
