package note

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/attune-lab/attune/pkg/report"
	"github.com/attune-lab/attune/pkg/stats/interval"
)

// Results is the content of results.json. Numbers of unknown type (parameters, table cells, provenance) are
// json.Number after Load, as written.
type Results struct {
	Recipe     string                  `json:"recipe"`
	Answer     string                  `json:"answer,omitempty"` // the sentence at the top of the note
	Parameters map[string]any          `json:"parameters"`
	Results    []report.Number         `json:"results"`
	Tables     map[string]report.Table `json:"tables"`
	Provenance map[string]any          `json:"provenance"`
}

// Load reads results.json of a run directory, or the file itself.
func Load(dir string) (*Results, error) {
	path := dir
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		path = filepath.Join(dir, "results.json")
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("note: %w: want the directory of a finished run, or its results.json", err)
	}
	if err != nil {
		return nil, fmt.Errorf("note: %w", err)
	}
	var res Results
	if err := decode(b, &res); err != nil {
		return nil, fmt.Errorf("note: %s%s: %w", path, line(b, err), err)
	}
	if res.Recipe == "" || res.Results == nil {
		return nil, fmt.Errorf(`note: %s: no "recipe" or no "results": not the results of a run`, path)
	}
	seen := map[string]bool{}
	for i, row := range res.Results {
		if err := row.Check(); err != nil {
			return nil, fmt.Errorf("note: %s: row %d: %w", path, i, err)
		}
		if seen[row.Name] {
			return nil, fmt.Errorf("note: %s: row %d: result %q is there twice", path, i, row.Name)
		}
		seen[row.Name] = true
	}
	for name, t := range res.Tables {
		t.Name = name
		if _, err := t.Checked(); err != nil {
			return nil, fmt.Errorf("note: %s: %w", path, err)
		}
		res.Tables[name] = t
	}
	return &res, nil
}

// line is ":N" for the line of a JSON error, if it has a position.
func line(b []byte, err error) string {
	var offset int64
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &kind):
		offset = kind.Offset
	default:
		return ""
	}
	return fmt.Sprintf(":%d", 1+strings.Count(string(b[:min(offset, int64(len(b)))]), "\n"))
}

// Difference is one way in which a rerun departs from what was committed.
type Difference struct {
	Name  string // of the result row; "" for the recipe
	Field string // "recipe", "missing", "extra", "value", "unit", "n", "ci95"
	Got   string
	Want  string
	// Tolerance is the committed row's, for "value" and "ci95".
	Tolerance float64
}

func (d Difference) String() string {
	switch d.Field {
	case "recipe":
		return fmt.Sprintf("recipe is %s, want %s", d.Got, d.Want)
	case "missing":
		return fmt.Sprintf("%s: missing, want %s", d.Name, d.Want)
	case "extra":
		return fmt.Sprintf("%s: %s is not among the committed results", d.Name, d.Got)
	case "value", "ci95":
		return fmt.Sprintf("%s: %s is %s, want %s within %g", d.Name, d.Field, d.Got, d.Want, d.Tolerance)
	}
	return fmt.Sprintf("%s: %s is %s, want %s", d.Name, d.Field, d.Got, d.Want)
}

// rounding is the relative slack that lets 0.7 pass for 0.6 + 0.1: decimals are no binary fractions.
const rounding = 1e-12

// Compare compares a rerun with the committed results number by number: value and both ends of the interval within
// the committed row's tolerance, n and unit exactly; missing rows come in the committed order, extra ones last.
// Tables and provenance are not compared: they state no tolerance. Nil means equal.
func Compare(got, want *Results) []Difference {
	var diffs []Difference
	if got.Recipe != want.Recipe {
		diffs = append(diffs, Difference{Field: "recipe", Got: got.Recipe, Want: want.Recipe})
	}
	rows := make(map[string]report.Number, len(got.Results))
	for _, row := range got.Results {
		rows[row.Name] = row
	}
	for _, w := range want.Results {
		g, ok := rows[w.Name]
		if !ok {
			diffs = append(diffs, Difference{Name: w.Name, Field: "missing", Want: exact(w.Value)})
			continue
		}
		delete(rows, w.Name)
		diffs = append(diffs, compareRow(g, w)...)
	}
	for _, g := range got.Results {
		if _, left := rows[g.Name]; left {
			diffs = append(diffs, Difference{Name: g.Name, Field: "extra", Got: exact(g.Value)})
		}
	}
	return diffs
}

func compareRow(g, w report.Number) (diffs []Difference) {
	add := func(field, got, want string) {
		diffs = append(diffs, Difference{Name: w.Name, Field: field, Got: got, Want: want, Tolerance: w.Tolerance})
	}
	if !within(g.Value, w.Value, w.Tolerance) {
		add("value", exact(g.Value), exact(w.Value))
	}
	if g.Unit != w.Unit {
		add("unit", fmt.Sprintf("%q", g.Unit), fmt.Sprintf("%q", w.Unit))
	}
	if g.N != w.N {
		add("n", fmt.Sprint(g.N), fmt.Sprint(w.N))
	}
	same := (g.CI95 == nil) == (w.CI95 == nil)
	if same && w.CI95 != nil {
		same = within(g.CI95.Low, w.CI95.Low, w.Tolerance) && within(g.CI95.High, w.CI95.High, w.Tolerance)
	}
	if !same {
		add("ci95", ends(g.CI95), ends(w.CI95))
	}
	return diffs
}

// within holds for no NaN.
func within(got, want, tolerance float64) bool {
	return math.Abs(got-want) <= tolerance+rounding*max(math.Abs(got), math.Abs(want))
}

func exact(f float64) string {
	return fmt.Sprintf("%v", f)
}

func ends(ci *interval.Interval) string {
	if ci == nil {
		return "none"
	}
	return fmt.Sprintf("[%v, %v]", ci.Low, ci.High)
}
