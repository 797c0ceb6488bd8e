package triton

import (
	"crypto/sha256"
	_ "embed"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/customcall"
	"github.com/attune-lab/attune/pkg/env"
)

//go:embed triton.go
var callSource string // how the kernel's text is handed to the plugin

// Trial of a kernel on a small case.
type Trial struct {
	Device   compute.Backend
	Text     string // of the kernel, not filled in
	Kind     string // what it is filled in for
	SelfTest func() error
}

// Tolerance of a trial, relative: three times the rounding of half precision to 8 bits.
const Tolerance = 3.0 / 256

// Judge is what SelfTest returns of a kernel, by the name that its users know, that differs by so much from plain operations, or could not be run.
func Judge(kernel string, differs float32, err error) error {
	switch {
	case err != nil:
		return fmt.Errorf("%s: it does not compile here: %w", kernel, err)
	case !(differs < Tolerance):
		return fmt.Errorf("%s: it is off by %g on a trial, expected less than %g", kernel, differs, Tolerance)
	}
	return nil
}

// Noise is pseudo-random and even, of mean 0 and a standard deviation, and differs by seed: for operands of trials and tests, made on the device.
func Noise(g *Graph, seed int, deviation float64, dtype dtypes.DType, dims ...int) *Node {
	x := AddScalar(IotaFull(g, shapes.Make(dtypes.Uint32, dims...)), float64(seed)*7919)
	for range 2 {
		x = MulScalar(BitwiseXor(x, BitwiseShiftRightLogicalScalar(x, 15)), 0x85ebca6b)
		x = BitwiseXor(x, BitwiseShiftRightLogicalScalar(x, 13))
	}
	even := SubScalar(MulScalar(ConvertDType(BitwiseShiftRightLogicalScalar(x, 8), dtypes.Float32), 1.0/(1<<24)), 0.5)
	return ConvertDType(MulScalar(even, deviation*math.Sqrt(12)), dtype)
}

var outcomes = struct {
	sync.Mutex
	of map[any]error // by variant
}{of: map[any]error{}}

// Outcome is that of a trial, made once in a process: nil, or what keeps the kernel from being used. The variant, a comparable value, holds all that tells the trial
// from others. Success is remembered in the cache folder.
func (t Trial) Outcome(variant any) error {
	outcomes.Lock()
	defer outcomes.Unlock()
	err, known := outcomes.of[variant]
	if !known {
		err = t.run()
		outcomes.of[variant] = err
	}
	return err
}

// record is the file that stands for a trial that succeeded here: its name is a hash of the plugin and its version, the device, XLA's flags, the text of the kernel and of the call, and the
// kind. Failures are not kept: they may have been a full device, and trying again takes a second. "" where there is no cache folder.
func (t Trial) record() string {
	dir, err := env.CacheDir()
	if err != nil {
		return ""
	}
	key := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s\n%s\n%s", backend.Describe(t.Device), os.Getenv(env.XLAFlags), t.Text, callSource+customcall.Source, t.Kind))
	return filepath.Join(dir, "kernel", fmt.Sprintf("%x", key[:16]))
}

// run is the outcome of SelfTest, from an earlier process where it succeeded in one.
func (t Trial) run() error {
	path := t.record()
	if path != "" {
		if _, err := os.Stat(path); err == nil {
			return nil
		}
	}
	if err := t.SelfTest(); err != nil {
		return err
	}
	if path != "" && os.MkdirAll(filepath.Dir(path), 0o755) == nil {
		_ = env.WriteBytes(path, 0o644, fmt.Appendf(nil, "%s on %s\n", t.Kind, backend.Describe(t.Device))) // unwritten, it is tested again
	}
	return nil
}
