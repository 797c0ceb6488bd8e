package note

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/report"
	"github.com/attune-lab/attune/pkg/stats"
)

// repository makes a small checkout and a run directory and points the environment at them, as the runner does.
func repository(t *testing.T) (root, dir string) {
	t.Helper()
	root, dir = t.TempDir(), filepath.Join(t.TempDir(), "run [1]") // a name that is a pattern, too
	write(t, filepath.Join(root, "go.mod"), "module "+env.Module+"\n\ngo 1.26\n\nrequire github.com/gomlx/gomlx v0.28.8\n")
	write(t, filepath.Join(root, "recipes", "demo.ipynb"),
		`{"cells":[],"metadata":{"attune":{"title":"A <b>demo</b>","answers":"Does emulation help?"}},"nbformat":4,"nbformat_minor":5}`)
	write(t, filepath.Join(root, "testdata", "tiny", "config.json"), "{}")
	t.Setenv(env.CallerDir, filepath.Join(root, "recipes"))
	t.Setenv(env.RunDir, dir)
	t.Setenv(env.Backend, "")
	t.Setenv(env.Params, "")
	t.Setenv(env.Recipe, "")
	return root, dir
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want one that says %q", err, want)
	}
}

func picture(t *testing.T, width, height int) []byte {
	t.Helper()
	var b bytes.Buffer
	must(t, png.Encode(&b, image.NewGray(image.Rect(0, 0, width, height))))
	return b.Bytes()
}

func pixels(t *testing.T) []byte      { return picture(t, 30, 20) }
func otherPixels(t *testing.T) []byte { return picture(t, 31, 20) }

