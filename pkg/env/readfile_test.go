package env_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/env"
)

func TestReadFileTakesRegularFilesUpToALimit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, []byte("1234"), 0o600); err != nil {
		t.Fatal(err)
	}
	if data, err := env.ReadFile(path, 4); err != nil || string(data) != "1234" {
		t.Errorf("%q, %v", data, err)
	}
	if _, err := env.ReadFile(path, 3); err == nil || !strings.Contains(err.Error(), "more than 3 bytes") {
		t.Errorf("a file beyond the limit: %v", err)
	}
	if _, err := env.ReadFile(path+"y", 3); !os.IsNotExist(err) {
		t.Errorf("no file: %v", err)
	}
	for _, path := range []string{"/dev/zero", t.TempDir()} {
		if _, err := env.ReadFile(path, 3); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, expected an error that names it", path, err)
		}
	}
}
