package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/gobuild"
	"github.com/attune-lab/attune/pkg/notebook/kernel"
	"github.com/attune-lab/attune/pkg/recipe"
	"github.com/attune-lab/attune/pkg/report"
)

// doctor prints what is installed, which backends load, and how to get what is missing. It changes nothing and downloads
// nothing; it only compiles the probe. It fails when recipes cannot run at all.
func doctor(ctx context.Context, where site, args []string) error {
	if _, err := parse(flag.NewFlagSet("doctor", 0), args, 0, "no argument"); err != nil {
		return err
	}
	tools, err := kernel.FindTools(ctx, where.root)
	if err != nil {
		return err
	}
	say("go", "ok", "%s %s/%s", tools.GoVersion, runtime.GOOS, runtime.GOARCH)
	if tools.Built() {
		say("kernel", "ok", "gonb %s, goimports %s in %s", tools.GonbVersion, tools.GoimportsVersion, recipe.Relative(tools.Dir))
	} else {
		say("kernel", "-", "gonb %s, goimports %s: not built yet, the first run does it", tools.GonbVersion, tools.GoimportsVersion)
	}
	compiler, compilerErr := kernel.CCompiler()
	if compilerErr == nil {
		say("cgo", "ok", "C compiler %s", compiler)
	} else {
		say("cgo", "-", "%v; only XLA needs it", compilerErr)
	}
	works := probe(ctx, where, kernel.GoBackend)
	if compilerErr == nil {
		loaded := false
		for _, name := range kernel.Backends[1:] {
			loaded = probe(ctx, where, name) || loaded
		}
		sayCards(ctx)
		if !loaded {
			fmt.Print(howToGetXLA)
		}
	}
	sayDefault()
	sayJupyter()
	sayShared(where)
	sayCaches(ctx, where)
	if !works {
		return errors.New("the Go backend does not open: recipes cannot run")
	}
	return nil
}

func say(what, state, format string, args ...any) {
	fmt.Printf("%-9s %-3s %s\n", what, state, report.Clean(fmt.Sprintf(format, args...)))
}

const probeTimeout = 5 * time.Minute // compiling XLA's binding with a cold cache on few cores

// probe opens a backend in another process and prints what it found.
func probe(ctx context.Context, where site, backend string) bool {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	environment := kernel.Environment(backend, "")
	err := kernel.Build(ctx, gobuild.Build{Dir: where.root, Packages: []string{"./recipes/probe"}, Env: environment,
		Label: "compiling what opens " + backend, Log: os.Stdout, Terminal: where.terminal, Quiet: true})
	if err != nil {
		say(backend, "no", "%s", lastLine(err.Error()))
		return false
	}
	cmd := exec.CommandContext(ctx, "go", "run", "./recipes/probe", backend)
	cmd.Dir, cmd.Env = where.root, environment
	cmd.WaitDelay = time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var found struct {
		Error, Name string
		Devices     []string
		Plugins     map[string]string
	}
	if err != nil {
		say(backend, "no", "the process that opens it failed (%v): %s", err, lastLine(stderr.String()))
		return false
	}
	if err := json.Unmarshal(out, &found); err != nil {
		say(backend, "no", "the probe printed %q", out)
		return false
	}
	plugin, isXLA := strings.CutPrefix(backend, "xla:")
	path, there := found.Plugins[plugin]
	if there {
		say("plugin", "ok", "%s: %s", plugin, path)
	}
	switch {
	case found.Error != "" && isXLA && !there:
		say(backend, "no", "found no PJRT plugin named %q", plugin)
		return false
	case found.Error != "":
		say(backend, "no", "%s", strings.Join(strings.Fields(found.Error), " "))
		return false
	}
	say(backend, "ok", "%s, %d device(s): %s", found.Name, len(found.Devices), strings.Join(found.Devices, ", "))
	return true
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

const howToGetXLA = `          XLA is optional. Its backends need a PJRT plugin (go-xla, the successor of gopjrt, opens it):
          - an NVIDIA GPU and a Python with JAX for CUDA: copy its site-packages/jax_plugins/xla_cuda*/xla_cuda_plugin.so to
            DIR/pjrt_c_api_cuda_plugin.so, then export PJRT_PLUGIN_LIBRARY_PATH=DIR and put the lib folders of
            site-packages/nvidia into LD_LIBRARY_PATH
          - a processor (linux/amd64): go run ./recipes plugin cpu
          - otherwise go-xla's installer: https://github.com/gomlx/go-xla, "Installation"; it downloads
            into ~/.local/lib/go-xla
`

// sayCards prints the memory of NVIDIA's cards and what models fit.
func sayCards(ctx context.Context) {
	out, err := exec.CommandContext(ctx, "nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits").Output()
	if err != nil {
		return // no card, or no tool that tells
	}
	if text := cardsText(strings.Fields(string(out))); text != "" {
		say("cards", "ok", "%s", text)
	}
}

// cardsText is what models fit on cards of so many MiB, by what XLA allocates, three quarters of a card's memory; a tenth is left to what passes need.
func cardsText(mib []string) string {
	least := 0.0
	for i, text := range mib {
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return ""
		}
		if i == 0 || n < least {
			least = n
		}
	}
	if least == 0 {
		return ""
	}
	fits := least / 1024 * 0.75 * 0.9
	text := fmt.Sprintf("%d of %.0f GiB: weights of %.0f GiB fit on each, %.0f billion parameters in bfloat16", len(mib), least/1024, fits, fits*(1<<30)/2e9)
	if n := len(mib); n > 1 {
		text += fmt.Sprintf(", and %.0f billion cut over %d (-p devices=%d)", float64(n)*fits*(1<<30)/2e9, n, n)
	}
	return text
}

