package recipe

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/attune-lab/attune/pkg/note"
	"github.com/attune-lab/attune/pkg/report"
	"github.com/attune-lab/attune/pkg/stats"
)

// Change is a value that two runs differ in; "" where one lacks it.
type Change struct{ Name, A, B string }

// NumberChange is a number that two runs differ in; nil where one lacks it.
type NumberChange struct {
	Name   string
	A, B   *report.Number
	Within bool // value and interval within A's tolerance
}

// Flips are the items of a task whose answer's rightness changes from A to B under one arm.
type Flips struct {
	Task, Arm    string
	Gained, Lost []string // ids: right only in B, right only in A
	Rescored     int      // items of equal rightness whose scores or texts differ
	Only         int      // items that only one of the runs has
	Paired       stats.Paired
}

// RunDiff is what two runs differ in.
type RunDiff struct {
	A, B       string // directories
	Recipe     *Change
	Parameters []Change
	Provenance []Change // without times
	Numbers    []NumberChange
	Same       int // numbers that are exactly equal
	Flips      []Flips
	Unpaired   []string // tasks and arms that cannot be compared, and why
}

// timely are facts that differ between any two runs.
var timely = []string{"started", "finished", "seconds"}

// Diff compares two finished runs: parameters, provenance, numbers with their intervals, and the items behind them where the runs wrote samples. The comparisons of all
// tasks and arms are one family.
func Diff(a, b string) (*RunDiff, error) {
	ra, err := note.Load(a)
	if err != nil {
		return nil, err
	}
	rb, err := note.Load(b)
	if err != nil {
		return nil, err
	}
	d := &RunDiff{A: a, B: b, Parameters: changes(ra.Parameters, rb.Parameters, nil), Provenance: changes(ra.Provenance, rb.Provenance, timely)}
	d.Parameters = slices.DeleteFunc(d.Parameters, func(c Change) bool { // a type that was chosen is the one that was computed in
		_, typeA := BackendOf(ra)
		_, typeB := BackendOf(rb)
		return c.Name == "dtype" && typeA == typeB && typeA != "" && (c.A == `"auto"` || c.B == `"auto"`)
	})
	if ra.Recipe != rb.Recipe {
		d.Recipe = &Change{"recipe", ra.Recipe, rb.Recipe}
	}
	d.numbers(ra.Results, rb.Results)
	return d, d.flips()
}

// changes are the keys whose values differ, in order.
func changes(a, b map[string]any, without []string) []Change {
	names := map[string]bool{}
	for name := range a {
		names[name] = true
	}
	for name := range b {
		names[name] = true
	}
	var out []Change
	for _, name := range slices.Sorted(maps.Keys(names)) {
		va, vb := shown(a, name), shown(b, name)
		if va != vb && !slices.Contains(without, name) {
			out = append(out, Change{name, va, vb})
		}
	}
	return out
}

