package backend_test

import (
	"os"
	"testing"

	"github.com/attune-lab/attune/pkg/backend"
)

func TestForTrainingKeepsTheFlagsThatAreSet(t *testing.T) {
	for _, c := range []struct{ backend, before, after string }{
		{"go", "--a=1", "--a=1"},
		{"xla:cuda", "", "--xla_gpu_enable_command_buffer= --xla_gpu_enable_triton_gemm=false"},
		{"xla:cuda,tf32=true", "--a=1 --xla_gpu_enable_triton_gemm=true", "--a=1 --xla_gpu_enable_triton_gemm=true --xla_gpu_enable_command_buffer="},
	} {
		t.Setenv(backend.EnvVar, c.backend)
		t.Setenv("XLA_FLAGS", c.before)
		for range 2 {
			backend.ForTraining()
			if got := os.Getenv("XLA_FLAGS"); got != c.after {
				t.Errorf("%s: flags %q become %q, expected %q", c.backend, c.before, got, c.after)
			}
		}
	}
}
