//go:build unix

package model_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gomlx/compute/dtypes"

	"github.com/attune-lab/attune/pkg/model"
)

// TestPipesAndDevicesAreRefusedAtOnce: a pipe in the place of a file is waited for by whoever opens it, and a device may have no end.
func TestPipesAndDevicesAreRefusedAtOnce(t *testing.T) {
	for _, name := range []string{"config.json", "generation_config.json", "model.safetensors", "model.safetensors.index.json", "model.gguf"} {
		for kind, put := range map[string]func(path string) error{
			"named pipe": func(path string) error { return syscall.Mkfifo(path, 0o600) },
			"device":     func(path string) error { return os.Symlink("/dev/zero", path) },
		} {
			dir := t.TempDir()
			if err := tinyModel(t).Save(dir, dtypes.Float32); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, name)
			os.Remove(path)
			if strings.Contains(name, "index") || strings.Contains(name, "gguf") {
				os.Remove(filepath.Join(dir, "model.safetensors"))
			}
			if err := put(path); err != nil {
				t.Skip(err)
			}
			done := make(chan error, 1)
			go func() {
				_, err := model.Load(dir, model.Options{})
				done <- err
			}()
			select {
			case err := <-done:
				if err == nil || !strings.Contains(err.Error(), kind) || !strings.Contains(err.Error(), name) {
					t.Errorf("%s is a %s: %v, expected an error that says so", name, kind, err)
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("%s is a %s: still waiting", name, kind)
			}
		}
	}
}
