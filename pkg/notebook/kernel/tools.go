package kernel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/gobuild"
)

// The tools, at the versions that the repository's go.mod pins (`tool` lines).
const (
	gonbPackage      = "github.com/janpfeifer/gonb"
	goimportsPackage = "golang.org/x/tools/cmd/goimports"
	goplsPackage     = "golang.org/x/tools/gopls"

	gonbModule      = "github.com/janpfeifer/gonb"
	goimportsModule = "golang.org/x/tools"
	goplsModule     = "golang.org/x/tools/gopls"
)

// Tools are the kernel's binaries in the user's cache folder. They are kept per version of the tools and of Go.
type Tools struct {
	Dir       string // holds gonb and goimports; goes into the kernel's PATH
	Gonb      string
	Goimports string
	Gopls     string // in a folder of its own: GoNB starts it when it is in the PATH, and a headless run has no use for it

	GonbVersion, GoimportsVersion, GoplsVersion, GoVersion string
}

// FindTools says where the tools pinned by the repository's go.mod are, built or not.
func FindTools(ctx context.Context, root string) (Tools, error) {
	if _, err := exec.LookPath("go"); err != nil {
		return Tools{}, errors.New("the go command is not in PATH, and notebook cells are compiled with it: install Go 1.26 or later from https://go.dev/dl/ and add its bin folder to PATH")
	}
	cache, err := env.CacheDir()
	if err != nil {
		return Tools{}, err
	}
	out, err := goOutput(ctx, root, "list", "-m", "-f", "{{.Version}}", gonbModule, goimportsModule, goplsModule)
	if err != nil {
		return Tools{}, fmt.Errorf("the versions of the kernel in %s: %w", filepath.Join(root, "go.mod"), err)
	}
	versions := strings.Fields(out)
	if len(versions) != 3 {
		return Tools{}, fmt.Errorf("%s: found the versions %q of %s, %s and %s, expected three", filepath.Join(root, "go.mod"), versions, gonbModule, goimportsModule, goplsModule)
	}
	goVersion, err := goOutput(ctx, root, "env", "GOVERSION")
	if err != nil {
		return Tools{}, err
	}
	t := Tools{GonbVersion: versions[0], GoimportsVersion: versions[1], GoplsVersion: versions[2], GoVersion: strings.TrimSpace(goVersion)}
	base := filepath.Join(cache, "tools", fmt.Sprintf("gonb-%s-tooltips_tools-%s_%s-%s-%s",
		t.GonbVersion, t.GoimportsVersion, t.GoVersion, runtime.GOOS, runtime.GOARCH))
	t.Dir = filepath.Join(base, "bin")
	t.Gonb = filepath.Join(t.Dir, executable("gonb"))
	t.Goimports = filepath.Join(t.Dir, executable("goimports"))
	t.Gopls = filepath.Join(base, "gopls-"+t.GoplsVersion, executable("gopls"))
	return t, nil
}

// Built reports whether gonb and goimports are there.
func (t Tools) Built() bool { return isFile(t.Gonb) && isFile(t.Goimports) }

// BuildTools builds gonb and goimports unless they are there; log says what is built and how long it took.
func BuildTools(ctx context.Context, root string, log io.Writer, terminal bool) (Tools, error) {
	t, err := FindTools(ctx, root)
	if err != nil || t.Built() {
		return t, err
	}
	// Built with the cells' environment, so that the standard library is compiled once for both.
	label := fmt.Sprintf("building the kernel, gonb %s (once)", t.GonbVersion)
	return t, buildInto(ctx, root, log, terminal, label, map[string]string{gonbPackage: t.Gonb, goimportsPackage: t.Goimports})
}

// BuildGopls builds gopls, which GoNB uses for completion in Jupyter, unless it is there.
func (t Tools) BuildGopls(ctx context.Context, root string, log io.Writer, terminal bool) error {
	if isFile(t.Gopls) {
		return nil
	}
	label := fmt.Sprintf("building gopls %s for completion (once)", t.GoplsVersion)
	return buildInto(ctx, root, log, terminal, label, map[string]string{goplsPackage: t.Gopls})
}

// buildInto builds commands in one go and moves them to their places: another run never sees half a binary. Two runs that build at a time wait for each other.
func buildInto(ctx context.Context, root string, log io.Writer, terminal bool, label string, targets map[string]string) error {
	var dir string
	for _, target := range targets {
		dir = filepath.Dir(target)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("the folder for the kernel: %w", err)
	}
	lock, err := waitForLock(ctx, filepath.Join(dir, "build.lock"), log)
	if err != nil {
		return fmt.Errorf("the folder for the kernel: %w", err)
	}
	defer lock.Unlock()
	if missing := slices.DeleteFunc(slices.Collect(maps.Values(targets)), isFile); len(missing) == 0 {
		return nil // built while this run waited
	}
	stale, _ := filepath.Glob(filepath.Join(dir, ".build-*")) // of a build that was killed
	for _, folder := range stale {
		os.RemoveAll(folder)
	}
	temp, err := os.MkdirTemp(dir, ".build-")
	if err != nil {
		return fmt.Errorf("the folder for the kernel: %w", err)
	}
	defer os.RemoveAll(temp)
	environ := Environment(GoBackend, "")
	if targets[gonbPackage] != "" {
		changed, err := os.MkdirTemp(dir, ".build-")
		if err != nil {
			return fmt.Errorf("the folder for the kernel: %w", err)
		}
		defer os.RemoveAll(changed)
		path, err := changedKernel(ctx, root, changed)
		if err != nil {
			return err
		}
		environ = withModfile(environ, path)
	}
	err = Build(ctx, gobuild.Build{Dir: root, Packages: slices.Sorted(maps.Keys(targets)), Output: temp + string(filepath.Separator), Env: environ,
		Label: label, Log: log, Terminal: terminal})
	if err != nil {
		return err
	}
	for _, target := range targets {
		if err := os.Rename(filepath.Join(temp, filepath.Base(target)), target); err != nil {
			return fmt.Errorf("the kernel was built, but: %w", err)
		}
	}
	return nil
}

// waitForLock takes a lock, and waits where another process holds it.
func waitForLock(ctx context.Context, path string, log io.Writer) (*env.FileLock, error) {
	const sayEvery = 4 * time.Second
	started, said := time.Now(), time.Time{}
	for {
		lock, err := env.TryLock(path, fmt.Sprintf("process %d", os.Getpid()))
		var locked *env.LockedError
		if !errors.As(err, &locked) || locked.Stale {
			return lock, err
		}
		if log != nil && time.Since(said) > sayEvery {
			said = time.Now()
			fmt.Fprintf(log, "waiting for another build of the kernel (%s), %s\n", locked.Holder, seconds(time.Since(started)))
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return nil, stopReason(ctx)
		}
	}
}

// goOutput runs the go command in the repository, without a go.work of the user's.
func goOutput(ctx context.Context, root string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	cmd.Env = withEntries(os.Environ(), map[string]string{"GOWORK": "off"})
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w\n%s\n%s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()), missingModules)
	}
	return string(out), nil
}

const missingModules = "(if modules are missing: run `go mod download` once in the repository, with a network)"

func executable(name string) string {
	if runtime.GOOS == "windows" {
		return name + ".exe"
	}
	return name
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
