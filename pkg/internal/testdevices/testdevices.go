// Package testdevices opens several devices for tests.
package testdevices

import (
	"os"
	"strings"
	"testing"

	"github.com/gomlx/compute"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/env"
)

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
