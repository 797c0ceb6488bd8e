// Package pkg holds no code: its test keeps the order of the packages below it.
package pkg

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/env"
)

// levels are the packages below pkg in their order: a package imports only packages that stand before it. Those of level 0 are leaves. Each package is named here.
var levels = [][]string{
	0: {"env", "gobuild", "stats/interval", "stats", "report", "hf/hub", "hf/safetensors", "hf/tokenizer", "hf/chat", "hf/gguf", "notebook", "emulate", "eval/extract", "eval/logs"},
	1: {"backend", "plot", "corpus", "corpus/generate", "corpus/source", "corpus/clean", "corpus/export", "corpus/prepare", "notebook/kernel", "store", "customcall", "triton", "grouped", "attention/kernel", "attention", "note"},
	2: {"emulate/apply", "model", "recipe"},
	3: {"engine", "train"},
	4: {"sink", "eval"},
	5: {"reason", "calibrate", "parity", "bench", "worker/client", "cluster", "frozen"},
	6: {"worker", "lab", "recipe/values"},
	7: {"lab/own", "lab/logs"},
}

// mustNotKnow are packages, with those below them, that a package must not import. GoMLX must not be reached through other packages either.
var mustNotKnow = map[string][]string{
	"env":              {gomlx},
	"gobuild":          {gomlx},
	"stats":            {gomlx},
	"report":           {gomlx},
	"notebook":         {gomlx, "notebook/kernel"},
	"notebook/kernel":  {gomlx},
	"note":             {gomlx},
	"recipe":           {gomlx},
	"recipe/values":    {gomlx},
	"store":            {gomlx},
	"emulate":          {gomlx},
	"eval/extract":     {gomlx},
	"eval/logs":        {gomlx},
	"worker/client":    {gomlx},
	"cluster":          {gomlx},
	"lab":              {gomlx},
	"attention":        {"hf", "model", "emulate", "sink"},
	"attention/kernel": {"hf", "model", "emulate", "sink"},
	"customcall":       {"hf", "attention", "model", "emulate", "sink"},
	"triton":           {"hf", "attention", "model", "emulate", "sink"},
	"model":            {"attention/kernel", "emulate", "sink"},
}

// gomlx stands for the modules that build and run graphs; go-huggingface of the same owner is none of them.
const gomlx = "GoMLX"

func isGoMLX(path string) bool {
	return within(path, "github.com/gomlx/gomlx") || within(path, "github.com/gomlx/compute") || within(path, "github.com/gomlx/go-xla")
}

// listed is a package as `go list -json` shows it.
type listed struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func list(t *testing.T, pattern string) (packages []listed) {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,Deps", pattern)
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off") // what the Go backend is built with
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %s: %v\n%s", pattern, err, stderr.String())
	}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

// below is a package's path below pkg, "" for another one's.
func below(path string) string {
	name, ok := strings.CutPrefix(path, env.Module+"/pkg/")
	if !ok {
		return ""
	}
	return name
}

// within reports whether a package is another one or stands below it in the tree of folders.
func within(path, parent string) bool { return path == parent || strings.HasPrefix(path, parent+"/") }

func TestPackagesImportOnlyWhatStandsBeforeThem(t *testing.T) {
	order := map[string]int{}
	for _, level := range levels {
		for _, name := range level {
			order[name] = len(order) + 1
		}
	}
	found := map[string]bool{}
	for _, p := range list(t, "./pkg/...") {
		name := below(p.ImportPath)
		if name == "" || strings.Contains("/"+name, "/internal/") {
			continue
		}
		found[name] = true
		if order[name] == 0 {
			t.Errorf("package %s stands at no level: put it into levels, before the packages that import it", name)
		}
		for _, imported := range p.Imports {
			other := below(imported)
			if other == "" || strings.Contains("/"+other, "/internal/") || order[other] < order[name] {
				continue
			}
			t.Errorf("package %s imports %s, which stands after it", name, other)
		}
	}
	for name := range order {
		if !found[name] {
			t.Errorf("package %s is in levels and not there: take it out", name)
		}
	}
}

func TestPackagesDoNotKnowWhatIsKeptFromThem(t *testing.T) {
	for _, p := range list(t, "./pkg/...") {
		name := below(p.ImportPath)
		for _, hidden := range mustNotKnow[name] {
			if at := slices.IndexFunc(p.Deps, isGoMLX); hidden == gomlx && at >= 0 {
				t.Errorf("package %s links %s, if only through what it imports, and must not know GoMLX", name, p.Deps[at])
			}
			for _, imported := range p.Imports {
				if other := below(imported); other != "" && within(other, hidden) {
					t.Errorf("package %s imports %s, and must not know %s", name, other, hidden)
				}
			}
		}
	}
}

// The runner starts within a second and needs no C compiler because it links nothing that computes.
func TestTheRunnerLinksNoGoMLX(t *testing.T) {
	for _, pattern := range []string{"./recipes", "./recipes/bind"} {
		if _, err := os.Stat("../" + pattern); err != nil {
			continue
		}
		for _, p := range list(t, pattern) {
			for _, dep := range p.Deps {
				if isGoMLX(dep) {
					t.Errorf("%s links %s", pattern, dep)
				}
			}
		}
	}
}

// A cell is linked each time that it is run, so what lab links is waited for each time: html/template, which calls methods by name, makes the linker keep every
// method of every type, and stats brings linear algebra.
func TestCellsLinkLittle(t *testing.T) {
	slow := []string{"text/template", "html/template", "net/http", "gonum.org", "golang.org/x/tools", "go/importer"}
	for _, p := range list(t, "./pkg/lab/...") {
		if name := below(p.ImportPath); name != "lab" { // lab/own computes in the cell, lab/logs compares files
			continue
		}
		for _, dep := range p.Deps {
			if slices.ContainsFunc(slow, func(s string) bool { return within(dep, s) }) {
				t.Errorf("%s links %s, if only through what it imports: every cell takes longer to start", p.ImportPath, dep)
			}
		}
	}
}
