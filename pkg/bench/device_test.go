package bench

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDeviceMemoryIsTheLargestNewReport writes reports as XLA does.
func TestDeviceMemoryIsTheLargestNewReport(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XLA_FLAGS", "--own")
	largest := DeviceMemory(dir)
	if flags := os.Getenv("XLA_FLAGS"); !strings.HasPrefix(flags, "--own ") || !strings.Contains(flags, dir) {
		t.Errorf("XLA_FLAGS is %q, expected what was there and the folder", flags)
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name+"-memory-usage-report.txt"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(want int64) {
		t.Helper()
		if got := largest(); got != want {
			t.Errorf("%d bytes, expected %d", got, want)
		}
	}
	expect(0)
	write("a", "Memory Space: default (color=0)\nTotal bytes: 2741154160 (2.55GiB)\n  cumulative_size;       size\n  501.00MiB(100%);  501.00MiB\nTotal bytes: 10\n")
	write("b", "Total bytes: 7 (7B)\n")
	expect(2741154170)
	write("c", "Total bytes: 5 (5B)\n")
	expect(5)
}
