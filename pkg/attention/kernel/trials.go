package kernel

import (
	"crypto/sha256"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/env"
)

//go:embed triton.go
var callSource string // how the kernel's text is handed to the plugin

// record is the file that stands for a trial that succeeded here: its name is a hash of the plugin and its version, the device, XLA's flags, the kernel's text and the
// variant. Failures are not kept: they may have been a full device, and trying again takes a second. "" where there is no cache folder.
func (v variant) record() string {
	dir, err := env.CacheDir()
	if err != nil {
		return ""
	}
	key := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s\n%s\n%+v %s %d", backend.Describe(v.dev), os.Getenv(env.XLAFlags), attentionIR, callSource, v.Kind, v.dtype, v.dim))
	return filepath.Join(dir, "kernel", fmt.Sprintf("%x", key[:16]))
}

// trial is try's outcome, from an earlier process where it succeeded in one.
func (v variant) trial() error {
	path := v.record()
	if path != "" {
		if _, err := os.Stat(path); err == nil {
			return nil
		}
	}
	if err := v.try(); err != nil {
		return err
	}
	if path != "" && os.MkdirAll(filepath.Dir(path), 0o755) == nil {
		_ = env.WriteBytes(path, 0o644, fmt.Appendf(nil, "%+v %s %d on %s\n", v.Kind, v.dtype, v.dim, backend.Describe(v.dev))) // unwritten, it is tried again
	}
	return nil
}
