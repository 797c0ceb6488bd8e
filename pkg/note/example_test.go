package note_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/attune-lab/attune/pkg/note"
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
	run, err := note.Begin("demo", map[string]any{"limit": 200})
	must(err)

	run, err = note.Current() // every later cell begins so
	must(err)
	must(run.Prose("Does emulation change the accuracy of a **tiny** model?"))
	must(run.Result(note.Result{Name: "accuracy/baseline", Value: 0.61, Unit: "share", N: 200,
		CI95: &[2]float64{0.54, 0.675}, Tolerance: 0.005}))
	must(run.Finish())

	got, err := note.Load(dir)
	must(err)
	committed := &note.Results{Recipe: "demo", Results: []note.Result{
		{Name: "accuracy/baseline", Value: 0.62, Unit: "share", N: 200, CI95: &[2]float64{0.54, 0.675}, Tolerance: 0.005},
	}}
	for _, d := range note.Compare(got, committed) {
		fmt.Println(d)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.*"))
	must(err)
	for _, f := range files {
		fmt.Println(filepath.Base(f))
	}
	// Output:
	// accuracy/baseline: value is 0.61, want 0.62 within 0.005
	// note.html
	// provenance.json
	// results.json
}
