package recipe

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/attune-lab/attune/pkg/notebook"
)

func writeRecipe(t *testing.T, dir, name string) string {
	t.Helper()
	nb := &notebook.Notebook{Cells: []*notebook.Cell{{Type: notebook.Code, Source: "const limit = 200 // items to score", Metadata: map[string]any{"tags": []any{"parameters"}}}}}
	nb.Metadata = map[string]any{"attune": map[string]any{"title": "A title", "answers": "Does it work?"}}
	path := filepath.Join(dir, name+".ipynb")
	if err := nb.Write(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRecipesAreListedWithWhatTheySay(t *testing.T) {
	dir := t.TempDir()
	if _, err := List(dir); err == nil {
		t.Error("an empty folder has recipes")
	}
	path := writeRecipe(t, dir, "works")
	if err := os.WriteFile(filepath.Join(dir, "broken.ipynb"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	recipes, err := List(dir)
	if err == nil || !strings.Contains(err.Error(), "broken.ipynb") {
		t.Errorf("the unreadable notebook gives %v", err)
	}
	want := []Recipe{{Name: "works", Path: path, Title: "A title", Answers: "Does it work?",
		Parameters: []notebook.Parameter{{Name: "limit", Kind: notebook.Int, Default: int64(200), Help: "items to score"}}}}
	if !reflect.DeepEqual(recipes, want) {
		t.Errorf("found %+v, expected %+v", recipes, want)
	}
}

func TestFindRecipeByNameOrPath(t *testing.T) {
	dir := t.TempDir()
	path := writeRecipe(t, dir, "quickstart")
	writeRecipe(t, dir, "parity")
	for _, name := range []string{"quickstart", path} {
		if got, err := Find(dir, name); err != nil || got != path {
			t.Errorf("%s: found %s, %v", name, got, err)
		}
	}
	for name, want := range map[string]string{
		"quikstart":           `did you mean "quickstart"? the recipes are parity, quickstart`,
		"zzz":                 "the recipes are parity, quickstart",
		"../quickstart":       "no recipe is called",
		"nowhere/other.ipynb": "does not exist",
	} {
		if _, err := Find(dir, name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: found the error %v, expected %q", name, err, want)
		}
	}
}

func TestDefaultRunDirectoriesAreNew(t *testing.T) {
	parent := filepath.Join(t.TempDir(), "runs", "quickstart")
	now := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
	for _, want := range []string{"20260203T040506Z", "20260203T040506Z-2", "20260203T040506Z-3"} {
		dir, err := newDirectory(parent, now)
		if err != nil || dir != filepath.Join(parent, want) {
			t.Errorf("found %s, %v, expected %s", dir, err, want)
		}
	}
}

func TestRunRefusesBadInputBeforeItBuildsAnything(t *testing.T) {
	path := writeRecipe(t, t.TempDir(), "r")
	python := &notebook.Notebook{Metadata: map[string]any{"kernelspec": map[string]any{"name": "python3", "language": "python"}}}
	inPython := filepath.Join(t.TempDir(), "p.ipynb")
	if err := python.Write(inPython); err != nil {
		t.Fatal(err)
	}
	check := func(recipe string, values map[string]any) error {
		return fmt.Errorf("%s does not take %v", recipe, values["limit"])
	}
	for _, test := range []struct {
		options Options
		want    string
	}{
		{Options{Path: path, Backend: "cuda"}, "no such backend"},
		{Options{Path: path, Backend: "xla:cudaa"}, "use one of go, xla:cuda, xla:cpu"},
		{Options{Path: path, Overrides: notebook.Overrides{"limit": "x"}}, "expected an integer"},
		{Options{Path: "none.ipynb"}, "does not exist"},
		{Options{Path: inPython}, "in python, and only Go is run"},
		{Options{Path: path, Overrides: notebook.Overrides{"limit": "7"}, Check: check}, "r does not take 7"},
	} {
		test.options.Dir = filepath.Join(t.TempDir(), "out")
		_, err := Run(t.Context(), test.options)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("found the error %v, expected %q", err, test.want)
		}
		if _, err := os.Stat(test.options.Dir); err == nil {
			t.Error("the run directory was made all the same")
		}
	}
}
