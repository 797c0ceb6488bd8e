package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/attune-lab/attune/pkg/notebook/kernel"
	"github.com/attune-lab/attune/pkg/recipe"
	"github.com/attune-lab/attune/pkg/report"
)

// list prints every recipe with the question it answers and its parameters; with --runs the runs that were made.
func list(_ context.Context, where site, args []string) error {
	flags := flag.NewFlagSet("list", 0)
	runs := flags.Bool("runs", false, "the runs below runs/")
	if _, err := parse(flags, args, 0, "no argument"); err != nil {
		return err
	}
	if *runs {
		return listRuns(os.Stdout, where)
	}
	recipes, err := recipe.List(where.recipes)
	for i, r := range recipes {
		if i > 0 {
			fmt.Println()
		}
		describe(os.Stdout, r)
	}
	return err
}

// describe prints what a recipe answers, and its parameters with their defaults.
func describe(w io.Writer, r recipe.Recipe) {
	clean := report.Clean // a notebook may come from anywhere
	fmt.Fprint(w, clean(r.Name))
	if r.Title != "" {
		fmt.Fprint(w, ": ", clean(r.Title))
	}
	fmt.Fprintln(w)
	if r.Answers != "" {
		fmt.Fprintln(w, "  "+clean(r.Answers))
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, p := range r.Parameters {
		fmt.Fprintf(table, "    -p %s=%s\t%s\t%s\n", p.Name, p.Literal(), p.Kind, clean(p.Help))
	}
	table.Flush()
}

// helpFor is the recipe that a command line asks help for: the first word that is neither a flag nor a flag's value.
func helpFor(args []string) string {
	for i := 0; i < len(args); i++ {
		switch args[i] {
		case "-p", "--p", "-o", "--o", "-backend", "--backend", "-timeout", "--timeout", "-cell-timeout", "--cell-timeout", "-sweep", "--sweep", "-params", "--params", "-from", "--from":
			i++
			continue
		}
		if !strings.HasPrefix(args[i], "-") {
			return args[i]
		}
	}
	return ""
}

// help prints what a recipe answers, its parameters, and how it is run.
func help(w io.Writer, where site, name string) error {
	path, err := recipe.Find(where.recipes, name)
	if err != nil {
		return err
	}
	r, err := recipe.Read(path)
	if err != nil {
		return err
	}
	describe(w, r)
	fmt.Fprintf(w, `
usage: %s run %s [-p key=value]... [flags]

  --params FILE        parameters as a JSON object, or those of a run: its results.json; -p comes before it
  --sweep key=a,b      run at each value, with one note, table and family of tests over all; again for another parameter: all combinations
  --dry-run            what would be computed, what is known already and about how long it takes
  -o DIR               run directory (default: a new one, runs/%s/TIME)
  --force              run into a directory that already holds a run; what is long continues where it stopped
  --backend NAME       %s
  --timeout D          limit for all cells together (default 24h; 0: none)
  --cell-timeout D     limit for each cell (default: none)
`, called(), quote(name), r.Name, strings.Join(kernel.Backends, ", "))
	return nil
}
