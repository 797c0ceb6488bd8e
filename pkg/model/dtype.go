package model

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"

	"github.com/attune-lab/attune/pkg/backend"
)

// ChooseDType is the type that a model of this configuration computes in on a backend: "float32", "bfloat16", or "auto" (also ""), which is bfloat16 on CUDA for the
// families that it was shown for, see PrefersBFloat16, and float32 elsewhere. The Go backend computes bfloat16 many times more slowly than float32 and is refused it.
func (c *Config) ChooseDType(name string, b compute.Backend) (dtypes.DType, error) {
	switch name {
	case "", "auto":
		if backend.IsCUDA(b) && c.PrefersBFloat16() {
			return dtypes.BFloat16, nil
		}
		return dtypes.Float32, nil
	case "float32":
		return dtypes.Float32, nil
	case "bfloat16":
		if !backend.IsXLA(b) {
			return 0, fmt.Errorf("dtype %q: the Go backend computes it many times more slowly than float32: use \"float32\" or \"auto\", or an XLA backend", name)
		}
		return dtypes.BFloat16, nil
	}
	return 0, fmt.Errorf("dtype %q: expected \"auto\", \"float32\" or \"bfloat16\"", name)
}

// PrefersBFloat16 reports whether the family's checkpoints of testdata/reference stay within 2e-2 of float32 in bfloat16 on CUDA: TestBFloat16AgainstFloat32 measures it.
func (c *Config) PrefersBFloat16() bool { return families[c.ModelType].bfloat16 }
