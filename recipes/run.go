package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/attune-lab/attune/pkg/notebook"
	"github.com/attune-lab/attune/pkg/notebook/kernel"
	"github.com/attune-lab/attune/pkg/recipe"
)

// runFlags registers the flags that run and check share.
func runFlags(flags *flag.FlagSet, options *recipe.Options) {
	flags.StringVar(&options.Dir, "o", "", "run directory")
	flags.BoolVar(&options.Force, "force", false, "run into a directory that already holds a run")
	flags.StringVar(&options.Backend, "backend", kernel.GoBackend, "backend")
	flags.DurationVar(&options.Timeout, "timeout", 0, "limit for all cells")
	flags.DurationVar(&options.CellTimeout, "cell-timeout", 0, "limit for each cell")
}

// run executes a recipe, or any notebook given by its path, and says where the note is.
func run(ctx context.Context, where site, args []string) error {
	options := recipe.Options{Overrides: notebook.Overrides{}}
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	runFlags(flags, &options)
	flags.Func("p", "parameter key=value", options.Overrides.Set)
	names, err := parse(flags, args, 1, "the name of one recipe")
	if err != nil {
		return err
	}
	if options.Path, err = recipe.Find(where.recipes, names[0]); err != nil {
		return err
	}
	_, err = execute(ctx, where, options)
	return err
}

// execute runs a recipe and prints what it left. Only a run whose cells all succeeded and that wrote results.json is a success; a
// notebook from outside the recipes folder need not write any.
func execute(ctx context.Context, where site, options recipe.Options) (*recipe.Result, error) {
	options.Root, options.Log, options.Terminal = where.root, os.Stdout, where.terminal
	started := time.Now()
	result, err := recipe.Run(ctx, options)
	if result == nil {
		return nil, err
	}
	notebookLine := func() {
		if exists(result.Notebook) {
			fmt.Printf("notebook  %s\n", relative(result.Notebook))
		}
	}
	if err != nil {
		notebookLine() // as far as it was executed
		return result, err
	}
	results, note := filepath.Join(result.Dir, "results.json"), filepath.Join(result.Dir, "note.html")
	isRecipe := filepath.Dir(options.Path) == where.recipes
	if isRecipe && !exists(results) {
		notebookLine()
		return result, fmt.Errorf("every cell succeeded, but there is no results.json in %s: the recipe's last cell must call Finish on its note", relative(result.Dir))
	}
	fmt.Printf("\n%s finished in %s\n", strings.TrimSuffix(filepath.Base(options.Path), ".ipynb"), time.Since(started).Round(time.Second/10))
	notebookLine()
	for _, line := range []struct{ word, path string }{{"results ", results}, {"note    ", note}} {
		if exists(line.path) {
			fmt.Printf("%s  %s\n", line.word, relative(line.path))
		}
	}
	return result, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, os.ErrNotExist)
}
