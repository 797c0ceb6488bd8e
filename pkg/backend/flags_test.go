package backend_test

import (
	"os"
	"testing"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/env"
)

func TestProfilesKeepTheFlagsThatAreSet(t *testing.T) {
	training := "--xla_gpu_enable_command_buffer= --xla_gpu_autotune_level=4 --xla_gpu_enable_triton_gemm=false"
	for _, c := range []struct {
		profile                env.Profile
		backend, before, after string
	}{
		{env.Train, "go", "--a=1", "--a=1"},
		{env.Train, "xla:cuda", "", training},
		{env.Train, "xla:cuda,tf32=true", "--a=1 --xla_gpu_enable_triton_gemm=true", "--a=1 --xla_gpu_enable_triton_gemm=true --xla_gpu_enable_command_buffer= --xla_gpu_autotune_level=4"},
		{env.Bench, "xla:cuda", "", "--xla_gpu_autotune_level=4 --xla_gpu_enable_triton_gemm=true"},
		{env.Bench, "xla:cpu", "--a=1", "--a=1"},
		{env.Score, "xla:cuda", "--a=1", "--a=1"}, // Open adds its flags
	} {
		t.Setenv(backend.EnvVar, c.backend)
		t.Setenv(env.XLAFlags, c.before)
		for range 2 {
			backend.For(c.profile)
			if got := os.Getenv(env.XLAFlags); got != c.after {
				t.Errorf("%s: flags %q become %q, expected %q", c.backend, c.before, got, c.after)
			}
		}
	}
}
