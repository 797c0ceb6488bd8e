// Package testdevices opens devices for tests.
package testdevices

import (
	"os"
	"strings"
	"testing"

	"github.com/gomlx/compute"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/env"
)

// FromEnv opens the backend that the environment names.
func FromEnv(t testing.TB) compute.Backend {
	t.Helper()
	b, err := backend.FromEnv()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// CUDA is FromEnv, which must be a GPU: else it skips the test, and ends a benchmark, since a measurement that was not made must not pass.
func CUDA(t testing.TB) compute.Backend {
	t.Helper()
	b := FromEnv(t)
	if !backend.IsCUDA(b) {
		if _, benchmark := t.(*testing.B); benchmark {
			t.Fatalf("needs an NVIDIA GPU, found %s: set ATTUNE_BACKEND=xla:cuda", b.Name())
		}
		t.Skip("needs an NVIDIA GPU: set ATTUNE_BACKEND=xla:cuda")
	}
	return b
}

// Open opens XLA's plugin for processors with so many devices or, where ATTUNE_BACKEND names CUDA, its cards. Where there are none, or too few, it skips the test.
//
// Code for processors is compiled without optimisation, which takes half the time.
func Open(t testing.TB, n int) compute.Backend {
	t.Helper()
	name := os.Getenv(env.Backend)
	if !strings.HasPrefix(name, "xla:cuda") {
		if name = "xla:cpu"; env.FindCPUPlugin() == "" {
			t.Skip("needs XLA's plugin for processors, which is not found: go run ./recipes plugin cpu")
		}
		t.Setenv(env.XLAFlags, env.AddXLAFlags(os.Getenv(env.XLAFlags), "--xla_backend_optimization_level=0"))
	}
	b, err := backend.OpenDevices(name, n)
	if err != nil {
		t.Skip(err) // fewer cards, or a build without cgo
	}
	return b
}
