package main

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"

	"github.com/attune-lab/attune/pkg/env"
)

// The wheel on PyPI that carries XLA's plugin for processors (PJRT API 0.115, Apache-2.0), for Linux on amd64 with glibc 2.27 or newer.
const (
	cpuPackage = "lammps-jax-pjrt-cpu"
	cpuVersion = "0.11.2"
	cpuWheel   = "lammps_jax_pjrt_cpu-0.11.2-py3-none-manylinux_2_27_x86_64.whl"
	cpuSHA256  = "1319390d948b39f69f7dade496b7c385149d9ca6097a6b62114da113216d9ad1"
	cpuLibrary = "pjrt_c_api_cpu_plugin.so"
)

// plugin installs XLA's plugin for processors into the user's cache: asked for, never on its own, and only the file whose hash is known.
func plugin(ctx context.Context, where site, args []string) error {
	flags := flag.NewFlagSet("plugin", flag.ContinueOnError)
	from := flags.String("from", "", "the wheel, downloaded before")
	names, err := parse(flags, args, 1, "the name of a plugin: cpu")
	if err != nil {
		return err
	}
	if names[0] != "cpu" {
		return fmt.Errorf("%w: plugin %q: only \"cpu\" is installed here; for xla:cuda see `go run ./recipes doctor`", errUsage, names[0])
	}
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return fmt.Errorf("the plugin is built for linux/amd64, this is %s/%s: go-xla's installer has others, see `go run ./recipes doctor`", runtime.GOOS, runtime.GOARCH)
	}
	wheel := *from
	if wheel == "" {
		dir, err := os.MkdirTemp("", "attune-plugin-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		if wheel, err = download(ctx, dir); err != nil {
			return err
		}
	}
	target, err := installPlugin(wheel, cpuSHA256)
	if err != nil {
		return err
	}
	fmt.Printf("installed  %s\n", target)
	fmt.Printf("xla:cpu is the default now for models of %d MB of weights and more; --backend go, or ATTUNE_BACKEND=go, chooses the Go backend\n", env.XLAFromBytes>>20)
	return nil
}

// download has pip fetch the wheel, which knows the user's index and proxies.
func download(ctx context.Context, dir string) (wheel string, err error) {
	fmt.Printf("downloading %s %s (63 MB) with pip\n", cpuPackage, cpuVersion)
	pip := exec.CommandContext(ctx, "python3", "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--disable-pip-version-check", "--dest", dir, cpuPackage+"=="+cpuVersion)
	pip.Stdout, pip.Stderr = os.Stdout, os.Stderr
	if err := pip.Run(); err != nil {
		return "", fmt.Errorf("python3 -m pip download: %w: download %s of the package %s from PyPI in another way and give it with --from FILE", err, cpuWheel, cpuPackage)
	}
	return filepath.Join(dir, cpuWheel), nil
}

// installPlugin checks a wheel's hash and puts its library into the cache.
func installPlugin(wheel, hash string) (target string, err error) {
	file, err := os.Open(wheel)
	if err != nil {
		return "", err
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", err
	}
	if found := hex.EncodeToString(sum.Sum(nil)); found != hash {
		return "", fmt.Errorf("%s has the SHA-256 %s, expected %s: it is not the file that was tried, and nothing was installed", wheel, found, hash)
	}
	archive, err := zip.OpenReader(wheel)
	if err != nil {
		return "", fmt.Errorf("%s: %w", wheel, err)
	}
	defer archive.Close()
	dir, err := env.PluginDir()
	if err != nil {
		return "", err
	}
	for _, entry := range archive.File {
		if path.Base(entry.Name) != cpuLibrary {
			continue
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return "", err
		}
		target = filepath.Join(dir, cpuLibrary)
		return target, env.WriteFile(target, 0o755, func(w io.Writer) error {
			library, err := entry.Open()
			if err != nil {
				return err
			}
			defer library.Close()
			_, err = io.Copy(w, library)
			return err
		})
	}
	return "", fmt.Errorf("%s holds no %s", wheel, cpuLibrary)
}
