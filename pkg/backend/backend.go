package backend

import (
	"fmt"
	"os"
	"slices"
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
func FromEnv() (compute.Backend, error) { return FromEnvDevices(1) }

// FromEnvDevices is FromEnv with so many devices, see OpenDevices.
func FromEnvDevices(devices int) (compute.Backend, error) {
	name, err := env.BackendName()
	if err != nil {
		return nil, err
	}
	return OpenDevices(name, devices)
}

// Open opens a backend by name; the empty name means "go". For CUDA it first adds to XLA_FLAGS what XLA is to compile with, see [env.CUDAFlags]; flags that are set
// already stay as they are.
// An unknown name, or XLA in a build without cgo, is an error that lists what this build can open.
func Open(name string) (compute.Backend, error) { return OpenDevices(name, 1) }

// OpenDevices is Open of a backend that has so many devices, 0 or 1 for one. XLA's plugin for processors divides the machine's cores among as many as it is asked for, at
// most [MaxDevices]; the plugin for CUDA has all cards that CUDA_VISIBLE_DEVICES lets the process see, and too few are an error. The Go backend has one.
func OpenDevices(name string, devices int) (compute.Backend, error) {
	devices = max(devices, 1)
	switch {
	case name == "" || name == Go:
		if devices > 1 {
			return nil, fmt.Errorf("%d devices on the Go backend, which has one: use xla:cuda or xla:cpu", devices)
		}
		return openGo()
	case strings.HasPrefix(name, "xla"):
		b, err := openXLA(name, devices)
		if err != nil {
			return nil, err
		}
		if n := b.NumDevices(); n < devices {
			b.Finalize()
			return nil, fmt.Errorf("backend %q has %d devices, and %d are asked for: CUDA_VISIBLE_DEVICES says which cards a process sees", name, n, devices)
		}
		return b, nil
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

// MaxDevices is how many devices a backend is opened with at most.
const MaxDevices = 64

// device is held while an executable runs on a GPU or on several devices, see Exclusive.
var device sync.Mutex

// Exclusive calls f, on CUDA while no other such call runs in this process: XLA records the launches of an executable as a CUDA graph, and ends the process where another
// executable's first run waits for the stream that is being recorded (PJRT plugin of JAX 0.11.2). So it is on several devices of any backend: where two executables begin in
// one order on one device and in the other on the next, each waits for the other's share of a sum for ever. What is compiled, laid out and read back meanwhile goes on side by side.
//
// Passes of a model whose layers are placed on several devices overlap where nothing is recorded, see Records.
func Exclusive(b compute.Backend, f func()) {
	if IsCUDA(b) || b.NumDevices() > 1 {
		device.Lock()
		defer device.Unlock()
	}
	f()
}

// Records reports whether XLA records launches as CUDA graphs, see Exclusive: it does on CUDA unless XLA_FLAGS forbids it, as [env.Layers] does.
func Records(b compute.Backend) bool {
	return IsCUDA(b) && !slices.Contains(strings.Fields(os.Getenv(env.XLAFlags)), env.NoCUDAGraphs)
}

// OutOfMemory reports whether an error is one of XLA's allocators: a device's memory does not suffice.
func OutOfMemory(err error) bool {
	if err == nil {
		return false
	}
	text := err.Error()
	return strings.Contains(text, "RESOURCE_EXHAUSTED") || strings.Contains(strings.ToLower(text), "out of memory")
}
