package kernel

import (
	"crypto/sha256"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gomlx/compute"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/env"
)

//go:embed triton.go
var callSource string // how the kernel's text is handed to the plugin

// trial of a kernel on a small case.
type trial struct {
	dev      compute.Backend
	text     string // of the kernel, not filled in
	kind     string // what it is filled in for
	selfTest func() error
}

// record is the file that stands for a trial that succeeded here: its name is a hash of the plugin and its version, the device, XLA's flags, the kernel's text and
// kind. Failures are not kept: they may have been a full device, and trying again takes a second. "" where there is no cache folder.
func (t trial) record() string {
	dir, err := env.CacheDir()
	if err != nil {
		return ""
	}
	key := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s\n%s\n%s", backend.Describe(t.dev), os.Getenv(env.XLAFlags), t.text, callSource, t.kind))
	return filepath.Join(dir, "kernel", fmt.Sprintf("%x", key[:16]))
}

// run is the outcome of selfTest, from an earlier process where it succeeded in one.
func (t trial) run() error {
	path := t.record()
	if path != "" {
		if _, err := os.Stat(path); err == nil {
			return nil
		}
	}
	if err := t.selfTest(); err != nil {
		return err
	}
	if path != "" && os.MkdirAll(filepath.Dir(path), 0o755) == nil {
		_ = env.WriteBytes(path, 0o644, fmt.Appendf(nil, "%s on %s\n", t.kind, backend.Describe(t.dev))) // unwritten, it is tested again
	}
	return nil
}
