package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/gobuild"
)

// Package is the worker's program, relative to the repository.
const Package = "./recipes/work"

// place is where a worker is met.
type place struct {
	root   string // the repository
	socket string
	log    string
	owner  Process // whose end is the worker's
}

// own is the folder of a process that runs in no kernel, made once.
var own = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "attune-worker-") })

// findPlace is the kernel's temporary folder, and a folder of its own for a process without a kernel.
func findPlace(root string) (place, error) {
	p := place{root: root}
	dir, pid := os.Getenv(env.GonbTmpDir), os.Getppid()
	if dir == "" {
		var err error
		if dir, err = own(); err != nil {
			return p, err
		}
		pid = os.Getpid()
	}
	var err error
	if p.owner, err = FindProcess(pid); err != nil {
		return p, err
	}
	p.socket, p.log = filepath.Join(dir, "attune.sock"), filepath.Join(dir, "attune-worker.log")
	if run := os.Getenv(env.RunDir); run != "" && os.MkdirAll(filepath.Join(run, "work"), 0o755) == nil {
		p.log = filepath.Join(run, "work", "worker.log") // the kernel's folder goes with it
	}
	if len(p.socket) > 100 { // a socket's path holds 107 bytes
		short := filepath.Join(os.TempDir(), fmt.Sprintf("attune-%d-%d.sock", p.owner.PID, p.owner.Started))
		p.socket = short
	}
	return p, nil
}

// start builds the worker where its sources changed, starts it and waits until it listens. Of several that start at once one worker remains: the others find the socket taken.
func (c *Client) start(ctx context.Context, p env.Profile) (net.Conn, error) {
	lock, err := c.startLock(ctx)
	if err != nil {
		return nil, err
	}
	defer lock.Unlock()
	var d net.Dialer
	once := os.Getenv(env.Worker) == "once"
	if !once {
		if conn, err := d.DialContext(ctx, "unix", c.place.socket); err == nil {
			return conn, nil // another cell was faster
		}
	}
	binary, err := Build(ctx, c.place.root, c.sources, os.Environ(), c.out)
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(c.place.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the worker's log: %w", err)
	}
	defer log.Close()
	args := []string{"--socket", c.place.socket, "--owner", c.place.owner.String(), "--sources", c.sources}
	if p != "" {
		args = append(args, "--profile", string(p))
	}
	if once {
		args = append(args, "--once")
	}
	cmd := exec.Command(binary, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.place.root, log, log
	detach(cmd)
	os.Remove(c.place.socket)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the worker: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	patience := time.NewTimer(dialPatience)
	defer patience.Stop()
	for {
		if conn, err := d.DialContext(ctx, "unix", c.place.socket); err == nil {
			return conn, nil
		}
		select {
		case err := <-ended:
			return nil, fmt.Errorf("the worker ended at once (%v): %s", err, lastLines(c.place.log))
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-patience.C:
			return nil, fmt.Errorf("the worker does not listen after %v; its log: %s", dialPatience, c.place.log)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// startLock serialises starting.
func (c *Client) startLock(ctx context.Context) (*env.FileLock, error) {
	for {
		lock, err := env.TryLock(c.place.socket+".lock", fmt.Sprintf("process %d, which starts a worker", os.Getpid()))
		var locked *env.LockedError
		if !errors.As(err, &locked) || locked.Stale {
			return lock, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Build makes the worker's binary of these sources in an environment (that of the kernel whose cells ask: whether XLA is linked and which vector instructions are used depend on it),
// unless it is in the cache, and tells on out how far it is. Of workers of other sources the cache keeps the last few.
func Build(ctx context.Context, root, sources string, environ []string, out io.Writer) (string, error) {
	cache, err := env.CacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "worker")
	environ = withVectors(environ)
	binary := filepath.Join(dir, sources[:24]+buildName(environ))
	if info, err := os.Stat(binary); err == nil && info.Mode().IsRegular() {
		_ = os.Chtimes(binary, time.Time{}, time.Now()) // in use, see removeOld
		return binary, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	removeOld(dir)
	building := fmt.Sprintf("%s.%d.tmp", binary, os.Getpid())
	defer os.Remove(building)
	b := gobuild.Build{Dir: root, Packages: []string{Package}, Output: building, Env: append(environ, "GOFLAGS=-ldflags=-s", "GOWORK=off"), Label: "building the worker, once for these sources", Log: out}
	if err := b.Run(ctx); err != nil {
		return "", fmt.Errorf("build the worker: %w", err)
	}
	if err := os.Rename(building, binary); err != nil {
		return "", err
	}
	return binary, nil
}

// withVectors adds GOEXPERIMENT=simd where nothing is said about it and the processor is of the kind: the Go backend is several times as fast with it.
func withVectors(environ []string) []string {
	if runtime.GOARCH != "amd64" || slices.ContainsFunc(environ, func(e string) bool { return strings.HasPrefix(e, "GOEXPERIMENT=") }) {
		return environ
	}
	return append(slices.Clone(environ), "GOEXPERIMENT=simd")
}

// buildName tells binaries of one source apart that are built differently.
func buildName(environ []string) string {
	name := ""
	for _, variable := range []string{"CGO_ENABLED=", "GOEXPERIMENT="} {
		for _, e := range environ {
			if value, ok := strings.CutPrefix(e, variable); ok && value != "" {
				name += "-" + strings.ReplaceAll(value, ",", "+")
			}
		}
	}
	return name
}

// keptWorkers is how many binaries of other sources stay in the cache, 35 MB each: who goes back and forth between a few states of the sources builds none again.
const keptWorkers = 8

// removeOld removes all workers but those used last, and what builds left behind a day ago. One that runs keeps running: its file is unlinked only.
func removeOld(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	var binaries []fs.FileInfo
	for _, e := range entries {
		info, err := e.Info()
		switch {
		case err != nil: // removed by another
		case !strings.HasSuffix(e.Name(), ".tmp"):
			binaries = append(binaries, info)
		case time.Since(info.ModTime()) > 24*time.Hour:
			os.Remove(filepath.Join(dir, e.Name()))
		}
	}
	slices.SortFunc(binaries, func(a, b fs.FileInfo) int { return b.ModTime().Compare(a.ModTime()) })
	for _, info := range binaries[min(keptWorkers, len(binaries)):] {
		os.Remove(filepath.Join(dir, info.Name()))
	}
}

func tail(lines []string, n int) []string { return lines[max(0, len(lines)-n):] }

func lastLines(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return strings.Join(tail(strings.Split(strings.TrimSpace(string(text)), "\n"), 10), "\n")
}
