package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/attune-lab/attune/pkg/notebook"
)

// list prints every recipe with the question it answers and its parameters.
func list(_ context.Context, where site, args []string) error {
	if _, err := parse(flag.NewFlagSet("list", 0), args, 0, "no argument"); err != nil {
		return err
	}
	recipes, err := notebook.Recipes(where.recipes)
	for i, recipe := range recipes {
		if i > 0 {
			fmt.Println()
		}
		fmt.Print(recipe.Name)
		if recipe.Title != "" {
			fmt.Print(": ", recipe.Title)
		}
		fmt.Println()
		if recipe.Answers != "" {
			fmt.Println("  " + recipe.Answers)
		}
		table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		for _, p := range recipe.Parameters {
			fmt.Fprintf(table, "    -p %s=%s\t%s\t%s\n", p.Name, p.Literal(), p.Kind, p.Help)
		}
		table.Flush()
	}
	return err
}
