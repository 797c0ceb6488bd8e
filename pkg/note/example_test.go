package note_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/attune-lab/attune/pkg/note"
	"github.com/attune-lab/attune/pkg/report"
	"github.com/attune-lab/attune/pkg/stats"
)

// A run from its first cell to its last, and a comparison with what was committed.
func Example() {
	dir, err := os.MkdirTemp("", "run")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	os.Setenv("ATTUNE_RUN_DIR", dir) // the recipe runner does this
	defer os.Unsetenv("ATTUNE_RUN_DIR")

	must := func(err error) {
		if err != nil {
			log.Fatal(err)
		}
	}
	run, err := note.Open("demo", map[string]any{"limit": 200}) // every cell begins so
	must(err)
	must(run.Section("Does it help?", &report.Part{
		Method:  "Share of items whose right answer has the highest log-likelihood.",
		Finding: "The model answers 61.0 % of 200 items correctly (95 % interval 54.0 to 67.5 %).",
		Numbers: []report.Number{{Name: "accuracy/baseline", Value: 0.61, Unit: "share", N: 200, CI95: &stats.Interval{Low: 0.54, High: 0.675}, Tolerance: 0.005}},
	}))
	must(run.Finish())

	got, err := note.Load(dir)
	must(err)
	committed := &note.Results{Recipe: "demo", Results: []report.Number{
		{Name: "accuracy/baseline", Value: 0.62, Unit: "share", N: 200, CI95: &stats.Interval{Low: 0.54, High: 0.675}, Tolerance: 0.005},
	}}
	for _, d := range note.Compare(got, committed) {
		fmt.Println(d)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.[hjm]*"))
	must(err)
	for _, f := range files {
		fmt.Println(filepath.Base(f))
	}
	// Output:
	// accuracy/baseline: value is 0.61, want 0.62 within 0.005
	// note.html
	// note.md
	// provenance.json
	// results.json
}
