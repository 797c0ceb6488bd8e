package note

import (
	"bytes"
	"encoding/json"
	"image"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/env"
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

func begin(t *testing.T, parameters map[string]any) *Run {
	t.Helper()
	r, err := Begin("demo", parameters)
	if err != nil {
		t.Fatal(err)
	}
	return r
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
	begin(t, map[string]any{"limit": 200, "model": "testdata/tiny", "rate": 1e-3, "big": int64(9007199254740993), "fast": true})
	for _, add := range []func(r *Run) error{
		func(r *Run) error { return r.Prose("## Question\nDoes *it* help?") },
		func(r *Run) error {
			return r.Result(Result{Name: "accuracy/baseline", Value: math.Nextafter(0.3, 1), Unit: "share", N: 200, CI95: &stats.Interval{Low: 0.25, High: 0.36}, Tolerance: 0.005})
		},
		func(r *Run) error { return r.Result(Result{Name: "loss", Value: 2}) },
		func(r *Run) error {
			return r.Table(Table{Name: "arms", Title: "Arms", Columns: []string{"arm", "k", "p"}, Rows: [][]any{{"a", int64(9007199254740993), 0.1}, {"b", nil, float32(0.1)}}})
		},
		func(r *Run) error {
			return r.Figure(Figure{Name: "map", Title: "Map", PNG: pixels(t), Table: &Table{Columns: []string{"x"}, Rows: [][]any{{1}}}})
		},
		func(r *Run) error { return r.Provenance("model", "sha256:abc") },
		func(r *Run) error { return r.Finish() },
	} {
		r, err := Current()
		must(t, err)
		must(t, add(r))
	}
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
	r := begin(t, map[string]any{"model": filepath.Join(root, "testdata", "tiny"), "items": outside, "prompt": "/think about it"})
	must(t, r.Provenance("template", filepath.Join(root, "testdata", "tiny", "config.json")))
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
	_, err := Current()
	wantError(t, err, "no run has begun")
	_, err = Begin("../evil", nil)
	wantError(t, err, `recipe "../evil"`)
	_, err = Begin("demo", map[string]any{"x": math.NaN()})
	wantError(t, err, `parameter "x" is NaN`)
	_, err = Begin("demo", map[string]any{"x": []int{1}})
	wantError(t, err, `parameter "x" is a []int`)

	r := begin(t, nil)
	must(t, r.Result(Result{Name: "a", Value: 1}))
	must(t, r.Table(Table{Name: "t", Columns: []string{"c"}}))
	must(t, r.Figure(Figure{Name: "f", PNG: pixels(t)}))
	must(t, r.Provenance("model", "x"))
	must(t, r.Provenance("model", "x")) // saying the same again is fine
	for want, err := range map[string]error{
		`result "a" was added before (1, now 2)`:         r.Result(Result{Name: "a", Value: 2}),
		"has no name":                                    r.Result(Result{Value: 2}),
		`"b": the value is NaN`:                          r.Result(Result{Name: "b", Value: math.NaN()}),
		`"c": the value is +Inf`:                         r.Result(Result{Name: "c", Value: math.Inf(1)}),
		"the interval is [2, 1]":                         r.Result(Result{Name: "d", CI95: &stats.Interval{Low: 2, High: 1}}),
		"the interval is [NaN, 1]":                       r.Result(Result{Name: "d", CI95: &stats.Interval{Low: math.NaN(), High: 1}}),
		"tolerance is -1":                                r.Result(Result{Name: "d", Tolerance: -1}),
		"n is -1":                                        r.Result(Result{Name: "d", N: -1}),
		`table "t" was added before`:                     r.Table(Table{Name: "t", Columns: []string{"other"}}),
		`row 1 has 2 cells for 1 columns`:                r.Table(Table{Name: "u", Columns: []string{"c"}, Rows: [][]any{{1}, {1, 2}}}),
		`row 0, column "c" is NaN: use nil`:              r.Table(Table{Name: "u", Columns: []string{"c"}, Rows: [][]any{{math.NaN()}}}),
		`column "c" is a map[string]int`:                 r.Table(Table{Name: "u", Columns: []string{"c"}, Rows: [][]any{{map[string]int{}}}}),
		"no columns":                                     r.Table(Table{Name: "u"}),
		`figure "f" was added before`:                    r.Figure(Figure{Name: "F", PNG: otherPixels(t)}),
		`figure "../f"`:                                  r.Figure(Figure{Name: "../f", PNG: pixels(t)}),
		`figure "g": not a PNG (3 bytes)`:                r.Figure(Figure{Name: "g", PNG: []byte("gif")}),
		`table "t" was added before: give`:               r.Figure(Figure{Name: "g", PNG: pixels(t), Table: &Table{Name: "t", Columns: []string{"x"}}}),
		`provenance "model" was added before (x, now y)`: r.Provenance("model", "y"),
		`"commit" is recorded by itself`:                 r.Provenance("commit", "y"),
		`provenance "k" is a []string`:                   r.Provenance("k", []string{"a"}),
		"empty prose":                                    r.Prose(" \n"),
	} {
		wantError(t, err, want)
	}
}

func TestBeginClearsOnlyTheNotesState(t *testing.T) {
	_, dir := repository(t)
	r := begin(t, nil)
	must(t, r.Result(Result{Name: "old", Value: 1}))
	must(t, r.Finish())
	write(t, r.Work("cache/scores.bin"), "kept")
	before := read(t, dir, "results.json")
	r = begin(t, nil)
	if read(t, dir, "results.json") != before || read(t, dir, "work", "cache", "scores.bin") != "kept" {
		t.Error("Begin must not touch results or work files")
	}
	must(t, r.Result(Result{Name: "new", Value: 2}))
	must(t, r.Finish())
	res, err := Load(dir)
	must(t, err)
	if len(res.Results) != 1 || res.Results[0].Name != "new" {
		t.Errorf("results %+v, want those of the second run only", res.Results)
	}
}

func TestInteractiveRunsLiveInTheRepository(t *testing.T) {
	root, _ := repository(t)
	t.Setenv(env.RunDir, "")
	t.Setenv(env.CallerDir, "")
	t.Chdir(filepath.Join(root, "recipes")) // as a GoNB cell runs in its notebook's folder
	_, err := Current()
	wantError(t, err, "no run has begun")
	begin(t, nil)
	r, err := Current()
	must(t, err)
	want, err := filepath.EvalSymlinks(filepath.Join(root, "runs", "demo"))
	must(t, err)
	if got, _ := filepath.EvalSymlinks(r.Dir()); got != want {
		t.Errorf("run directory %s, want %s", got, want)
	}
	t.Chdir(t.TempDir())
	t.Setenv("GONB_DIR", filepath.Join(root, "notebooks", "deep"))
	if r, err := Current(); err != nil || filepath.Base(r.Dir()) != "demo" {
		t.Errorf("from elsewhere GONB_DIR must lead to the repository: %v", err)
	}
	t.Setenv("GONB_DIR", "")
	_, err = Begin("demo", nil)
	wantError(t, err, "no checkout of "+env.Module)
}

func TestParametersComeFromTheRunner(t *testing.T) {
	_, dir := repository(t)
	t.Setenv(env.Params, `{"limit": 12345678901234567890, "model": "m"}`)
	t.Setenv(env.Recipe, "demo")
	r, err := Begin("", nil)
	must(t, err)
	must(t, r.Finish())
	if text := read(t, dir, "results.json"); !strings.Contains(text, `"limit": 12345678901234567890`) || !strings.Contains(text, `"recipe": "demo"`) {
		t.Errorf("the runner's parameters are not in %s", text)
	}
	t.Setenv(env.Params, `[1]`)
	_, err = Begin("demo", nil)
	wantError(t, err, env.Params)
}

func TestPathIsRelativeToTheCallerThenToTheRepository(t *testing.T) {
	root, _ := repository(t)
	r := begin(t, nil)
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
		must(t, begin(t, nil).Finish())
		res, err := Load(dir)
		must(t, err)
		if res.Provenance["commit"] != run("rev-parse", "HEAD") || res.Provenance["dirty"] != dirty {
			t.Errorf("commit %v, dirty %v; want HEAD and %v", res.Provenance["commit"], res.Provenance["dirty"], dirty)
		}
	}
}
