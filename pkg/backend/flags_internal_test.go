package backend

import (
	"testing"

	"github.com/attune-lab/attune/pkg/env"
)

// TestTritonKeepsItsTrials: at level 0 Triton's products run many times slower.
func TestTritonKeepsItsTrials(t *testing.T) {
	for set, want := range map[string]int{"": 2, "--xla_gpu_enable_triton_gemm=false": 2, "--xla_gpu_enable_triton_gemm=true": 0, "--a --xla_gpu_enable_triton_gemm": 0} {
		t.Setenv(env.XLAFlags, set)
		if got := cudaFlags(); len(got) != want {
			t.Errorf("XLA_FLAGS=%q: %q are added, expected %d flags", set, got, want)
		}
	}
}
