//go:build !cgo

package backend

import (
	"fmt"

	"github.com/gomlx/compute"
)

func xlaNames() []string { return nil }

func openXLA(name string, _ int) (compute.Backend, error) {
	return nil, fmt.Errorf("backend %q: XLA is not linked into this build, which has no cgo; install a C compiler and build with CGO_ENABLED=1, or use the backend %q", name, Go)
}
