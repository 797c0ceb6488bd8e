package note

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestTheSummaryStandsFirstAndTheNumbersLast(t *testing.T) {
	_, dir := repository(t)
	r := begin(t, nil)
	must(t, r.Prose("## The long way"))
	must(t, r.Result(Result{Name: "accuracy", Value: 0.5, N: 10}))
	must(t, r.Summary("* **Nothing** is shown by <script>alert(1)</script> ten items."))
	wantError(t, r.Summary(" "), "empty summary")
	must(t, r.Finish())
	page := read(t, dir, "note.html")
	summary, prose, results := strings.Index(page, "<strong>Nothing</strong>"), strings.Index(page, "The long way"), strings.Index(page, "All results")
	if summary < 0 || summary > prose || prose > results {
		t.Errorf("summary at %d, prose at %d, results at %d: expected that order", summary, prose, results)
	}
	if strings.Contains(page, "<script>") {
		t.Error("HTML in the summary is not escaped")
	}
}

func TestOutputNeedNotExist(t *testing.T) {
	root, _ := repository(t)
	r := begin(t, nil)
	for given, want := range map[string]string{"new/model": filepath.Join(root, "recipes", "new", "model"), filepath.Join(root, "x", "..", "y"): filepath.Join(root, "y")} {
		got, err := r.Output(given)
		if err != nil || got != want {
			t.Errorf("%s resolves to %s, %v, expected %s", given, got, err, want)
		}
	}
	_, err := r.Output("")
	wantError(t, err, "empty output path")
	if got, err := r.Path("hf:owner/name@main"); err != nil || got != "hf:owner/name@main" {
		t.Errorf("a reference to the hub resolves to %q, %v", got, err)
	}
}
