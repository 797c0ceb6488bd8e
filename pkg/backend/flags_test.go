package backend_test

import (
	"os"
	"testing"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/env"
)

func TestPurposesKeepTheFlagsThatAreSet(t *testing.T) {
	training := "--xla_gpu_enable_command_buffer= --xla_gpu_autotune_level=4 --xla_gpu_enable_triton_gemm=false"
	for _, c := range []struct {
		purpose                func()
		backend, before, after string
	}{
		{backend.ForTraining, "go", "--a=1", "--a=1"},
		{backend.ForTraining, "xla:cuda", "", training},
		{backend.ForTraining, "xla:cuda,tf32=true", "--a=1 --xla_gpu_enable_triton_gemm=true", "--a=1 --xla_gpu_enable_triton_gemm=true --xla_gpu_enable_command_buffer= --xla_gpu_autotune_level=4"},
		{backend.ForBench, "xla:cuda", "", "--xla_gpu_autotune_level=4 --xla_gpu_enable_triton_gemm=true"},
		{backend.ForBench, "xla:cpu", "--a=1", "--a=1"},
	} {
		t.Setenv(backend.EnvVar, c.backend)
		t.Setenv(env.XLAFlags, c.before)
		for range 2 {
			c.purpose()
			if got := os.Getenv(env.XLAFlags); got != c.after {
				t.Errorf("%s: flags %q become %q, expected %q", c.backend, c.before, got, c.after)
			}
		}
	}
}
