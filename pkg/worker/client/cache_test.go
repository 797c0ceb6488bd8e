package client

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestTheCacheKeepsTheWorkersUsedLast: editing sources for a day leaves a few binaries of 35 MB, not one for each edit; what another process builds stays.
func TestTheCacheKeepsTheWorkersUsedLast(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	put := func(name string, age time.Duration) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range keptWorkers + 3 {
		put(fmt.Sprintf("%02d-1-simd", i), time.Duration(i)*time.Minute)
	}
	put("a.7.tmp", time.Hour)
	put("b.7.tmp", 25*time.Hour)
	removeOld(dir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if len(names) != keptWorkers+1 || names[keptWorkers-1] != fmt.Sprintf("%02d-1-simd", keptWorkers-1) || !slices.Contains(names, "a.7.tmp") {
		t.Errorf("%v are kept, expected the %d used last and what is being built", names, keptWorkers)
	}
}
