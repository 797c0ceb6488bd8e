package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/attune-lab/attune/pkg/recipe"
	"github.com/attune-lab/attune/pkg/report"
)

// listRuns prints the runs below runs/, newest first, with the parameters that are not the recipe's defaults.
func listRuns(w io.Writer, where site) error {
	folder := filepath.Join(where.root, "runs")
	runs, err := recipe.Runs(folder, where.recipes)
	if err != nil {
		return err
	}
	if len(runs) == 0 {
		fmt.Fprintf(w, "no runs in %s yet\n", recipe.Relative(folder))
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "changed\trecipe\tstate\tnumbers\tdirectory\tparameters")
	for _, r := range runs {
		var given []string
		for _, c := range r.Changes {
			given = append(given, c.Name+"="+strings.Trim(c.B, `"`))
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%s\n", r.Changed.Format("2006-01-02 15:04"), report.Clean(r.Recipe), r.State, r.Numbers, recipe.Relative(r.Dir), report.Clean(strings.Join(given, " ")))
	}
	return t.Flush()
}
