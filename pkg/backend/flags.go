package backend

import (
	"os"
	"strings"

	"github.com/attune-lab/attune/pkg/env"
)

// addFlags adds to XLA_FLAGS of this process. XLA reads them once, when its first client opens.
func addFlags(flags ...string) {
	os.Setenv(env.XLAFlags, env.AddXLAFlags(os.Getenv(env.XLAFlags), flags...))
}

// cudaFlags are those of [env.CUDAFlags] that go with what XLA_FLAGS has: where Triton's products are asked for, algorithms must be tried out.
func cudaFlags() []string {
	const triton = "--xla_gpu_enable_triton_gemm"
	for flag := range strings.FieldsSeq(os.Getenv(env.XLAFlags)) {
		if name, value, _ := strings.Cut(flag, "="); name == triton && value != "false" && value != "0" {
			return nil
		}
	}
	return env.CUDAFlags
}

// For makes XLA compile with a profile's flags, if the environment names CUDA; elsewhere it does nothing. A process calls it before it opens a backend: XLA reads its
// flags once. Flags that XLA_FLAGS sets already stay as they are.
func For(p env.Profile) {
	if name, err := env.BackendName(); err == nil && strings.HasPrefix(name, "xla:cuda") && p != env.Score { // Open adds those of Score
		addFlags(p.CUDAFlags()...)
	}
}
