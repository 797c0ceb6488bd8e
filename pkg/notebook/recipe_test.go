package notebook

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func writeRecipe(t *testing.T, dir, name string) string {
	t.Helper()
	nb := parameterised("const limit = 200 // items to score")
	nb.Metadata = map[string]any{"attune": map[string]any{"title": "A title", "answers": "Does it work?"}}
	path := filepath.Join(dir, name+".ipynb")
	if err := nb.Write(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRecipesAreListedWithWhatTheySay(t *testing.T) {
	dir := t.TempDir()
	if _, err := Recipes(dir); err == nil {
		t.Error("an empty folder has recipes")
	}
	path := writeRecipe(t, dir, "works")
	if err := os.WriteFile(filepath.Join(dir, "broken.ipynb"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	recipes, err := Recipes(dir)
	if err == nil || !strings.Contains(err.Error(), "broken.ipynb") {
		t.Errorf("the unreadable notebook gives %v", err)
	}
	want := []Recipe{{Name: "works", Path: path, Title: "A title", Answers: "Does it work?",
		Parameters: []Parameter{{Name: "limit", Kind: Int, Default: int64(200), Help: "items to score"}}}}
	if !reflect.DeepEqual(recipes, want) {
		t.Errorf("found %+v, expected %+v", recipes, want)
	}
}

func TestFindRecipeByNameOrPath(t *testing.T) {
	dir := t.TempDir()
	path := writeRecipe(t, dir, "quickstart")
	writeRecipe(t, dir, "parity")
	for _, name := range []string{"quickstart", path} {
		if got, err := FindRecipe(dir, name); err != nil || got != path {
			t.Errorf("%s: found %s, %v", name, got, err)
		}
	}
	for name, want := range map[string]string{
		"quikstart":           `did you mean "quickstart"? the recipes are parity, quickstart`,
		"zzz":                 "the recipes are parity, quickstart",
		"../quickstart":       "no recipe is called",
		"nowhere/other.ipynb": "does not exist",
	} {
		if _, err := FindRecipe(dir, name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: found the error %v, expected %q", name, err, want)
		}
	}
}

func TestRunRefusesADirectoryThatHoldsARun(t *testing.T) {
	dir := t.TempDir()
	options := RunOptions{Dir: dir}
	if got, err := runDirectory(options, "quickstart"); err != nil || got != dir {
		t.Fatalf("an empty directory gives %s, %v", got, err)
	}
	work := filepath.Join(dir, "work")
	if err := os.Mkdir(work, 0o755); err != nil {
		t.Fatal(err)
	}
	results := filepath.Join(dir, "results.json")
	if err := os.WriteFile(results, []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := runDirectory(options, "quickstart")
	if err == nil || !strings.Contains(err.Error(), "-o") || !strings.Contains(err.Error(), "--force") || !isFile(results) {
		t.Errorf("a directory with a run gives %v", err)
	}
	options.Force = true
	if _, err := runDirectory(options, "quickstart"); err != nil || isFile(results) {
		t.Errorf("forced: %v; the earlier results must not pass for the new ones", err)
	}
	if _, err := os.Stat(work); err != nil {
		t.Errorf("forced: the work files must stay: %v", err)
	}
}

func TestDefaultRunDirectoriesAreNew(t *testing.T) {
	parent := filepath.Join(t.TempDir(), "runs", "quickstart")
	now := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
	for _, want := range []string{"20260203T040506Z", "20260203T040506Z-2", "20260203T040506Z-3"} {
		dir, err := newRunDirectory(parent, now)
		if err != nil || dir != filepath.Join(parent, want) {
			t.Errorf("found %s, %v, expected %s", dir, err, want)
		}
	}
}

func TestRunRefusesBadInputBeforeItBuildsAnything(t *testing.T) {
	path := writeRecipe(t, t.TempDir(), "r")
	for _, test := range []struct {
		options RunOptions
		want    string
	}{
		{RunOptions{Path: path, Backend: "cuda"}, "no such backend"},
		{RunOptions{Path: path, Backend: "xla:cudaa"}, "use one of go, xla:cuda, xla:cpu"},
		{RunOptions{Path: path, Overrides: Overrides{"limit": "x"}}, "expected an integer"},
		{RunOptions{Path: "none.ipynb"}, "does not exist"},
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

func TestImportsOfCells(t *testing.T) {
	nb := code(
		"!import \"no/shell\"",
		"import (\n\t\"fmt\"\n\t. \"github.com/janpfeifer/must\"\n\tx \"example.com/x\" // \"no/comment\"\n)\nconst s = `import \"no/string\"`",
		"%test\nimport \"os\"\nfunc f() { important := \"no/literal\" }",
		"%%bash\nimport \"no/bash\"",
		"%%writefile a.go\nimport \"no/file\"",
		"import \"unterminated")
	want := []string{"example.com/x", "fmt", "github.com/janpfeifer/must", "os", "testing"}
	if got := nb.Imports(); !slices.Equal(got, want) {
		t.Errorf("found %q, expected %q", got, want)
	}
}

func TestEnvironmentFollowsTheBackend(t *testing.T) {
	t.Setenv("GOEXPERIMENT", "synctest")
	t.Setenv("PATH", "/usr/bin")
	find := func(env []string, name string) string {
		found := ""
		for _, entry := range env {
			if value, ok := strings.CutPrefix(entry, name+"="); ok {
				found += value
			}
		}
		return found
	}
	plain := Environment(GoBackend, "/tools")
	for name, want := range map[string]string{"CGO_ENABLED": "0", "ATTUNE_BACKEND": "go", "GOWORK": "off", "PATH": "/tools:/usr/bin"} {
		if got := find(plain, name); got != want {
			t.Errorf("%s=%s, expected %s", name, got, want)
		}
	}
	if got := find(Environment("xla:cuda", ""), "CGO_ENABLED"); got != "1" {
		t.Errorf("XLA with CGO_ENABLED=%s", got)
	}
	t.Setenv("XLA_FLAGS", "--a=b") // package backend adds to it, by purpose
	for _, backend := range []string{"xla:cuda", GoBackend} {
		if got := find(Environment(backend, ""), "XLA_FLAGS"); got != "--a=b" {
			t.Errorf("%s changes XLA_FLAGS to %s", backend, got)
		}
	}
	if got := find(plain, "GOEXPERIMENT"); got != "synctest" && got != "synctest,simd" {
		t.Errorf("GOEXPERIMENT=%s lost what the user set", got)
	}
}

func TestNearestFindsTypingErrorsOnly(t *testing.T) {
	names := []string{"model", "limit", "seed"}
	for name, want := range map[string]string{"modle": "model", "limits": "limit", "Seed": "seed", "temperature": "", "": ""} {
		if got := Nearest(name, names); got != want {
			t.Errorf("%q: found %q, expected %q", name, got, want)
		}
	}
}

func TestMessagesAreSigned(t *testing.T) {
	msg, err := newMessage("session", "execute_request", map[string]any{"code": "x"})
	if err != nil {
		t.Fatal(err)
	}
	wire, err := msg.frames([]byte("key"))
	if err != nil {
		t.Fatal(err)
	}
	frames := append([][]byte{[]byte("identity")}, wire.Frames...)
	back, err := parseFrames(frames, []byte("key"))
	if err != nil || back.Header != msg.Header || string(back.Content) != string(msg.Content) {
		t.Errorf("came back as %+v, %v", back, err)
	}
	if _, err := parseFrames(frames, []byte("other")); err == nil {
		t.Error("a message signed with another key was accepted")
	}
	frames[len(frames)-1] = []byte(`{"code": "y"}`)
	if _, err := parseFrames(frames, []byte("key")); err == nil {
		t.Error("a forged message was accepted")
	}
	if _, err := parseFrames(frames[:4], []byte("key")); err == nil {
		t.Error("a short message was accepted")
	}
}
