package model

import (
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/gomlx/compute/dtypes"

	"github.com/attune-lab/attune/pkg/backend"
)

// WeightBytes is what the weights of a configuration take in a type; 0 for a configuration that describes no model.
func (c *Config) WeightBytes(dtype dtypes.DType) int64 {
	return int64(c.NumParameters()) * int64(dtype.Size())
}

// checkSize refuses a model whose weights would not fit, before anything is allocated.
func (m *Model) checkSize(limit int64) error {
	parameters := int64(0)
	for _, w := range m.weights {
		parameters = min(parameters+int64(w.size()), 1<<55) // more than any memory; a hostile configuration would overflow
	}
	need, source := parameters*int64(m.DType.Size()), "Options.MaxBytes"
	if limit == 0 {
		if backend.IsXLA(m.Backend) {
			return nil
		}
		if limit = availableMemory(); limit == 0 {
			limit = math.MaxInt64
		}
		source = "the system's available memory"
	}
	if need <= limit {
		if !backend.IsXLA(m.Backend) {
			collectOften(need)
		}
		return nil
	}
	hint := ""
	if half := parameters * 2; m.DType != dtypes.BFloat16 && half <= limit {
		hint = fmt.Sprintf(", or this one in bfloat16 (%s) on an accelerator", gibibytes(half))
	}
	return fmt.Errorf("a %s model of %d million parameters needs %s of weights in %s, and %s is %s: a model of at most %d million parameters would fit%s",
		m.Config.ModelType, parameters/1e6, gibibytes(need), m.DType, source, gibibytes(limit), limit/int64(m.DType.Size())/1e6, hint)
}

// collectOften makes the garbage collector run when garbage is a quarter of what lives. By default it waits until there is as much, and on the Go backend weights
// live on the heap: that would be their memory twice. They hold no pointers, so that looking through them costs nothing. Small models keep the default,
// and so does everyone who sets GOGC.
func collectOften(weights int64) {
	if weights >= 64<<20 && os.Getenv("GOGC") == "" {
		debug.SetGCPercent(25)
	}
}

func gibibytes(n int64) string { return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30)) }

// availableMemory is what the system can give without swapping, and no more than the control group allows; 0 = unknown.
func availableMemory() int64 {
	available := int64(0)
	data, _ := os.ReadFile("/proc/meminfo") // absent outside Linux: unknown
	for line := range strings.Lines(string(data)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "MemAvailable: %d kB", &kib); n == 1 {
			available = kib << 10
		}
	}
	if limit := readNumber("/sys/fs/cgroup/memory.max"); limit > 0 {
		available = min(available, limit)
	}
	return available
}

// readNumber reads a file that holds one number; 0 where there is none ("max").
func readNumber(path string) int64 {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
