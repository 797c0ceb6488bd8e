package bench

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
)

// ErrNoMemory is returned where the system does not tell a process's peak memory.
var ErrNoMemory = errors.New("peak memory is measured on Linux only")

// PeakMemory runs f and returns how many bytes of memory the process had at most while it ran, beyond what it had before. Pages of mapped files count while
// they are in memory.
func PeakMemory(f func() error) (int64, error) {
	debug.FreeOSMemory()
	before, err := status("VmRSS")
	if err != nil {
		return 0, err
	}
	// 5 resets the peak to what is used now (proc(5)).
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		return 0, fmt.Errorf("%w: %v", ErrNoMemory, err)
	}
	if err := f(); err != nil {
		return 0, err
	}
	peak, err := status("VmHWM")
	return peak - before, err
}

// status reads a size from the process's status, in bytes.
func status(field string) (int64, error) {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, ErrNoMemory
	}
	for line := range strings.Lines(string(data)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, field+": %d kB", &kib); n == 1 {
			return kib << 10, nil
		}
	}
	return 0, ErrNoMemory
}

// Allocations runs f and returns how many objects it allocated on the host.
func Allocations(f func() error) (float64, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := f(); err != nil {
		return 0, err
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs - before.Mallocs), nil
}
