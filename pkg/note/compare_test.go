package note

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/report"
	"github.com/attune-lab/attune/pkg/stats"
)

func TestCompareUsesTheCommittedTolerance(t *testing.T) {
	want := &Results{Recipe: "demo", Results: []report.Number{
		{Name: "exact", Value: 0.3},
		{Name: "close", Value: 0.5, Unit: "share", N: 200, CI95: &stats.Interval{Low: 0.4, High: 0.6}, Tolerance: 0.1},
		{Name: "gone", Value: 1},
	}}
	row := func(edit func(r *report.Number)) []Difference {
		ci := stats.Interval{Low: 0.4, High: 0.6}
		r := report.Number{Name: "close", Value: 0.5, Unit: "share", N: 200, CI95: &ci, Tolerance: 99}
		edit(&r)
		return Compare(&Results{Recipe: "demo", Results: []report.Number{{Name: "exact", Value: 0.1 + 0.2}, {Name: "gone", Value: 1}, r}}, want)
	}
	for _, c := range []struct {
		edit func(r *report.Number)
		want string
	}{
		{func(r *report.Number) {}, "[]"},
		{func(r *report.Number) { r.Value = 0.6 }, "[]"},
		{func(r *report.Number) { r.Value = 0.4 }, "[]"},
		{func(r *report.Number) { r.Value = 0.601 }, "[close: value is 0.601, want 0.5 within 0.1]"},
		{func(r *report.Number) { r.N = 199 }, "[close: n is 199, want 200]"},
		{func(r *report.Number) { r.Unit = "" }, `[close: unit is "", want "share"]`},
		{func(r *report.Number) { r.CI95.High = 0.71 }, "[close: ci95 is [0.4, 0.71], want [0.4, 0.6] within 0.1]"},
		{func(r *report.Number) { r.CI95 = nil }, "[close: ci95 is none, want [0.4, 0.6] within 0.1]"},
	} {
		if got := fmt.Sprint(row(c.edit)); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

func TestCompareReportsMissingAndExtraRows(t *testing.T) {
	want := &Results{Recipe: "a", Results: []report.Number{{Name: "x", Value: 1}, {Name: "y", Value: 2}}}
	got := &Results{Recipe: "b", Results: []report.Number{{Name: "z", Value: 3}, {Name: "y", Value: 2}}}
	text := fmt.Sprint(Compare(got, want))
	if text != "[recipe is b, want a x: missing, want 1 z: 3 is not among the committed results]" {
		t.Errorf("got %s", text)
	}
}

func TestLoadRefusesWhatIsNoResult(t *testing.T) {
	dir := t.TempDir()
	for content, want := range map[string]string{
		"":                              "EOF",
		"{\n\"recipe\": \"a\",\n oops}": "results.json:3",
		`{"recipe":"a"}`:                `no "results"`,
		`{"results":[]}`:                `no "recipe"`,
		`{"recipe":"a","results":[{"name":"x","value":"1"}]}`:                         "results.json:1",
		`{"recipe":"a","results":[{"name":"x","value":1},{"name":"x","value":1}]}`:    `"x" is there twice`,
		`{"recipe":"a","results":[{"name":"x","value":1,"tolerance":-1}]}`:            "tolerance is -1",
		`{"recipe":"a","results":[],"tables":{"t":{"columns":["a"],"rows":[[1,2]]}}}`: `table "t": row 0`,
		`{"recipe":"a","results":[]} {}`:                                              "more than one JSON value",
	} {
		write(t, filepath.Join(dir, "results.json"), content)
		_, err := Load(dir)
		wantError(t, err, want)
	}
	_, err := Load(filepath.Join(dir, "nowhere"))
	wantError(t, err, "finished run")
	write(t, filepath.Join(dir, "committed.json"), `{"recipe":"a","results":[{"name":"x","value":1,"ci95":null}]}`)
	res, err := Load(filepath.Join(dir, "committed.json"))
	if err != nil || len(res.Results) != 1 || strings.TrimSpace(res.Recipe) != "a" {
		t.Errorf("a file by itself: %v, %v", res, err)
	}
}
