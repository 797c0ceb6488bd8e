package backend

import (
	"os"
	"strings"

	"github.com/attune-lab/attune/pkg/env"
)

// ForTraining makes XLA compile for training if ATTUNE_BACKEND names CUDA; elsewhere it does nothing. A process that trains calls it before it opens a backend: XLA
// reads its flags once. Flags that XLA_FLAGS sets already stay as they are.
func ForTraining() {
	if strings.HasPrefix(os.Getenv(EnvVar), "xla:cuda") {
		flags := env.AddXLAFlags(os.Getenv(env.XLAFlags), env.CUDAFlags...)
		os.Setenv(env.XLAFlags, env.AddXLAFlags(flags, env.TrainingFlags...))
	}
}
