package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/attune-lab/attune/pkg/note"
	"github.com/attune-lab/attune/pkg/notebook"
	"github.com/attune-lab/attune/pkg/notebook/kernel"
	"github.com/attune-lab/attune/pkg/recipe"
	"github.com/attune-lab/attune/pkg/recipe/values"
	"github.com/attune-lab/attune/pkg/worker/client"
)

// defaultTimeout ends a run that hangs; nothing that is known runs as long.
const defaultTimeout = 24 * time.Hour

// runFlags registers the flags that run and check share.
func runFlags(flags *flag.FlagSet, options *recipe.Options) {
	flags.StringVar(&options.Dir, "o", "", "run directory")
	flags.BoolVar(&options.Force, "force", false, "run into a directory that already holds a run")
	flags.StringVar(&options.Backend, "backend", "", "backend")
	flags.DurationVar(&options.Timeout, "timeout", defaultTimeout, "limit for all cells; 0: none")
	flags.DurationVar(&options.CellTimeout, "cell-timeout", 0, "limit for each cell")
}

// parity runs the recipe of that name, with --self without a reference.
func parity(ctx context.Context, where site, args []string) error {
	asked := []string{"parity"}
	for _, a := range args {
		if a == "--self" || a == "-self" {
			asked = append(asked, "-p", "reference=self")
			continue
		}
		asked = append(asked, a)
	}
	return run(ctx, where, asked)
}

// run executes a recipe, or any notebook given by its path, and says where the note is; with --sweep at several points, with --from as a bundle says.
func run(ctx context.Context, where site, args []string) error {
	options := recipe.Options{Overrides: notebook.Overrides{}}
	var sweep []string
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	runFlags(flags, &options)
	flags.Func("p", "parameter key=value", options.Overrides.Set)
	flags.Func("sweep", "parameter key=value,value,...", func(axis string) error { sweep = append(sweep, axis); return nil })
	params := flags.String("params", "", "file of parameters")
	dry := flags.Bool("dry-run", false, "say what would be computed")
	from := flags.String("from", "", "bundle")
	positional := 1
	if slices.ContainsFunc(args, func(a string) bool {
		return strings.HasPrefix(strings.TrimLeft(a, "-"), "from") && strings.HasPrefix(a, "-")
	}) {
		positional = 0 // the bundle names the recipe
	}
	names, err := parse(flags, args, positional, "the name of one recipe, or --from BUNDLE,")
	if name := helpFor(args); errors.Is(err, flag.ErrHelp) && name != "" {
		return help(os.Stdout, where, name)
	}
	if err != nil {
		return err
	}
	if *from != "" {
		if len(sweep) > 0 || *params != "" || len(options.Overrides) > 0 {
			return fmt.Errorf("%w: run --from takes the parameters of its bundle: leave out -p, --params and --sweep", errUsage)
		}
		return runBundle(ctx, where, options, *from)
	}
	if options.Path, err = recipe.Find(where.recipes, names[0]); err != nil {
		return err
	}
	if *params != "" {
		read, err := recipe.ReadParameters(*params)
		if err != nil {
			return err
		}
		maps.Copy(read, options.Overrides) // -p wins
		options.Overrides = read
	}
	if *dry {
		return dryRun(ctx, where, options, sweep)
	}
	if len(sweep) > 0 {
		return runSweep(ctx, where, options, quote(names[0]), sweep)
	}
	_, err = execute(ctx, where, options, "run "+quote(names[0]))
	return err
}

// unfinishedError is a run that did not come to its end, with the command that continues it.
type unfinishedError struct {
	err     error
	command string
}

func (e *unfinishedError) Error() string { return e.err.Error() }
func (e *unfinishedError) Unwrap() error { return e.err }

