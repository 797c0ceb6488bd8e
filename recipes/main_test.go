package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/note"
	"github.com/attune-lab/attune/pkg/notebook"
	"github.com/attune-lab/attune/pkg/recipe"
)

// smallRecipe writes results.json by itself, without pkg/note, so that it needs no module and runs in two seconds.
const smallRecipe = `import (
	"fmt"
	"os"
	"path/filepath"
)
%%
results := fmt.Sprintf("{\"recipe\": \"small\", \"parameters\": %s, \"results\": [{\"name\": \"value\", \"value\": %v, \"unit\": \"\", \"n\": 1, \"tolerance\": 0.01}], \"tables\": {}, \"provenance\": {}}",
	os.Getenv("ATTUNE_PARAMETERS"), value)
if write {
	if err := os.WriteFile(filepath.Join(os.Getenv("ATTUNE_RUN_DIR"), "results.json"), []byte(results), 0o644); err != nil {
		panic(err)
	}
}`

// smallSite is a folder of recipes with one recipe.
func smallSite(t *testing.T) site {
	t.Helper()
	if testing.Short() {
		t.Skip("short: builds and starts GoNB")
	}
	root, err := env.FindRoot(".")
	if err != nil {
		t.Fatal(err)
	}
	where := site{root: root, recipes: t.TempDir()}
	nb := notebook.Notebook{Cells: []*notebook.Cell{
		{Type: notebook.Code, Source: "const (\n\tvalue = 1.5\n\titems = 200\n\tname  = \"a\"\n\twrite = true\n)", Metadata: map[string]any{"tags": []any{"parameters"}}},
		{Type: notebook.Code, Source: smallRecipe},
	}}
	if err := nb.Write(filepath.Join(where.recipes, "small.ipynb")); err != nil {
		t.Fatal(err)
	}
	return where
}

func TestRunThenCheckAgreesAndNoticesADifference(t *testing.T) {
	where := smallSite(t)
	out := filepath.Join(t.TempDir(), "out")
	if err := run(t.Context(), where, []string{"-p", "value=2.5", "small", "-o", out, "-p", "items=7"}); err != nil {
		t.Fatal(err)
	}
	results, err := note.Load(out)
	if err != nil {
		t.Fatal(err)
	}
	if results.Results[0].Value != 2.5 {
		t.Errorf("the value is %v, expected the overridden 2.5", results.Results[0].Value)
	}
	if err := run(t.Context(), where, []string{"small", "-o", out}); err == nil || !strings.Contains(err.Error(), "--force") {
		t.Errorf("a second run into the directory gives %v", err)
	}
	again := func() string { return filepath.Join(t.TempDir(), "again") }
	if err := check(t.Context(), where, []string{out, "-o", again()}); err != nil {
		t.Error(err)
	}
	committed := filepath.Join(where.recipes, "small.results.json")
	text, err := os.ReadFile(filepath.Join(out, "results.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(committed, text, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := check(t.Context(), where, []string{"-o", again(), "small"}); err != nil {
		t.Error(err)
	}
	other := strings.Replace(string(text), `"value": 2.5, "unit"`, `"value": 2.6, "unit"`, 1)
	if err := os.WriteFile(committed, []byte(other), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := check(t.Context(), where, []string{"small", "-o", again()}); err == nil || !strings.Contains(err.Error(), "1 difference(s)") {
		t.Errorf("2.5 for a committed 2.6 gives %v", err)
	}
}

// TestWrongValuesAreRefusedBeforeAnythingStarts: no directory is made, nothing is built.
func TestWrongValuesAreRefusedBeforeAnythingStarts(t *testing.T) {
	where, err := findSite()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ recipe, assignment, want string }{
		{"quickstart", "model=nowhere", `parameter model="nowhere": there is no such file or directory`},
		{"quickstart", "limit=-3", "parameter limit=-3: expected how many items, or 0 for all, 0 or more"},
		{"quickstart", "dtype=float33", `did you mean "float32"?`},
		{"ablate", "controls=unifrom", `did you mean "uniform"?`},
		{"sinks", "lmit=3", `did you mean "limit"`},
	} {
		out, started := filepath.Join(t.TempDir(), "out"), time.Now()
		err := run(t.Context(), where, []string{c.recipe, "-p", c.assignment, "-o", out})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s -p %s: found the error %v, expected %q", c.recipe, c.assignment, err, c.want)
		}
		if exists(out) {
			t.Errorf("%s -p %s made a run directory", c.recipe, c.assignment)
		}
		if took := time.Since(started); took > 2*time.Second {
			t.Errorf("%s -p %s is refused after %v, expected less than 2 s", c.recipe, c.assignment, took)
		}
	}
}

