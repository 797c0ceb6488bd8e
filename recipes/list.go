package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/attune-lab/attune/pkg/recipe"
)

// list prints every recipe with the question it answers and its parameters.
func list(_ context.Context, where site, args []string) error {
	if _, err := parse(flag.NewFlagSet("list", 0), args, 0, "no argument"); err != nil {
		return err
	}
	recipes, err := recipe.List(where.recipes)
	for i, r := range recipes {
		if i > 0 {
			fmt.Println()
		}
		fmt.Print(r.Name)
		if r.Title != "" {
			fmt.Print(": ", r.Title)
		}
		fmt.Println()
		if r.Answers != "" {
			fmt.Println("  " + r.Answers)
		}
		table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		for _, p := range r.Parameters {
			fmt.Fprintf(table, "    -p %s=%s\t%s\t%s\n", p.Name, p.Literal(), p.Kind, p.Help)
		}
		table.Flush()
	}
	return err
}
