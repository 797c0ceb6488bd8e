package backend

import (
	"os"
	"strings"
)

// trainingFlags are what XLA compiles training steps with. The buffers of weights move from step to step, since go-xla does not alias them, so CUDA graphs
// ("command buffers") would be recorded anew every time: 124 million parameters took 71.2 ms a step with them and 66.6 ms without, on an H200. Trying out Triton's matrix products
// costs most of the 47 s that such a step takes to compile otherwise (10 s), and cuBLAS won nearly all of them.
var trainingFlags = []string{"--xla_gpu_enable_command_buffer=", "--xla_gpu_enable_triton_gemm=false"}

// ForTraining makes XLA compile for training if ATTUNE_BACKEND names CUDA; elsewhere it does nothing. A process that trains calls it before it opens a backend: XLA
// reads its flags once. Flags that XLA_FLAGS sets already stay as they are.
func ForTraining() {
	if !strings.HasPrefix(os.Getenv(EnvVar), "xla:cuda") {
		return
	}
	flags := os.Getenv("XLA_FLAGS")
	for _, f := range trainingFlags {
		if name, _, _ := strings.Cut(f, "="); !strings.Contains(flags, name) {
			flags += " " + f
		}
	}
	os.Setenv("XLA_FLAGS", strings.TrimSpace(flags))
}
