package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/attune-lab/attune/pkg/note"
	"github.com/attune-lab/attune/pkg/recipe"
)

// check runs a recipe again with the parameters of committed results and compares number by number.
func check(ctx context.Context, where site, args []string) error {
	var options recipe.Options
	flags := flag.NewFlagSet("check", flag.ContinueOnError)
	runFlags(flags, &options)
	names, err := parse(flags, args, 1, "the name of a recipe or the directory of a run")
	if err != nil {
		return err
	}
	committed, err := recipe.CommittedResults(where.recipes, names[0])
	if err != nil {
		return err
	}
	want, err := note.Load(committed)
	if err != nil {
		return err
	}
	if options.Path, err = recipe.Find(where.recipes, want.Recipe); err != nil {
		return fmt.Errorf("%s: %w", recipe.Relative(committed), err)
	}
	options.Overrides, options.Fresh = recipe.ParametersOf(want), true
	if options.Backend == "" { // numbers are compared with those of the same backend
		options.Backend, _ = recipe.BackendOf(want)
	}
	fmt.Printf("checking %s against %s\n", want.Recipe, recipe.Relative(committed))
	result, err := execute(ctx, where, options, "check "+quote(names[0]))
	if err != nil {
		return err
	}
	got, err := note.Load(result.Dir)
	if err != nil {
		return err
	}
	differences := note.Compare(got, want)
	fmt.Println()
	recipe.WriteComparison(os.Stdout, got, want, differences)
	if len(differences) > 0 {
		return fmt.Errorf("%d difference(s) from %s; the rerun is in %s", len(differences), recipe.Relative(committed), recipe.Relative(result.Dir))
	}
	fmt.Printf("all %d numbers agree within their tolerances\n", len(want.Results))
	return nil
}