// Every call finds the run anew, as cells do.
func TestResultsSurviveTheWayThroughCells(t *testing.T) {
	_, dir := repository(t)
	parameters := map[string]any{"limit": 200, "model": "testdata/tiny", "rate": 1e-3, "big": int64(9007199254740993), "fast": true}
	for i, p := range []report.Part{
		{Numbers: []report.Number{{Name: "accuracy/baseline", Value: math.Nextafter(0.3, 1), Unit: "share", N: 200, CI95: &stats.Interval{Low: 0.25, High: 0.36}, Tolerance: 0.005}}},
		{Numbers: []report.Number{{Name: "loss", Value: 2}}},
		{Tables: []report.Table{{Name: "arms", Title: "Arms", Columns: []string{"arm", "k", "p"}, Rows: [][]any{{"a", int64(9007199254740993), 0.1}, {"b", nil, float32(0.1)}}}}},
		{Figures: []report.Figure{{Name: "map", Title: "Map", Chart: report.PNG(pixels(t)), Table: &report.Table{Columns: []string{"x"}, Rows: [][]any{{1}}}}}},
		{Facts: map[string]any{"model": "sha256:abc"}},
	} {
		must(t, open(t, parameters).Section(fmt.Sprint("Cell ", i), &p))
	}
	must(t, open(t, parameters).Finish())
	text := read(t, dir, "results.json")
	for _, want := range []string{
		`"value": 0.30000000000000004`, `9007199254740993`, `"ci95": null`, `"tolerance": 0.005`, `"rate": 0.001`, `"fast": true`, `"model": "sha256:abc"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("results.json has no %s:\n%s", want, text)
		}
	}
	order := []string{`"recipe"`, `"parameters"`, `"results"`, `"name"`, `"value"`, `"unit"`, `"n"`, `"ci95"`, `"tolerance"`, `"tables"`, `"title"`, `"columns"`, `"rows"`, `"provenance"`}
	at := 0
	for _, key := range order {
		i := strings.Index(text[at:], key+":")
		if i < 0 {
			t.Fatalf("key %s is missing or out of order", key)
		}
		at += i
	}
	res, err := Load(dir)
	must(t, err)
	if res.Recipe != "demo" || len(res.Results) != 2 || res.Results[0].Value != math.Nextafter(0.3, 1) || *res.Results[0].CI95 != (stats.Interval{Low: 0.25, High: 0.36}) {
		t.Errorf("loaded %+v", res)
	}
	if n := res.Tables["arms"].Rows[0][1]; n != json.Number("9007199254740993") {
		t.Errorf("a table's integer came back as %v", n)
	}
	if _, ok := res.Tables["map"]; !ok {
		t.Error("the table behind the figure is not in results.json")
	}
	if b := read(t, dir, "figures", "map.png"); b != string(pixels(t)) {
		t.Error("figures/map.png is not the figure's bytes")
	}
	if diffs := Compare(res, res); diffs != nil {
		t.Errorf("results differ from themselves: %v", diffs)
	}
}

func TestProvenanceIsGatheredAndNamesNoMachine(t *testing.T) {
	root, dir := repository(t)
	outside := t.TempDir()
	t.Setenv("HOME", filepath.Dir(outside))
	t.Setenv(env.Backend, "xla:cuda")
	t.Setenv("ATTUNE_TEST_SECRET", "hunter2")
	r := open(t, map[string]any{"model": filepath.Join(root, "testdata", "tiny"), "items": outside, "prompt": "/think about it"})
	must(t, r.Section("One", &report.Part{Facts: map[string]any{"template": filepath.Join(root, "testdata", "tiny", "config.json")}}))
	must(t, r.Finish())
	for _, file := range []string{"results.json", "provenance.json", "note.html"} {
		text := read(t, dir, file)
		for _, bad := range []string{root, outside, filepath.Dir(outside), dir, "hunter2"} {
			if strings.Contains(text, bad) {
				t.Errorf("%s tells %s", file, bad)
			}
		}
	}
	res, err := Load(dir)
	must(t, err)
	for key, want := range map[string]any{"model": "testdata/tiny", "items": "…/" + filepath.Base(outside), "prompt": "/think about it"} {
		if res.Parameters[key] != want {
			t.Errorf("parameter %s is %v, want %v", key, res.Parameters[key], want)
		}
	}
	for key, want := range map[string]any{"backend": "xla:cuda", "commit": "unknown", "template": "testdata/tiny/config.json"} {
		if res.Provenance[key] != want {
			t.Errorf("provenance %s is %v, want %v", key, res.Provenance[key], want)
		}
	}
	for key := range gathered {
		if _, ok := res.Provenance[key]; !ok {
			t.Errorf("provenance has no %s", key)
		}
	}
	if v := res.Provenance["modules"].(map[string]any)["github.com/gomlx/gomlx"]; v != "v0.28.8" {
		t.Errorf("gomlx is %v, want the version go.mod pins", v)
	}
	var alone map[string]any
	must(t, json.Unmarshal([]byte(read(t, dir, "provenance.json")), &alone))
	if alone["started"] != res.Provenance["started"] {
		t.Error("provenance.json differs from the provenance in results.json")
	}
}

func TestMistakesAreNamed(t *testing.T) {
	repository(t)
	_, err := Open("../evil", nil)
	wantError(t, err, `recipe "../evil"`)
	_, err = Open("demo", map[string]any{"x": math.NaN()})
	wantError(t, err, `parameter "x" is NaN`)
	_, err = Open("demo", map[string]any{"x": []int{1}})
	wantError(t, err, `parameter "x" is a []int`)

	r := open(t, nil)
	number := func(n report.Number) report.Part { return report.Part{Numbers: []report.Number{n}} }
	table := func(t report.Table) report.Part { return report.Part{Tables: []report.Table{t}} }
	figure := func(name string, png []byte, behind *report.Table) report.Part {
		return report.Part{Figures: []report.Figure{{Name: name, Chart: report.PNG(png), Table: behind}}}
	}
	fact := func(key string, value any) report.Part { return report.Part{Facts: map[string]any{key: value}} }
	for i, p := range []report.Part{
		number(report.Number{Name: "a", Value: 1}), table(report.Table{Name: "t", Columns: []string{"c"}}), figure("f", pixels(t), nil), fact("model", "x"),
		fact("model", "x"), // saying the same again is fine
	} {
		must(t, r.Section(fmt.Sprint("Cell ", i), &p))
	}
	for want, p := range map[string]report.Part{
		`result "a" was added before in section "Cell 0" (1, now 2)`: number(report.Number{Name: "a", Value: 2}),
		"has no name":              number(report.Number{Value: 2}),
		`"b": the value is NaN`:    number(report.Number{Name: "b", Value: math.NaN()}),
		`"c": the value is +Inf`:   number(report.Number{Name: "c", Value: math.Inf(1)}),
		"the interval is [2, 1]":   number(report.Number{Name: "d", CI95: &stats.Interval{Low: 2, High: 1}}),
		"the interval is [NaN, 1]": number(report.Number{Name: "d", CI95: &stats.Interval{Low: math.NaN(), High: 1}}),
		"tolerance is -1":          number(report.Number{Name: "d", Tolerance: -1}),
		"n is -1":                  number(report.Number{Name: "d", N: -1}),
		`table "t" was added before in section "Cell 1"`:                     table(report.Table{Name: "t", Columns: []string{"other"}}),
		`row 1 has 2 cells for 1 columns`:                                    table(report.Table{Name: "u", Columns: []string{"c"}, Rows: [][]any{{1}, {1, 2}}}),
		`row 0, column "c" is NaN: use nil`:                                  table(report.Table{Name: "u", Columns: []string{"c"}, Rows: [][]any{{math.NaN()}}}),
		`column "c" is a map[string]int`:                                     table(report.Table{Name: "u", Columns: []string{"c"}, Rows: [][]any{{map[string]int{}}}}),
		"no columns":                                                         table(report.Table{Name: "u"}),
		`figure "f" was added before in section "Cell 2"`:                    figure("F", otherPixels(t), nil),
		`figure "../f"`:                                                      figure("../f", pixels(t), nil),
		`figure "g": not a PNG (3 bytes)`:                                    figure("g", []byte("gif"), nil),
		`table "t" was added before in section "Cell 1": give`:               figure("g", pixels(t), &report.Table{Name: "t", Columns: []string{"x"}}),
		`provenance "model" was added before in section "Cell 3" (x, now y)`: fact("model", "y"),
		`"commit" is recorded by itself`:                                     fact("commit", "y"),
		`provenance "k" is a []string`:                                       fact("k", []string{"a"}),
	} {
		wantError(t, r.Section("Mistake", &p), want)
	}
}

func TestOpenTouchesNoResultsAndNoWorkFiles(t *testing.T) {
	_, dir := repository(t)
	r := open(t, map[string]any{"limit": 1})
	must(t, r.Section("One", number("old", 1)))
	must(t, r.Finish())
	write(t, r.Work("cache/scores.bin"), "kept")
	before := read(t, dir, "results.json")
	r = open(t, map[string]any{"limit": 2})
	if read(t, dir, "results.json") != before || read(t, dir, "work", "cache", "scores.bin") != "kept" {
		t.Error("Open must not touch results or work files")
	}
	must(t, r.Section("One", number("new", 2)))
	must(t, r.Finish())
	if got := loaded(t, dir); got != "new=2" {
		t.Errorf("results %s, want those of the second run only", got)
	}
}

func TestInteractiveRunsLiveInTheRepository(t *testing.T) {
	root, _ := repository(t)
	t.Setenv(env.RunDir, "")
	t.Setenv(env.CallerDir, "")
	t.Chdir(filepath.Join(root, "recipes")) // as a GoNB cell runs in its notebook's folder
	r := open(t, nil)
	want, err := filepath.EvalSymlinks(filepath.Join(root, "runs", "demo"))
	must(t, err)
	if got, _ := filepath.EvalSymlinks(r.Dir()); got != want {
		t.Errorf("run directory %s, want %s", got, want)
	}
	t.Chdir(t.TempDir())
	t.Setenv("GONB_DIR", filepath.Join(root, "notebooks", "deep"))
	if r, err := Open("demo", nil); err != nil || filepath.Base(r.Dir()) != "demo" || r.New() {
		t.Errorf("from elsewhere GONB_DIR must lead to the repository and its run: %v", err)
	}
	t.Setenv("GONB_DIR", "")
	_, err = Open("demo", nil)
	wantError(t, err, "no checkout of "+env.Module)
}

func TestParametersComeFromTheRunner(t *testing.T) {
	_, dir := repository(t)
	t.Setenv(env.Params, `{"limit": 12345678901234567890, "model": "m"}`)
	t.Setenv(env.Recipe, "demo")
	r, err := Open("", nil)
	must(t, err)
	must(t, r.Finish())
	if text := read(t, dir, "results.json"); !strings.Contains(text, `"limit": 12345678901234567890`) || !strings.Contains(text, `"recipe": "demo"`) {
		t.Errorf("the runner's parameters are not in %s", text)
	}
	t.Setenv(env.Params, `[1]`)
	_, err = Open("demo", nil)
	wantError(t, err, env.Params)
}

func TestPathIsRelativeToTheCallerThenToTheRepository(t *testing.T) {
	root, _ := repository(t)
	r := open(t, nil)
	for in, want := range map[string]string{
		"demo.ipynb":            filepath.Join(root, "recipes", "demo.ipynb"),
		"testdata/tiny":         filepath.Join(root, "testdata", "tiny"),
		"../testdata/tiny":      filepath.Join(root, "testdata", "tiny"),
		root + "/testdata/tiny": filepath.Join(root, "testdata", "tiny"),
	} {
		if got, err := r.Path(in); err != nil || got != want {
			t.Errorf("Path(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
	_, err := r.Path("nowhere")
	wantError(t, err, filepath.Join(root, "recipes", "nowhere")+" and "+filepath.Join(root, "nowhere"))
	_, err = r.Path("/nowhere/at/all")
	wantError(t, err, "/nowhere/at/all")
	_, err = r.Path("")
	wantError(t, err, "empty path")
	if got := r.Work("../../etc/x"); !strings.HasPrefix(got, filepath.Join(r.Dir(), "work")+string(filepath.Separator)) {
		t.Errorf("Work left its folder: %s", got)
	}
}

func TestTheCommitAndItsStateAreRecorded(t *testing.T) {
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("git is not installed: the commit is \"unknown\" then")
	}
	root, dir := repository(t)
	run := func(args ...string) string {
		out, err := exec.Command(git, append([]string{"-C", root, "-c", "user.name=t", "-c", "user.email=t@example.org"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	run("init", "-q")
	run("add", ".")
	run("commit", "-q", "-m", "all")
	for _, dirty := range []bool{false, true} {
		if dirty {
			write(t, filepath.Join(root, "new.go"), "package x")
		}
		must(t, open(t, nil).Finish())
		res, err := Load(dir)
		must(t, err)
		if res.Provenance["commit"] != run("rev-parse", "HEAD") || res.Provenance["dirty"] != dirty {
			t.Errorf("commit %v, dirty %v; want HEAD and %v", res.Provenance["commit"], res.Provenance["dirty"], dirty)
		}
	}
}

func TestOutputNeedNotExist(t *testing.T) {
	root, _ := repository(t)
	r := open(t, nil)
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