// sayDefault prints which backend a run takes that is given none.
func sayDefault() {
	name, err := env.BackendName()
	switch {
	case err != nil:
		say("default", "no", "%v", err)
	case name != "":
		say("default", "ok", "%s, from the environment", name)
	case env.FindCPUPlugin() != "":
		say("default", "ok", "xla:cpu for models of %d MB of weights and more, go for smaller ones: at that size they take the same time for 100 questions, compiling included", env.XLAFromBytes>>20)
	default:
		say("default", "ok", "go; `go run ./recipes plugin cpu` installs XLA's plugin for processors, which is the faster one for models of more than 10 million parameters")
	}
}

func sayJupyter() {
	if command := jupyterCommand(); command != nil {
		say("jupyter", "ok", "%s (%s jupyter installs the kernel and starts it)", command[0], called())
	} else {
		say("jupyter", "-", "not installed, only interactive use needs it: apt install --no-install-recommends jupyter-notebook, or pip install jupyterlab")
	}
	if path, err := exec.LookPath("jupyter-nbconvert"); err == nil {
		say("nbconvert", "ok", "%s", path)
	} else {
		say("nbconvert", "-", "not installed, only `jupyter nbconvert` needs it: apt install --no-install-recommends jupyter-nbconvert")
	}
}

func sayShared(where site) {
	shared := filepath.Join(filepath.Dir(where.root), "shared")
	if exists(shared) {
		say("data", "ok", "%s", recipe.Relative(shared))
	} else {
		say("data", "-", "no folder ../shared beside the repository: tests on published models and data are skipped, recipes use the embedded model")
	}
}

// sayCaches prints what the caches take on the disk.
func sayCaches(ctx context.Context, where site) {
	if dir, err := env.CacheDir(); err == nil {
		say("disk", "", "%7s  %s (kernel)", size(dir), dir)
	}
	cmd := exec.CommandContext(ctx, "go", "env", "GOCACHE")
	cmd.Dir = where.root
	if out, err := cmd.Output(); err == nil {
		dir := strings.TrimSpace(string(out))
		say("disk", "", "%7s  %s (Go's build cache)", size(dir), dir)
	}
	if runs := filepath.Join(where.root, "runs"); exists(runs) {
		say("disk", "", "%7s  %s (runs)", size(runs), recipe.Relative(runs))
	}
}

// size is how much the files below a folder take.
func size(dir string) string {
	var bytes int64
	filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil // unreadable or just removed: count the rest
		}
		if info, err := entry.Info(); err == nil && info.Mode().IsRegular() {
			bytes += info.Size()
		}
		return nil
	})
	if bytes >= 1<<30 {
		return fmt.Sprintf("%.1f GB", float64(bytes)/(1<<30))
	}
	return fmt.Sprintf("%.0f MB", float64(bytes)/(1<<20))
}
