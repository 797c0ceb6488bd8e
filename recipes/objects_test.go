package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/note"
)

// TestSweepThenDiffThenBundle: the commands on a recipe of two seconds; a bundle's rerun shows no difference, a changed bundle's notebook is run as it is.
func TestSweepThenDiffThenBundle(t *testing.T) {
	where := smallSite(t)
	dir := filepath.Join(t.TempDir(), "sweep")
	if err := run(t.Context(), where, []string{"small", "--sweep", "value=2.5,3.5", "-o", dir}); err != nil {
		t.Fatal(err)
	}
	results, err := note.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if rows := results.Tables["sweep"].Rows; len(rows) != 2 || rows[1][0] != "3.5" {
		t.Errorf("the sweep's table has %v", rows)
	}
	if err := run(t.Context(), where, []string{"small", "--sweep", "value=2.5,3.5", "-o", dir}); err == nil || !strings.Contains(err.Error(), "--force") {
		t.Errorf("a second sweep into the directory gives %v", err)
	}
	if err := diff(t.Context(), where, []string{filepath.Join(dir, "value=2.5"), filepath.Join(dir, "value=3.5")}); err != nil {
		t.Error(err)
	}
	packed := filepath.Join(t.TempDir(), "run.tar.gz")
	if err := bundle(t.Context(), where, []string{filepath.Join(dir, "value=3.5"), "-o", packed}); err != nil {
		t.Fatal(err)
	}
	again := filepath.Join(t.TempDir(), "again")
	if err := run(t.Context(), where, []string{"--from", packed, "-o", again, "--backend", "go"}); err != nil {
		t.Errorf("the bundle's rerun: %v", err)
	}
	if results, err := note.Load(again); err != nil || results.Results[0].Value != 3.5 {
		t.Errorf("the rerun has %v, %v; expected the bundle's value", results, err)
	}
	path := filepath.Join(where.recipes, "small.ipynb") // another notebook here
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), `\"value\": %v`, `\"value\": 1e3+%v`, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), where, []string{"--from", packed, "-o", filepath.Join(t.TempDir(), "again"), "--backend", "go"}); err != nil {
		t.Errorf("the bundle's own notebook: %v", err)
	}
}

func TestMistakesOfRunsAsObjects(t *testing.T) {
	where, err := findSite()
	if err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(t.TempDir(), "p.json")
	if err := os.WriteFile(bad, []byte(`{"limit": [1]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"quickstart --sweep limit=1": "two or more", "quickstart --sweep limit=1,many": "at limit=many: parameter limit", "quickstart --params " + bad: "limit: found",
		"quickstart --params nowhere.json": "nowhere.json", "--from nowhere.tar.gz": "nowhere.tar.gz", "--from x.tar.gz -p a=1": "takes the parameters of its bundle", "quickstart --sweep limit=1,2 --sweep limit=3,4": "swept twice",
		"quickstart --dry-run -p limit=many": "parameter limit",
	} {
		if err := run(t.Context(), where, strings.Fields(args)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("run %s: found the error %v, expected %q", args, err, want)
		}
	}
	if err := diff(t.Context(), where, []string{t.TempDir(), t.TempDir()}); err == nil || !strings.Contains(err.Error(), "want the directory of a finished run") {
		t.Errorf("diff of folders without runs gives %v", err)
	}
	if err := bundle(t.Context(), where, []string{t.TempDir()}); err == nil || !strings.Contains(err.Error(), "want the directory of a finished run") {
		t.Errorf("a bundle of a folder without a run gives %v", err)
	}
}
