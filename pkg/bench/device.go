package bench

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// DeviceMemory has XLA write its reports of the graphs compiled from now on into a folder, and returns a function: the bytes of device memory that XLA lays out for
// the largest graph compiled since the function was last called, its weights, inputs, outputs and everything temporary; 0 where none was compiled, or none
// reported, as when XLA was opened before.
func DeviceMemory(dir string) (largest func() int64) {
	os.Setenv("XLA_FLAGS", strings.TrimSpace(os.Getenv("XLA_FLAGS")+" --xla_dump_hlo_as_text --xla_dump_to="+dir))
	seen := map[string]bool{}
	return func() (most int64) {
		reports, _ := filepath.Glob(filepath.Join(dir, "*memory-usage-report.txt"))
		for _, path := range reports {
			if seen[path] {
				continue
			}
			seen[path] = true
			if text, err := os.ReadFile(path); err == nil {
				most = max(most, reported(string(text)))
			}
		}
		return most
	}
}

// reported adds up the lines of a report such as "Total bytes: 2741154160 (2.55GiB)", one for each memory space.
func reported(report string) (sum int64) {
	for line := range strings.Lines(report) {
		if rest, ok := strings.CutPrefix(line, "Total bytes: "); ok {
			number, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
			n, err := strconv.ParseInt(number, 10, 64)
			if err == nil {
				sum += n
			}
		}
	}
	return sum
}