// shown is a value on one line, strings as they are.
func shown(values map[string]any, name string) string {
	v, found := values[name]
	if !found {
		return ""
	}
	if text, is := v.(string); is {
		return fmt.Sprintf("%q", text)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

func (d *RunDiff) numbers(a, b []report.Number) {
	rest, renamed := map[string]*report.Number{}, map[string]*report.Number{}
	for i := range b {
		rest[b[i].Name] = &b[i]
		renamed[withoutTemplate(b[i].Name)] = &b[i]
	}
	for i := range a {
		before, after := &a[i], rest[a[i].Name]
		if other := renamed[withoutTemplate(before.Name)]; after == nil && other != nil && rest[other.Name] != nil {
			after = other // the same score of prompts that are written otherwise
		}
		delete(rest, before.Name)
		if after != nil {
			delete(rest, after.Name)
		}
		if after != nil && sameNumber(before, after) {
			d.Same++
			continue
		}
		one := func(n *report.Number) *note.Results {
			if n == nil {
				return &note.Results{}
			}
			return &note.Results{Results: []report.Number{*n}}
		}
		d.Numbers = append(d.Numbers, NumberChange{before.Name, before, after, after != nil && len(note.Compare(one(after), one(before))) == 0})
	}
	for i := range b {
		if rest[b[i].Name] != nil {
			d.Numbers = append(d.Numbers, NumberChange{Name: b[i].Name, B: &b[i]})
		}
	}
}

var template = regexp.MustCompile(`@[0-9a-f]{8}\b`)

// withoutTemplate takes the hash of the prompts' template out of a score's name.
func withoutTemplate(name string) string { return template.ReplaceAllString(name, "") }

func sameNumber(a, b *report.Number) bool {
	if a.Value != b.Value || a.N != b.N || a.Unit != b.Unit || (a.CI95 == nil) != (b.CI95 == nil) {
		return false
	}
	return a.CI95 == nil || *a.CI95 == *b.CI95
}

// flips pairs the samples of both runs.
func (d *RunDiff) flips() error {
	before, after := samplesOf(d.A), samplesOf(d.B)
	var clusters []stats.Clusters
	for _, task := range slices.Sorted(maps.Keys(before)) {
		if after[task] == "" {
			d.Unpaired = append(d.Unpaired, task+": only the first run answers it")
			continue
		}
		la, err := arms(before[task])
		if err != nil {
			return err
		}
		lb, err := arms(after[task])
		if err != nil {
			return err
		}
		for _, arm := range la {
			at := -1
			for i := range lb {
				if lb[i].Arm == arm.Arm {
					at = i
				}
			}
			if at < 0 {
				d.Unpaired = append(d.Unpaired, fmt.Sprintf("%s, %s: only the first run has this arm", task, arm.Arm))
				continue
			}
			p, err := pair(arm, lb[at])
			if err != nil {
				d.Unpaired = append(d.Unpaired, fmt.Sprintf("%s, %s: %v", task, arm.Arm, err))
				continue
			}
			clusters = append(clusters, p.Clusters)
			d.Flips = append(d.Flips, Flips{Task: task, Arm: arm.Arm, Gained: p.Gained, Lost: p.Lost, Rescored: p.Rescored, Only: p.Only})
		}
		for _, arm := range lb {
			if !slices.ContainsFunc(d.Flips, func(f Flips) bool { return f.Task == task && f.Arm == arm.Arm }) {
				d.Unpaired = append(d.Unpaired, fmt.Sprintf("%s, %s: not paired with an arm of the first run", task, arm.Arm))
			}
		}
	}
	for _, task := range slices.Sorted(maps.Keys(after)) {
		if before[task] == "" {
			d.Unpaired = append(d.Unpaired, task+": only the second run answers it")
		}
	}
	for i, p := range stats.ClusteredFamily(clusters) {
		d.Flips[i].Paired = p
	}
	return nil
}

// Differences counts what a rerun may not differ in: the recipe, parameters, numbers beyond their tolerance, items whose rightness changed and those that only one
// run has. Provenance may differ: another commit or machine with the same numbers is what a rerun is for.
func (d *RunDiff) Differences() int {
	n := len(d.Parameters) + len(d.Unpaired)
	if d.Recipe != nil {
		n++
	}
	for _, c := range d.Numbers {
		if !c.Within {
			n++
		}
	}
	for _, f := range d.Flips {
		n += len(f.Gained) + len(f.Lost) + f.Only
	}
	return n
}

// Write prints the differences in words and tables.
func (d *RunDiff) Write(w io.Writer) {
	if d.Recipe != nil {
		fmt.Fprintf(w, "the recipes differ: %s and %s\n", d.Recipe.A, d.Recipe.B)
	}
	write := func(what string, list []Change) {
		if len(list) == 0 {
			fmt.Fprintf(w, "%s: the same\n", what)
			return
		}
		fmt.Fprintf(w, "%s:\n", what)
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, c := range list {
			fmt.Fprintf(t, "  %s\t%s\t%s\n", c.Name, brief(c.A), brief(c.B))
		}
		t.Flush()
	}
	write("parameters", d.Parameters)
	write("provenance", d.Provenance)
	d.writeNumbers(w)
	d.writeFlips(w)
}

func (d *RunDiff) writeNumbers(w io.Writer) {
	if len(d.Numbers) == 0 {
		fmt.Fprintf(w, "numbers: all %d are the same\n", d.Same)
		return
	}
	fmt.Fprintf(w, "numbers: %d differ, %d are the same\n", len(d.Numbers), d.Same)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range d.Numbers {
		change, word := "", ""
		if c.A != nil && c.B != nil {
			change = fmt.Sprintf("%+.4g", c.B.Value-c.A.Value)
			if c.Within {
				word = "within tolerance"
			}
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\n", c.Name, number(c.A), number(c.B), change, word)
	}
	t.Flush()
}

func number(n *report.Number) string {
	if n == nil {
		return "missing"
	}
	text := fmt.Sprintf("%.5g", n.Value)
	if n.CI95 != nil {
		text += fmt.Sprintf(" [%.4g, %.4g]", n.CI95.Low, n.CI95.High)
	}
	return text
}

func (d *RunDiff) writeFlips(w io.Writer) {
	if len(d.Flips) == 0 && len(d.Unpaired) == 0 {
		fmt.Fprintln(w, "items: the runs hold no samples to compare")
		return
	}
	fmt.Fprintf(w, "items, paired over %d comparisons in one family:\n", len(d.Flips))
	for _, f := range d.Flips {
		p := f.Paired
		fmt.Fprintf(w, "  %s, %s: %d of %d items flip (%d gained, %d lost), %+.2f points [%+.2f, %+.2f], p %.2g after Holm's correction", f.Task, f.Arm,
			p.Gained+p.Lost, p.N, p.Gained, p.Lost, 100*p.Difference, 100*p.CI95.Low, 100*p.CI95.High, p.Adjusted)
		if f.Rescored > 0 {
			fmt.Fprintf(w, "; %d more are answered with other scores or texts", f.Rescored)
		}
		if f.Only > 0 {
			fmt.Fprintf(w, "; %d items are in one run only", f.Only)
		}
		fmt.Fprintln(w)
		if len(f.Gained) > 0 {
			fmt.Fprintf(w, "    gained: %s\n", few(f.Gained))
		}
		if len(f.Lost) > 0 {
			fmt.Fprintf(w, "    lost:   %s\n", few(f.Lost))
		}
	}
	for _, u := range d.Unpaired {
		fmt.Fprintf(w, "  not compared: %s\n", u)
	}
}

// brief shortens what a table's line cannot hold; "" is said.
func brief(text string) string {
	const most = 60
	if text == "" {
		return "-"
	}
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "..."
	}
	return strings.ReplaceAll(text, "\n", " ")
}
