package backend

import (
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/gobackend"

	"github.com/attune-lab/attune/pkg/env"
)

// EnvVar names the backend that FromEnv opens. The recipe runner sets it from its --backend flag.
const EnvVar = env.Backend

// Go is the name of the pure-Go backend, the default everywhere.
const Go = env.GoBackend

// Names lists what Open accepts in this build: the Go backend always, XLA only where cgo is linked.
func Names() []string {
	return append([]string{Go}, xlaNames()...)
}

// FromEnv opens the backend that the environment names: ATTUNE_BACKEND, else GOMLX_BACKEND, else "go". A name that cannot be honoured is an error.
func FromEnv() (compute.Backend, error) {
	name, err := env.BackendName()
	if err != nil {
		return nil, err
	}
	return Open(name)
}

// Open opens a backend by name; the empty name means "go". For CUDA it first adds to XLA_FLAGS what XLA is to compile with, see [env.CUDAFlags]; flags that are set
// already stay as they are.
// An unknown name, or XLA in a build without cgo, is an error that lists what this build can open.
func Open(name string) (compute.Backend, error) {
	switch {
	case name == "" || name == Go:
		return openGo()
	case strings.HasPrefix(name, "xla"):
		return openXLA(name)
	}
	return nil, fmt.Errorf("unknown backend %q: this build opens %s", name, strings.Join(Names(), ", "))
}

// openGo opens the Go backend without a limit on its worker pool: the default pool deadlocks when several
// large matrix products run at once (github.com/gomlx/compute v0.1.6). Operations run one after another, each product on all cores: side by side
// they cost a goroutine each, a third of the time of a small model's decoding step and a tenth of a forward pass. The option's setter prints a line on
// standard output, which would land in notebooks and notes, so standard output is set aside meanwhile.
func openGo() (compute.Backend, error) {
	stdout := os.Stdout
	if null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil {
		os.Stdout = null
		defer func() {
			os.Stdout = stdout
			null.Close()
		}()
	}
	return gobackend.New("parallelism=-1,ops_sequential,creation_order")
}

// IsXLA reports whether a backend compiles through XLA; the others interpret the graph.
func IsXLA(b compute.Backend) bool {
	return strings.HasPrefix(strings.ToLower(b.Name()), "xla")
}

// IsCUDA reports whether a backend compiles through XLA for an NVIDIA GPU.
func IsCUDA(b compute.Backend) bool {
	return IsXLA(b) && strings.Contains(strings.ToLower(b.Description()), "cuda")
}

// device is held while an executable runs on a GPU, see Exclusive.
var device sync.Mutex

// Exclusive calls f, on CUDA while no other such call runs in this process: XLA records the launches of an executable as a CUDA graph, and ends the process where another
// executable's first run waits for the stream that is being recorded (PJRT plugin of JAX 0.11.2). What is compiled, laid out and read back meanwhile goes on side by side.
func Exclusive(b compute.Backend, f func()) {
	if IsCUDA(b) {
		device.Lock()
		defer device.Unlock()
	}
	f()
}
