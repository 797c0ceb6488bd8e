package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/attune-lab/attune/pkg/note"
	"github.com/attune-lab/attune/pkg/notebook"
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
	committed, err := committedResults(where, names[0])
	if err != nil {
		return err
	}
	want, err := note.Load(committed)
	if err != nil {
		return err
	}
	if options.Path, err = recipe.Find(where.recipes, want.Recipe); err != nil {
		return fmt.Errorf("%s: %w", relative(committed), err)
	}
	options.Overrides = parametersOf(want)
	fmt.Printf("checking %s against %s\n", want.Recipe, relative(committed))
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
	printComparison(os.Stdout, got, want, differences)
	if len(differences) > 0 {
		return fmt.Errorf("%d difference(s) from %s; the rerun is in %s", len(differences), relative(committed), relative(result.Dir))
	}
	fmt.Printf("all %d numbers agree within their tolerances\n", len(want.Results))
	return nil
}

// committedResults finds what to compare with: the results of a run's directory, else those committed for a recipe, recipes/NAME.results.json.
func committedResults(where site, name string) (string, error) {
	if inDir := filepath.Join(name, "results.json"); exists(inDir) {
		return inDir, nil
	}
	if info, err := os.Stat(name); err == nil && info.IsDir() && strings.ContainsRune(name, filepath.Separator) {
		return "", fmt.Errorf("%s holds no results.json: it is not the directory of a finished run", name)
	}
	if _, err := recipe.Find(where.recipes, name); err != nil {
		return "", err
	}
	file := filepath.Join(where.recipes, strings.TrimSuffix(filepath.Base(name), ".ipynb")+".results.json")
	if !exists(file) {
		return "", fmt.Errorf("no results are committed for %s: run it and copy its results.json to %s", name, relative(file))
	}
	return file, nil
}

// parametersOf turns the parameters of results back into what -p takes.
func parametersOf(results *note.Results) notebook.Overrides {
	overrides := notebook.Overrides{}
	for name, value := range results.Parameters {
		switch v := value.(type) {
		case float64: // JSON knows no integers: 200 must not come back as 200.0 or 2e+02
			if math.Abs(v) < 1<<53 && v == math.Trunc(v) {
				overrides[name] = strconv.FormatInt(int64(v), 10)
			} else {
				overrides[name] = strconv.FormatFloat(v, 'g', -1, 64)
			}
		case json.Number:
			overrides[name] = v.String()
		default:
			overrides[name] = fmt.Sprint(v)
		}
	}
	return overrides
}

// printComparison prints a line for each committed number and one for each difference that is not a number's.
func printComparison(w io.Writer, got, want *note.Results, differences []note.Difference) {
	found := map[string]note.Result{}
	for _, row := range got.Results {
		found[row.Name] = row
	}
	differs := map[string][]string{}
	for _, d := range differences {
		differs[d.Name] = append(differs[d.Name], d.Field)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "result\tcommitted\tfound\ttolerance\t")
	for _, row := range want.Results {
		value, verdict := "missing", "agrees"
		if again, ok := found[row.Name]; ok {
			value = fmt.Sprint(again.Value)
		}
		if fields := differs[row.Name]; fields != nil {
			verdict = "DIFFERS: " + strings.Join(fields, ", ")
		}
		fmt.Fprintf(table, "%s\t%v\t%s\t%v\t%s\n", row.Name, row.Value, value, row.Tolerance, verdict)
	}
	table.Flush()
	for _, d := range differences {
		if d.Field != "value" && d.Field != "missing" { // those are in the table
			fmt.Fprintln(w, d)
		}
	}
}
