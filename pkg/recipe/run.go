package recipe

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/notebook"
	"github.com/attune-lab/attune/pkg/notebook/kernel"
	"github.com/attune-lab/attune/pkg/report"
)

// Options say how a recipe is run.
type Options struct {
	Root        string             // repository root
	Path        string             // the notebook
	Overrides   notebook.Overrides // parameters given
	Dir         string             // run directory; "": runs/NAME/TIME below the root
	Force       bool               // run into a Dir that already holds a run
	WorkerBuilt bool               // the worker is there: what it is built of is not compiled ahead
	Fresh       bool               // results known already are not taken from the store: the run has a store of its own
	Backend     string             // "": what the environment names, else xla:cpu for larger models where it is found, else "go"
	Timeout     time.Duration      // for all cells together; 0: none
	CellTimeout time.Duration      // for each cell; 0: none
	Command     string             // the command line, told to those who find the directory locked; "": unknown
	Env         []string           // NAME=VALUE for the cells, beside what the run sets
	Log         io.Writer          // progress; nil: none
	Terminal    bool               // Log is a terminal

	// Check is asked about the values of the parameters before anything is started; nil: they are only checked for their types.
	Check func(recipe string, values map[string]any) error
}

// Result is what a run left behind.
type Result struct {
	Dir        string // absolute run directory
	ID         string // of this run: ATTUNE_RUN_ID
	Notebook   string // the executed notebook
	Backend    string // that the run was given, or chose
	Parameters map[string]any
}

// Run executes a recipe against a fresh kernel. The result is valid when the cells failed, too: the executed part is kept.
//
// The kernel works in the notebook's own folder, as it would in Jupyter, and finds in its environment:
// ATTUNE_RUN_DIR (absolute), ATTUNE_RUN_ID, ATTUNE_BACKEND, ATTUNE_CALLER_DIR (where the user is), ATTUNE_PARAMETERS (JSON) and ATTUNE_RECIPE.
//
// The run directory is locked meanwhile (run.lock): a second run into it is refused with an error that names the first one, and changes nothing. The lock ends
// with this process, also when that is killed.
func Run(ctx context.Context, options Options) (result *Result, err error) {
	if options.Log == nil {
		options.Log = io.Discard
	}
	name := strings.TrimSuffix(filepath.Base(options.Path), ".ipynb")
	nb, values, err := open(options)
	if err != nil {
		return nil, err
	}
	why := ""
	if options.Backend == "" {
		if options.Backend, why, err = backendOf(options.Root, values); err != nil {
			return nil, err
		}
	}
	if err := kernel.CheckBackend(options.Backend); err != nil {
		return nil, err
	}
	if why != "" {
		fmt.Fprintf(options.Log, "backend %s: %s; --backend %s chooses the other\n", options.Backend, why, kernel.GoBackend)
	}
	if n, _ := values["devices"].(int64); n > 1 && options.Backend == kernel.GoBackend {
		return nil, fmt.Errorf("parameter devices=%d: the Go backend has one device; add --backend xla:cuda or --backend xla:cpu", n)
	}
	if options.Backend != kernel.GoBackend {
		if _, err := kernel.CCompiler(); err != nil {
			return nil, fmt.Errorf("the backend %q is linked with cgo: %w, or use --backend %s", options.Backend, err, kernel.GoBackend)
		}
	}
	dir, err := openDirectory(options, name)
	if err != nil {
		return nil, err
	}
	defer dir.lock.Unlock()
	result = &Result{Dir: dir.path, ID: dir.id, Notebook: filepath.Join(dir.path, name+".ipynb"), Backend: options.Backend, Parameters: values}
	fmt.Fprintf(options.Log, "%s runs in %s\n", name, Relative(dir.path)) // a reader whose run is killed needs it
	variables, err := runEnvironment(name, result)
	if err != nil {
		return nil, err
	}
	variables = append(variables, options.Env...)
	if options.Fresh { // in work/: an interrupted run continues with it
		store := filepath.Join(dir.path, "work", "store")
		defer func() {
			if err == nil {
				os.RemoveAll(store)
			}
		}()
		variables = append(variables, env.Store+"="+store)
	}
	tools, err := kernel.BuildTools(ctx, options.Root, options.Log, options.Terminal)
	if err != nil {
		return result, err
	}
	environment := append(kernel.Environment(options.Backend, tools.Dir), variables...) // the last of two entries counts
	buildErr := kernel.Prebuild(ctx, options.Root, packages(nb, options), environment, options.Log, options.Terminal)
	if ctx.Err() != nil {
		return result, buildErr
	}
	if buildErr != nil {
		fmt.Fprintf(options.Log, "%s\n(running the cells all the same: the one that imports it fails)\n", report.Clean(buildErr.Error()))
	}
	k, err := kernel.Start(ctx, kernel.Options{Tools: tools, Dir: filepath.Dir(options.Path), Env: environment, Built: buildErr == nil})
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

// Values are the parameters of a run as they would be used, checked; nothing is started.
func Values(options Options) (map[string]any, error) {
	_, values, err := open(options)
	return values, err
}

// open reads the notebook, injects the parameters and checks their values.
func open(options Options) (*notebook.Notebook, map[string]any, error) {
	nb, err := notebook.Read(options.Path)
	if err != nil {
		return nil, nil, err
	}
	if language := nb.Language(); language != "" && language != "go" {
		return nil, nil, fmt.Errorf("notebook %s: its cells are in %s, and only Go is run: choose the kernel \"Go (gonb)\" for it in Jupyter", options.Path, language)
	}
	values, err := nb.Inject(options.Overrides)
	if err != nil {
		return nil, nil, err
	}
	if options.Check != nil {
		if err := options.Check(strings.TrimSuffix(filepath.Base(options.Path), ".ipynb"), values); err != nil {
			return nil, nil, err
		}
	}
	return nb, values, nil
}

// Relative is a path as seen from the working directory, when that is shorter.
func Relative(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(here, path); err == nil && len(rel) < len(path) {
		return rel
	}
	return path
}

// packages are what the run needs compiled: what cells import, and the worker that lab asks unless it is built.
func packages(nb *notebook.Notebook, options Options) []string {
	imports := nb.Imports()
	if _, err := os.Stat(filepath.Join(options.Root, "recipes", "work")); err == nil && !options.WorkerBuilt && slices.Contains(imports, env.Module+"/pkg/lab") {
		imports = append(imports, "./recipes/work")
	}
	return imports
}

// runEnvironment is what the cells find in their environment about the run.
func runEnvironment(name string, r *Result) ([]string, error) {
	caller, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	parameters, err := json.Marshal(r.Parameters)
	if err != nil {
		return nil, err
	}
	return []string{
		env.RunDir + "=" + r.Dir,
		env.RunID + "=" + r.ID,
		env.CallerDir + "=" + caller,
		env.Params + "=" + string(parameters),
		env.Recipe + "=" + name,
	}, nil
}
