package recipe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/notebook"
	"github.com/attune-lab/attune/pkg/notebook/kernel"
)

// Options say how a recipe is run.
type Options struct {
	Root        string             // repository root
	Path        string             // the notebook
	Overrides   notebook.Overrides // parameters given
	Dir         string             // run directory; "": runs/NAME/TIME below the root
	Force       bool               // run into a Dir that already holds a run
	Backend     string             // "": "go"
	Timeout     time.Duration
	CellTimeout time.Duration
	Log         io.Writer // progress; nil: none
	Terminal    bool      // Log is a terminal
}

// Result is what a run left behind.
type Result struct {
	Dir        string // absolute run directory
	Notebook   string // the executed notebook
	Parameters map[string]any
}

// Run executes a recipe against a fresh kernel. The result is valid when the cells failed, too: the executed part is kept.
//
// The kernel works in the notebook's own folder, as it would in Jupyter, and finds in its environment:
// ATTUNE_RUN_DIR (absolute), ATTUNE_BACKEND, ATTUNE_CALLER_DIR (where the user is), ATTUNE_PARAMETERS (JSON) and ATTUNE_RECIPE.
func Run(ctx context.Context, options Options) (*Result, error) {
	if options.Log == nil {
		options.Log = io.Discard
	}
	if options.Backend == "" {
		options.Backend = kernel.GoBackend
	}
	if err := kernel.CheckBackend(options.Backend); err != nil {
		return nil, err
	}
	nb, err := notebook.Read(options.Path)
	if err != nil {
		return nil, err
	}
	values, err := nb.Inject(options.Overrides)
	if err != nil {
		return nil, err
	}
	if options.Backend != kernel.GoBackend {
		if _, err := kernel.CCompiler(); err != nil {
			return nil, fmt.Errorf("the backend %q is linked with cgo: %w, or use --backend %s", options.Backend, err, kernel.GoBackend)
		}
	}
	name := strings.TrimSuffix(filepath.Base(options.Path), ".ipynb")
	dir, err := runDirectory(options, name)
	if err != nil {
		return nil, err
	}
	variables, err := runEnvironment(name, dir, values)
	if err != nil {
		return nil, err
	}
	result := &Result{Dir: dir, Notebook: filepath.Join(dir, name+".ipynb"), Parameters: values}
	tools, err := kernel.BuildTools(ctx, options.Root, options.Log, options.Terminal)
	if err != nil {
		return result, err
	}
	environment := append(kernel.Environment(options.Backend, tools.Dir), variables...) // the last of two entries counts
	if err := kernel.Prebuild(ctx, options.Root, nb.Imports(), environment, options.Log, options.Terminal); err != nil {
		if ctx.Err() != nil {
			return result, err
		}
		fmt.Fprintf(options.Log, "%v\n(running the cells all the same: the one that imports it fails)\n", err)
	}
	k, err := kernel.Start(ctx, kernel.Options{Tools: tools, Dir: filepath.Dir(options.Path), Env: environment})
	if err != nil {
		return result, err
	}
	defer k.Close()
	return result, kernel.Execute(ctx, k, nb, kernel.ExecuteOptions{
		Save: result.Notebook, Root: options.Root,
		Timeout: options.Timeout, CellTimeout: options.CellTimeout,
		Log: options.Log, Terminal: options.Terminal,
	})
}

// runEnvironment is what the cells find in their environment about the run.
func runEnvironment(name, dir string, values map[string]any) ([]string, error) {
	caller, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	parameters, err := json.Marshal(values)
	if err != nil {
		return nil, err
	}
	return []string{
		env.RunDir + "=" + dir,
		env.CallerDir + "=" + caller,
		env.Params + "=" + string(parameters),
		env.Recipe + "=" + name,
	}, nil
}

// runFiles are what a run writes at the top of its directory; they tell that a directory holds a run. Its work/ folder is
// kept when a run is repeated into the directory: what is long goes on where it stopped.
func runFiles(name string) []string {
	return []string{name + ".ipynb", "results.json", "note.html", "provenance.json", "arrays.safetensors"}
}

// runDirectory makes the run directory. By default it is a new one named by the time; a given one that holds a run is refused
// unless forced, and then that run's results are removed, so that they are never taken for the new one's.
func runDirectory(options Options, name string) (string, error) {
	if options.Dir == "" {
		return newRunDirectory(filepath.Join(options.Root, "runs", name), time.Now())
	}
	dir, err := filepath.Abs(options.Dir)
	if err != nil {
		return "", err
	}
	for _, file := range runFiles(name) {
		path := filepath.Join(dir, file)
		if !isFile(path) {
			continue
		}
		if !options.Force {
			return "", fmt.Errorf("%s already holds a run (%s): choose another directory with -o, or run into this one again with --force", options.Dir, file)
		}
		if err := os.Remove(path); err != nil {
			return "", fmt.Errorf("the earlier run in %s: %w", options.Dir, err)
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("the run directory: %w", err)
	}
	return dir, nil
}

// newRunDirectory makes parent/TIME, with a number behind it when two runs start in the same second.
func newRunDirectory(parent string, now time.Time) (string, error) {
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", fmt.Errorf("the run directory: %w", err)
	}
	base := filepath.Join(parent, now.UTC().Format("20060102T150405Z"))
	dir := base
	for i := 2; ; i++ {
		err := os.Mkdir(dir, 0o755)
		if err == nil {
			return dir, nil
		}
		if !errors.Is(err, os.ErrExist) {
			return "", fmt.Errorf("the run directory: %w", err)
		}
		dir = fmt.Sprintf("%s-%d", base, i)
	}
}
