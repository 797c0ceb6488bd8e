package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestBindingKeepsThePinsAndIsDoneOnce(t *testing.T) {
	root, cells := filepath.Join(t.TempDir(), "a checkout"), t.TempDir()
	write(t, filepath.Join(root, "go.mod"), "// pins\nmodule "+module+" // here\n\ngo 1.26\n\nrequire example.com/x v1.2.3\n")
	write(t, filepath.Join(root, "go.sum"), "sum\n")
	mod := filepath.Join(cells, "go.mod")
	write(t, mod, "module gonb_1a2b\n")
	bindIt := func() string {
		t.Helper()
		if err := bind(root, cells); err != nil {
			t.Fatal(err)
		}
		return read(t, mod)
	}
	want := "// pins\nmodule " + module + "/gonb_cells\n\ngo 1.26\n\nrequire example.com/x v1.2.3\n\nrequire " + module + " v0.0.0\n\nreplace " + module + " => \"" + filepath.ToSlash(root) + "\"\n"
	if got := bindIt(); got != want {
		t.Errorf("go.mod is\n%s\nexpected\n%s", got, want)
	}
	if got := read(t, filepath.Join(cells, "go.sum")); got != "sum\n" {
		t.Errorf("go.sum is %q", got)
	}
	added := want + "\nrequire example.com/y v1.0.0\n" // as `go get` of a cell does
	write(t, mod, added)
	if got := bindIt(); got != added {
		t.Errorf("a bound go.mod was changed to\n%s", got)
	}
	write(t, mod, "module gonb_1a2b\n") // %reset go.mod
	if got := bindIt(); got != want {
		t.Errorf("after a reset go.mod is\n%s", got)
	}
	write(t, filepath.Join(root, "go.mod"), "module "+module+"\n\ngo 1.27\n")
	if got := bindIt(); !strings.Contains(got, "go 1.27") {
		t.Errorf("after an edit of the checkout's go.mod it is\n%s", got)
	}
}

func TestRootIsFoundAboveTheNotebook(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "go.mod"), "module "+module+"\n")
	write(t, filepath.Join(root, "notebooks", "deep", "go.mod"), "module example.com/other\n")
	t.Chdir(filepath.Join(root, "notebooks", "deep"))
	if got, err := findRoot(); err != nil || got != root {
		t.Errorf("found %q, %v, expected %q", got, err, root)
	}
	t.Chdir(t.TempDir())
	if got, err := findRoot(); err == nil || !strings.Contains(err.Error(), "no checkout") {
		t.Errorf("outside a checkout: %q, %v", got, err)
	}
}

func TestImportsOfTheFoldersNotebooks(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, "a.ipynb"), `{"source": ["import \"github.com/attune-lab/attune/pkg/lab\"\n", "import \"fmt\"\n", "\t\"github.com/janpfeifer/gonb/gonbui\"\n"]}`)
	write(t, filepath.Join(folder, "b.ipynb"), `{"source": ["import \"github.com/attune-lab/attune/pkg/lab\"\n", "\t\"github.com/janpfeifer/must\"\n"], "x": "github.com/attune-lab/attune/pkg/none"}`)
	want := []string{module + "/pkg/lab", "github.com/janpfeifer/gonb/gonbui", "github.com/janpfeifer/must"}
	if got := imports(folder, folder); !slices.Equal(got, want) {
		t.Errorf("found %q, expected %q", got, want)
	}
}
