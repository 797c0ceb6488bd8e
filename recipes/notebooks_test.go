package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/attune-lab/attune/pkg/notebook"
)

// Limits of what a cell holds: a notebook says what, never how.
const (
	cellLines   = 12
	cellColumns = 170
	mustCalls   = 6 // in all notebooks: where a cell writes an experiment of its own
)

// lines of Go that the notebooks a newcomer reads first may have, the parameters aside.
var shortNotebooks = map[string]int{"01-attention-sinks": 35, "quickstart": 35, "ablate": 35}

func TestCellsSayWhatAndNotHow(t *testing.T) {
	var paths []string
	for _, dir := range []string{".", filepath.Join(root, "notebooks")} {
		found, err := filepath.Glob(filepath.Join(dir, "*.ipynb"))
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, found...)
	}
	if len(paths) < 12 {
		t.Fatalf("found %d notebooks, expected 12 or more", len(paths))
	}
	musts := 0
	for _, path := range paths {
		nb, err := notebook.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		name, total := strings.TrimSuffix(filepath.Base(path), ".ipynb"), 0
		for i, c := range nb.Cells {
			if c.Type != notebook.Code {
				continue
			}
			source := c.Source
			musts += strings.Count(source, "must.M")
			if c.HasTag("parameters") {
				continue
			}
			lines := strings.Split(strings.TrimRight(source, "\n"), "\n")
			if len(lines) > cellLines {
				t.Errorf("%s: cell %d has %d lines, more than %d: what it does belongs into pkg/lab", name, i+1, len(lines), cellLines)
			}
			for _, line := range lines {
				if strings.TrimSpace(line) != "" {
					total++
				}
				if n := utf8.RuneCountInString(line); n > cellColumns {
					t.Errorf("%s: cell %d has a line of %d columns, more than %d", name, i+1, n, cellColumns)
				}
			}
		}
		if most := shortNotebooks[name]; most > 0 && total > most {
			t.Errorf("%s has %d lines of Go, more than %d", name, total, most)
		}
	}
	if musts > mustCalls {
		t.Errorf("the notebooks call must.M %d times, more than %d", musts, mustCalls)
	}
}

// TestRecipesThatScoreTakeHowItemsAreAsked: every parameter is there and reaches the session's options; that those reach the prompt, the worker's tests hold.
func TestRecipesThatScoreTakeHowItemsAreAsked(t *testing.T) {
	all := map[string]string{"adapter": "Adapter", "columns": "Columns", "shots": "Shots", "chat": "Chat", "nobos": "NoBOS", "groups": "Groups", "dtype": "DType"}
	for name, without := range map[string]string{"quickstart": "", "ablate": "", "reason": "", "evaluate": "", "finetune": "adapter", "emulate": "groups"} { // an adapter is what finetune makes, and emulate has no accuracy
		nb, err := notebook.Read(name + ".ipynb")
		if err != nil {
			t.Fatal(err)
		}
		parameters, err := nb.Parameters()
		if err != nil {
			t.Fatal(err)
		}
		has, cells := map[string]bool{}, ""
		for _, p := range parameters {
			has[p.Name] = true
		}
		for _, c := range nb.Cells {
			cells += c.Source
		}
		for parameter, option := range all {
			if parameter != without && (!has[parameter] || !strings.Contains(cells, option+": "+parameter)) {
				t.Errorf("%s: parameter %s is not there, or does not reach lab.Options.%s", name, parameter, option)
			}
		}
	}
}

// TestRecipesWithAModelTakeDevices: a model larger than one card is cut over several by any recipe that opens it. Training is on one card.
func TestRecipesWithAModelTakeDevices(t *testing.T) {
	for _, name := range []string{"ablate", "bench", "calibrate", "emulate", "evaluate", "parity", "perplexity", "quickstart", "reason", "sinks"} {
		nb, err := notebook.Read(name + ".ipynb")
		if err != nil {
			t.Fatal(err)
		}
		parameters, err := nb.Parameters()
		if err != nil {
			t.Fatal(err)
		}
		cells := ""
		for _, c := range nb.Cells {
			cells += c.Source
		}
		has := slices.ContainsFunc(parameters, func(p notebook.Parameter) bool { return p.Name == "devices" })
		if !has || !strings.Contains(cells, "Devices: devices") {
			t.Errorf("%s: parameter devices is not there, or does not reach lab.Options.Devices", name)
		}
	}
}
