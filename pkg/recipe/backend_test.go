package recipe

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/note"
	"github.com/attune-lab/attune/pkg/notebook"
	"github.com/attune-lab/attune/pkg/notebook/kernel"
)

// TestBackendFollowsEnvironmentThenModel: a name in the environment decides; else a larger model takes xla:cpu where its plugin is found.
func TestBackendFollowsEnvironmentThenModel(t *testing.T) {
	if _, err := kernel.CCompiler(); err != nil {
		t.Skip(err)
	}
	plugins, root := t.TempDir(), t.TempDir()
	for _, name := range []string{env.Backend, env.GoMLXBackend, env.CallerDir} {
		t.Setenv(name, "")
	}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv(env.PluginPath, plugins)
	large := filepath.Join(root, "models", "large")
	if err := os.MkdirAll(large, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(large, "model.safetensors"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(large, "model.safetensors"), env.XLAFromBytes); err != nil {
		t.Fatal(err)
	}
	backend := func(model any) string {
		t.Helper()
		name, _, err := backendOf(root, map[string]any{"model": model})
		if err != nil {
			t.Fatal(err)
		}
		return name
	}
	if got := backend("models/large"); got != env.GoBackend {
		t.Errorf("without a plugin: %s", got)
	}
	if err := os.WriteFile(filepath.Join(plugins, "pjrt_c_api_cpu_plugin.so"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for model, want := range map[any]string{"models/large": "xla:cpu", large: "xla:cpu", "models/none": "go", "hf:owner/name": "go", 3.0: "go"} {
		if got := backend(model); got != want {
			t.Errorf("%v: %s, expected %s", model, got, want)
		}
	}
	t.Setenv(env.GoMLXBackend, "xla:cuda")
	if got := backend("models/none"); got != "xla:cuda" {
		t.Errorf("GOMLX_BACKEND: %s", got)
	}
	t.Setenv(env.Backend, "go")
	if got := backend("models/large"); got != "go" {
		t.Errorf("ATTUNE_BACKEND: %s", got)
	}
	t.Setenv(env.Backend, "")
	t.Setenv(env.GoMLXBackend, "tpu")
	if _, _, err := backendOf(root, nil); err == nil {
		t.Error("a name that cannot be honoured is ignored")
	}
}

// TestCheckComputesInTheCommittedType: what "auto" chose is given to the rerun.
func TestCheckComputesInTheCommittedType(t *testing.T) {
	results := &note.Results{Parameters: map[string]any{"dtype": "auto", "limit": 20.0}, Provenance: map[string]any{"dtype": "BFloat16", "backend": "xla:cuda"}}
	if got := ParametersOf(results); got["dtype"] != "bfloat16" || got["limit"] != "20" {
		t.Errorf("%v", got)
	}
	if backend, dtype := BackendOf(results); backend != "xla:cuda" || dtype != "bfloat16" {
		t.Errorf("%s, %s", backend, dtype)
	}
	results.Parameters["dtype"] = "float32"
	if got := ParametersOf(results); got["dtype"] != "float32" {
		t.Errorf("%v", got)
	}
}

// TestTheGoBackendHasOneDevice: what it cannot do is said before anything is made.
func TestTheGoBackendHasOneDevice(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	_, err := Run(context.Background(), Options{Root: "../..", Path: "../../recipes/sinks.ipynb", Dir: dir, Backend: kernel.GoBackend, Overrides: notebook.Overrides{"devices": "2"}})
	if err == nil || !strings.Contains(err.Error(), "parameter devices=2: the Go backend has one device") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the run's directory: %v", err)
	}
}