// execute runs a recipe and prints what it left. Only a run whose cells all succeeded and that wrote results.json is a success; a
// notebook from outside the recipes folder need not write any. The command ("run NAME", "check NAME") begins the one that continues an unfinished run.
func execute(ctx context.Context, where site, options recipe.Options, command string) (*recipe.Result, error) {
	options.Root, options.Log, options.Terminal, options.Check = where.root, os.Stdout, where.terminal, checkValues(where)
	options.Command = called() + " " + quote(os.Args[1:]...)
	started := time.Now()
	if _, err := recipe.Values(options); err != nil {
		return nil, err
	}
	if err := buildWorker(ctx, where, options.Backend); err != nil {
		return nil, err
	}
	options.WorkerBuilt = true
	result, err := recipe.Run(ctx, options)
	if result == nil {
		return nil, err
	}
	notebookLine := func() {
		if exists(result.Notebook) {
			fmt.Printf("notebook  %s\n", recipe.Relative(result.Notebook))
		}
	}
	if err != nil {
		notebookLine() // as far as it was executed
		return result, &unfinishedError{err, continuation(command, result.Dir, options)}
	}
	results, page := filepath.Join(result.Dir, "results.json"), filepath.Join(result.Dir, "note.html")
	isRecipe := filepath.Dir(options.Path) == where.recipes
	if isRecipe && !exists(results) {
		notebookLine()
		return result, fmt.Errorf("every cell succeeded, but there is no results.json in %s: the recipe's last cell must call Finish on its note", recipe.Relative(result.Dir))
	}
	fmt.Printf("\n%s finished in %s\n", strings.TrimSuffix(filepath.Base(options.Path), ".ipynb"), time.Since(started).Round(time.Second/10))
	if isRecipe {
		found, err := note.Load(result.Dir)
		if err != nil {
			return result, err
		}
		if found.Answer != "" {
			fmt.Println(found.Answer)
		}
	}
	notebookLine()
	for _, line := range []struct{ word, path string }{{"results ", results}, {"note    ", page}} {
		if exists(line.path) {
			fmt.Printf("%s  %s\n", line.word, recipe.Relative(line.path))
		}
	}
	return result, nil
}

// checkValues checks the values of parameters where relative paths start at the working directory or at the repository.
func checkValues(where site) func(string, map[string]any) error {
	return func(name string, parameters map[string]any) error {
		dirs := []string{where.root}
		if here, err := os.Getwd(); err == nil {
			dirs = append([]string{here}, dirs...)
		}
		return values.Check(name, parameters, dirs)
	}
}

// buildWorker makes the program that computes for the cells before the first of them waits for it.
func buildWorker(ctx context.Context, where site, backend string) error {
	sources, err := client.Sources(where.root)
	if err != nil {
		return err
	}
	_, err = client.Build(ctx, where.root, sources, kernel.Environment(backend, ""), os.Stdout)
	return err
}

// continuation is the command that runs into the same directory again: what is long continues where it stopped.
func continuation(command, dir string, options recipe.Options) string {
	words := []string{called(), command}
	if !strings.HasPrefix(command, "check") { // its parameters are those of the committed results
		for _, name := range slices.Sorted(maps.Keys(options.Overrides)) {
			words = append(words, "-p", quote(name+"="+options.Overrides[name]))
		}
	}
	if options.Backend != "" {
		words = append(words, "--backend", quote(options.Backend))
	}
	if options.Timeout != defaultTimeout {
		words = append(words, "--timeout", options.Timeout.String())
	}
	if options.CellTimeout != 0 {
		words = append(words, "--cell-timeout", options.CellTimeout.String())
	}
	return strings.Join(append(words, "-o", quote(recipe.Relative(dir)), "--force"), " ")
}

// quote writes words so that a shell reads them as they are.
func quote(words ...string) string {
	plain := regexp.MustCompile(`^[a-zA-Z0-9_=./:,+@%-]+$`)
	quoted := make([]string, len(words))
	for i, word := range words {
		if quoted[i] = word; !plain.MatchString(word) {
			quoted[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, os.ErrNotExist)
}
