package recipe

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/note"
	"github.com/attune-lab/attune/pkg/report"
	"github.com/attune-lab/attune/pkg/stats"
)

// WriteSweep makes one note, one results.json and one table over the finished points of a sweep, in its directory. Numbers carry the point's name before their own. The
// paired tests of all points are one family, declared before looking: at every point each arm against the point's first one; where points have one arm only,
// each point against the first point, on the items that both answered.
func WriteSweep(dir, recipe string, axes []Axis, points []Point, parameters map[string]any) (*note.Results, error) {
	if len(points) == 0 {
		return nil, fmt.Errorf("sweep: no point has finished")
	}
	numbers, first, err := sweepNumbers(axes, points)
	if err != nil {
		return nil, err
	}
	family, err := sweepFamily(points)
	if err != nil {
		return nil, err
	}
	backend, _ := BackendOf(first)
	run, err := note.OpenAt(dir, "sweep", recipe, backend, parameters)
	if err != nil {
		return nil, err
	}
	if dtype, is := first.Provenance["dtype"]; is {
		numbers.Facts = map[string]any{"dtype": dtype}
	}
	words := make([]string, len(axes))
	for i, a := range axes {
		words[i] = fmt.Sprintf("%s = %s", a.Name, strings.Join(a.Values, ", "))
	}
	parts := []*report.Part{numbers}
	if family != nil {
		parts = []*report.Part{family, numbers}
	}
	if err := run.Section("The sweep over "+strings.Join(words, "; "), parts...); err != nil {
		return nil, err
	}
	b, err := sweepJSON(recipe, axes, points)
	if err != nil {
		return nil, err
	}
	if err := env.WriteBytes(filepath.Join(dir, SweepFile), 0o644, b); err != nil {
		return nil, err
	}
	if err := run.Finish(); err != nil {
		return nil, err
	}
	return note.Load(dir)
}

// sweepNumbers is every number of every point in one table.
func sweepNumbers(axes []Axis, points []Point) (*report.Part, *note.Results, error) {
	t := report.Table{Name: "sweep", Title: "Every number at every point"}
	for _, a := range axes {
		t.Columns = append(t.Columns, a.Name)
	}
	t.Columns = append(t.Columns, "result", "value", "low", "high", "n", "unit")
	p := &report.Part{Method: fmt.Sprintf("%d points; each is a run of its own with its note, in the folder of its name. low and high are the ends of the 95 %% interval.", len(points))}
	var first *note.Results
	for _, point := range points {
		results, err := note.Load(point.Dir)
		if err != nil {
			return nil, nil, err
		}
		if first == nil {
			first = results
		}
		for _, r := range results.Results {
			var row []any
			for _, a := range axes {
				row = append(row, point.Values[a.Name])
			}
			row = append(row, r.Name, r.Value)
			if r.CI95 != nil {
				row = append(row, r.CI95.Low, r.CI95.High)
			} else {
				row = append(row, nil, nil)
			}
			t.Rows = append(t.Rows, append(row, r.N, r.Unit))
			r.Name = point.Name + "/" + r.Name
			p.Numbers = append(p.Numbers, r)
		}
	}
	p.Tables = []report.Table{t}
	return p, first, nil
}

// test is one comparison of a sweep's family.
type test struct {
	point, task, arm, against string
	accuracy                  float64
	pairs                     *pairing
}

