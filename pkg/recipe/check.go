package recipe

import (
	"encoding/json"
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
	"github.com/attune-lab/attune/pkg/report"
)

// CommittedResults finds what a rerun is compared with: the results of a run's directory, else those committed for a recipe, NAME.results.json in the folder of recipes.
func CommittedResults(recipes, name string) (string, error) {
	if isFile(filepath.Join(name, SweepFile)) {
		return "", fmt.Errorf("%s is a sweep: name the folder of one of its points", name)
	}
	if inDir := filepath.Join(name, "results.json"); isFile(inDir) {
		return inDir, nil
	}
	if info, err := os.Stat(name); err == nil && info.IsDir() && strings.ContainsRune(name, filepath.Separator) {
		return "", fmt.Errorf("%s holds no results.json: it is not the directory of a finished run", name)
	}
	if _, err := Find(recipes, name); err != nil {
		return "", err
	}
	file := filepath.Join(recipes, strings.TrimSuffix(filepath.Base(name), ".ipynb")+".results.json")
	if !isFile(file) {
		return "", fmt.Errorf("no results are committed for %s: run it and copy its results.json to %s", name, file)
	}
	return file, nil
}

// ParametersOf turns the parameters of results back into what a user writes. A dtype that was chosen is the one that was computed in.
func ParametersOf(results *note.Results) notebook.Overrides {
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
	if _, dtype := BackendOf(results); overrides["dtype"] == "auto" && dtype != "" {
		overrides["dtype"] = dtype
	}
	return overrides
}

// WriteComparison prints a line for each committed number and one for each difference that is not a number's.
func WriteComparison(w io.Writer, got, want *note.Results, differences []note.Difference) {
	found := map[string]report.Number{}
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
		value, outcome := "missing", "agrees"
		if again, ok := found[row.Name]; ok {
			value = fmt.Sprint(again.Value)
		}
		if fields := differs[row.Name]; fields != nil {
			outcome = "DIFFERS: " + strings.Join(fields, ", ")
		}
		fmt.Fprintf(table, "%s\t%v\t%s\t%v\t%s\n", row.Name, row.Value, value, row.Tolerance, outcome)
	}
	table.Flush()
	for _, d := range differences {
		if d.Field != "value" && d.Field != "missing" { // those are in the table
			fmt.Fprintln(w, d)
		}
	}
}
