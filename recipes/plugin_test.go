package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/env"
)

// TestPluginIsInstalledOnlyWhereItsHashIsKnown, and is found afterwards.
func TestPluginIsInstalledOnlyWhereItsHashIsKnown(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv(env.PluginPath, t.TempDir())
	var wheel bytes.Buffer
	archive := zip.NewWriter(&wheel)
	entry, err := archive.Create("package/" + cpuLibrary)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := entry.Write([]byte("a library")); err != nil {
		t.Fatal(err)
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), cpuWheel)
	if err := os.WriteFile(path, wheel.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := installPlugin(path, cpuSHA256); err == nil || !strings.Contains(err.Error(), cpuSHA256) || env.FindCPUPlugin() != "" {
		t.Errorf("another file is installed: %v, %q", err, env.FindCPUPlugin())
	}
	if name, _ := env.DefaultBackend(1 << 40); name != env.GoBackend {
		t.Errorf("without a plugin the default is %s", name)
	}
	sum := sha256.Sum256(wheel.Bytes())
	target, err := installPlugin(path, hex.EncodeToString(sum[:]))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(target); err != nil || string(text) != "a library" || env.FindCPUPlugin() != target {
		t.Errorf("installed %q, %v; found %q", text, err, env.FindCPUPlugin())
	}
	for bytes, want := range map[int64]string{env.XLAFromBytes - 1: env.GoBackend, env.XLAFromBytes: "xla:cpu"} {
		if name, why := env.DefaultBackend(bytes); name != want || why == "" {
			t.Errorf("of a model of %d bytes the default is %s (%s), expected %s", bytes, name, why, want)
		}
	}
}