// sweepTests are the comparisons that the points' samples allow.
func sweepTests(points []Point) ([]test, error) {
	var out []test
	first := samplesOf(points[0].Dir)
	for i, point := range points {
		files := samplesOf(point.Dir)
		tasks := make([]string, 0, len(files))
		for task := range files {
			tasks = append(tasks, task)
		}
		slices.Sort(tasks)
		for _, task := range tasks {
			list, err := arms(files[task])
			if err != nil {
				return nil, err
			}
			add := func(t test) { out = append(out, t) }
			for _, arm := range list[1:] {
				pairs, err := pair(list[0], arm)
				if err != nil {
					return nil, err
				}
				add(test{point.Name, task, arm.Arm, list[0].Arm, float64(arm.Right()) / float64(len(arm.Samples)), pairs})
			}
			if len(list) > 1 || i == 0 || first[task] == "" {
				continue
			}
			reference, err := arms(first[task])
			if err != nil {
				return nil, err
			}
			pairs, err := pair(reference[0], list[0])
			if err != nil { // other items, as when items are swept: no pairs
				continue
			}
			add(test{point.Name, task, list[0].Arm, points[0].Name, float64(list[0].Right()) / float64(len(list[0].Samples)), pairs})
		}
	}
	return out, nil
}

// sweepFamily judges all comparisons of a sweep together; nil where there is none.
func sweepFamily(points []Point) (*report.Part, error) {
	tests, err := sweepTests(points)
	if err != nil || len(tests) == 0 {
		return nil, err
	}
	clusters := make([]stats.Clusters, len(tests))
	for i, t := range tests {
		clusters[i] = t.pairs.Clusters
	}
	t := report.Table{Name: "sweep-family", Title: "The family of paired comparisons",
		Columns: []string{"point", "task", "arm", "against", "n", "accuracy", "difference", "low", "high", "gained", "lost", "p", "p (Holm)", "detectable", "word"}}
	p := &report.Part{Answers: true, Method: fmt.Sprintf("Arms of a point answer the same items, so differences are paired: gained are items that only the arm answers right, lost those that only the one it is compared with does. "+
		"The intervals are Tango's, and Holm's correction covers all %d comparisons of the sweep.", len(tests))}
	var shown []string
	for i, c := range stats.ClusteredFamily(clusters) {
		of := tests[i]
		var detectable any
		if c.Detectable > 0 {
			detectable = c.Detectable
		}
		t.Rows = append(t.Rows, []any{of.point, of.task, of.arm, of.against, c.N, of.accuracy, c.Difference, c.CI95.Low, c.CI95.High, c.Gained, c.Lost, c.P, c.Adjusted, detectable, c.Word(0)})
		name := fmt.Sprintf("%s/%s/%s against %s", of.point, of.task, of.arm, of.against)
		ci := c.CI95
		p.Numbers = append(p.Numbers, report.Number{Name: "family/" + name, Value: c.Difference, Unit: "accuracy", N: c.N, CI95: &ci, Tolerance: 1e-3},
			report.Number{Name: "family/" + name + "/p (Holm)", Value: c.Adjusted, Unit: "p", N: c.N, Tolerance: 1e-3})
		if c.Adjusted < stats.Alpha {
			shown = append(shown, fmt.Sprintf("%s at %s (%+.1f points, 95 %% interval %+.1f to %+.1f, p %.2g)", of.arm, of.point, 100*c.Difference, 100*c.CI95.Low, 100*c.CI95.High, c.Adjusted))
		}
	}
	p.Tables = []report.Table{t}
	p.Finding = fmt.Sprintf("Of %d comparisons at %d points, %d show a difference after Holm's correction", len(tests), len(points), len(shown))
	if len(shown) > 0 {
		p.Finding += ": " + strings.Join(shown, "; ")
	}
	p.Finding += "."
	return p, nil
}

// WriteTable prints a table in columns.
func WriteTable(w io.Writer, t report.Table) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, strings.Join(t.Columns, "\t"))
	for _, row := range t.Rows {
		for i, cell := range row {
			if i > 0 {
				fmt.Fprint(out, "\t")
			}
			fmt.Fprint(out, cellText(cell))
		}
		fmt.Fprintln(out)
	}
	return out.Flush()
}

// cellText is a cell with four digits.
func cellText(cell any) string {
	switch v := cell.(type) {
	case nil:
		return "-"
	case json.Number:
		if f, err := v.Float64(); err == nil {
			return fmt.Sprintf("%.4g", f)
		}
	}
	return report.Clean(fmt.Sprint(cell))
}