func TestRunWithoutResultsFails(t *testing.T) {
	where := smallSite(t)
	err := run(t.Context(), where, []string{"small", "-p", "write=false", "-o", t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "no results.json") {
		t.Errorf("found the error %v", err)
	}
}

func TestCheckNeedsCommittedResults(t *testing.T) {
	where := smallSite(t)
	for name, want := range map[string]string{"small": "no results are committed", "smal": `did you mean "small"`, t.TempDir(): "holds no results.json"} {
		if err := check(t.Context(), where, []string{name}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: found the error %v, expected %q", name, err, want)
		}
	}
}

func TestFlagsStandBeforeAndAfterTheName(t *testing.T) {
	for _, args := range [][]string{
		{"NAME", "-p", "a=1", "--timeout", "2m"}, {"-p", "a=1", "NAME", "-timeout=2m"}, {"--timeout", "2m", "-p=a=1", "NAME"},
	} {
		options := recipe.Options{Overrides: notebook.Overrides{}}
		flags := flag.NewFlagSet("run", flag.ContinueOnError)
		runFlags(flags, &options)
		flags.Func("p", "", options.Overrides.Set)
		names, err := parse(flags, args, 1, "one name")
		if err != nil || !slices.Equal(names, []string{"NAME"}) || options.Timeout.Minutes() != 2 || options.Overrides["a"] != "1" {
			t.Errorf("%q: names %q, options %+v, %v", args, names, options, err)
		}
	}
}

func TestWrongCommandLineIsAUsageError(t *testing.T) {
	for _, args := range [][]string{nil, {"rum"}, {"run"}, {"run", "a", "b"}, {"run", "a", "--nope"}, {"run", "a", "-p", "x"}, {"list", "all"}, {"run", "a", "--timeout", "soon"}} {
		if err := dispatch(context.Background(), args); !errors.Is(err, errUsage) {
			t.Errorf("%q gives %v", args, err)
		}
	}
	for args, want := range map[string]string{"rum": `did you mean "run"?`, "lst": `did you mean "list"?`, "run a --bakend go": "did you mean --backend?", "frobnicate": "; the commands are "} {
		if err := dispatch(context.Background(), strings.Fields(args)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %v, expected %q in it", args, err, want)
		}
	}
	if err := dispatch(context.Background(), []string{"--help"}); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("--help gives %v", err)
	}
}

func TestHelpOfACommandShowsItsFlags(t *testing.T) {
	for command, want := range map[string][]string{"submit": {"usage: go run ./recipes submit\n\n  submit NAME --parts N", "--at-once K", "--dry-run [--rate T]"}, "jupyter": {"--no-start"}, "--help": {"  run NAME", "  cancel DIR"}} {
		text := usageOf(command)
		for _, part := range want {
			if !strings.Contains(text, part) {
				t.Errorf("the help of %s lacks %q:\n%s", command, part, text)
			}
		}
		if command == "submit" && strings.Contains(text, "status DIR") {
			t.Errorf("the help of submit has other commands:\n%s", text)
		}
	}
}

func TestHelpOfARecipeShowsItsParameters(t *testing.T) {
	var b bytes.Buffer
	where, err := findSite()
	if err != nil {
		t.Fatal(err)
	}
	if err := help(&b, where, "quickstart"); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"quickstart: ", "-p limit=200", "run quickstart [-p key=value]", "--backend"} {
		if !strings.Contains(b.String(), part) {
			t.Errorf("the help lacks %q:\n%s", part, b.String())
		}
	}
	for args, want := range map[string]string{"quickstart --help": "quickstart", "-p a=1 --timeout 2m sinks -h": "sinks", "--help": "", "--force ablate --help": "ablate"} {
		if got := helpFor(strings.Fields(args)); got != want {
			t.Errorf("%q asks for the help of %q, expected %q", args, got, want)
		}
	}
	if err := run(t.Context(), where, []string{"quikstart", "--help"}); err == nil || !strings.Contains(err.Error(), `did you mean "quickstart"?`) {
		t.Errorf("help for a typing error gives %v", err)
	}
}

func TestUnfinishedRunNamesTheCommandThatContinuesIt(t *testing.T) {
	where := smallSite(t)
	out := filepath.Join(t.TempDir(), "it's here")
	err := run(t.Context(), where, []string{"small", "-p", "name=a b", "-p", "write=false", "-p", "value=-1", "-o", out, "--timeout", "1ms"})
	var unfinished *unfinishedError
	if !errors.As(err, &unfinished) {
		t.Fatalf("a run without time ends with %v", err)
	}
	want := `go run ./recipes run small -p 'name=a b' -p value=-1 -p write=false --timeout 1ms -o '` + strings.ReplaceAll(recipe.Relative(out), "'", `'\''`) + `' --force`
	if unfinished.command != want {
		t.Errorf("it continues with\n%s\nexpected\n%s", unfinished.command, want)
	}
}

func TestFlagsOfJupyterAreItsOwn(t *testing.T) {
	ours, theirs := split(strings.Fields("--port 8889 --backend xla:cpu --no-browser -no-start --ServerApp.token=x notebooks/01.ipynb --backend=go -- --no-start"))
	if want := strings.Fields("--backend xla:cpu -no-start --backend=go"); !slices.Equal(ours, want) {
		t.Errorf("ours are %q, expected %q", ours, want)
	}
	if want := strings.Fields("--port 8889 --no-browser --ServerApp.token=x notebooks/01.ipynb --no-start"); !slices.Equal(theirs, want) {
		t.Errorf("Jupyter's are %q, expected %q", theirs, want)
	}
}
