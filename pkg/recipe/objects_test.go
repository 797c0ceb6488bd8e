package recipe

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/eval/logs"
	"github.com/attune-lab/attune/pkg/note"
	"github.com/attune-lab/attune/pkg/notebook"
	"github.com/attune-lab/attune/pkg/report"
)

// finishedRun is a run directory as a recipe leaves it: each arm answers the items whose bit is 1.
func finishedRun(t *testing.T, limit int, value float64, arms ...[]int) string {
	t.Helper()
	dir := t.TempDir()
	results := note.Results{
		Recipe: "works", Parameters: map[string]any{"limit": limit}, Tables: map[string]report.Table{},
		Results:    []report.Number{{Name: "acc", Value: value, Unit: "accuracy", N: limit, Tolerance: 0.01}, {Name: "same", Value: 1}},
		Provenance: map[string]any{"commit": "abc", "backend": "go", "dtype": "float32", "seconds": limit, "spec.released": `{"alpha":0.2}`},
	}
	b, err := json.Marshal(results)
	if err != nil {
		t.Fatal(err)
	}
	var rows []logs.Row
	for a, right := range arms {
		for i, bit := range right {
			rows = append(rows, logs.Row{DocID: i, Doc: map[string]any{"question": fmt.Sprint("q", i)}, Target: "0", Prompt: fmt.Sprint("q", i), Arm: []string{"baseline", "released"}[a],
				Choices: []string{" a", " b"}, Scores: []float64{float64(bit), 0.5}, Metrics: []logs.Metric{{Name: "acc", Value: float64(bit)}}})
		}
	}
	var samples bytes.Buffer
	if err := logs.WriteSamples(&samples, rows); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"results.json": b, "note.html": []byte("<p>note"), "note.md": []byte("note"), "samples_set_2026-01-02T03-04-05.000000.jsonl": samples.Bytes(),
		"figures/a.png": []byte("png"), "tables/t.csv": []byte("a,b\n"), "arrays.safetensors": []byte("weights"), "work/x": []byte("x")} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	writeRecipe(t, dir, "works")
	return dir
}

func TestDiffNamesWhatDiffersAndTheItemsThatFlipped(t *testing.T) {
	a := finishedRun(t, 6, 0.5, []int{1, 1, 1, 0, 0, 0}, []int{1, 1, 1, 1, 0, 0})
	b := finishedRun(t, 7, 0.505, []int{1, 1, 1, 0, 0, 0}, []int{0, 1, 1, 1, 1, 1})
	d, err := Diff(a, b)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Parameters) != 1 || d.Parameters[0] != (Change{"limit", "6", "7"}) {
		t.Errorf("parameters: %v", d.Parameters)
	}
	if len(d.Provenance) != 0 {
		t.Errorf("times count as provenance: %v", d.Provenance)
	}
	if d.Same != 1 || len(d.Numbers) != 1 || d.Numbers[0].Within { // n differs
		t.Errorf("numbers: %d same, %+v", d.Same, d.Numbers)
	}
	if len(d.Flips) != 2 || len(d.Flips[0].Gained)+len(d.Flips[0].Lost) != 0 || !slices.Equal(d.Flips[1].Gained, []string{"4", "5"}) || !slices.Equal(d.Flips[1].Lost, []string{"0"}) {
		t.Errorf("flips: %+v", d.Flips)
	}
	if d.Flips[1].Paired.Family != 2 {
		t.Errorf("the family has %d comparisons, expected both arms", d.Flips[1].Paired.Family)
	}
	if n := d.Differences(); n != 5 {
		t.Errorf("%d differences, expected a parameter, a number and three flips", n)
	}
	var out bytes.Buffer
	d.Write(&out)
	for _, want := range []string{"limit  6  7", "provenance: the same", "set, released: 3 of 6 items flip (2 gained, 1 lost)", "gained: 4 5", "lost:   0"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, out.String())
		}
	}
	if d, err := Diff(a, a); err != nil || d.Differences() != 0 {
		t.Errorf("a run differs from itself in %d, %v", d.Differences(), err)
	}
}

func TestNumbersOfOtherPromptsAreCompared(t *testing.T) {
	d := &RunDiff{}
	d.numbers([]report.Number{{Name: "set@0123abcd/acc/all/baseline", Value: 0.5}, {Name: "gone", Value: 1}}, []report.Number{{Name: "set@4567cdef/acc/all/baseline", Value: 0.6}, {Name: "new", Value: 2}})
	if len(d.Numbers) != 3 || d.Numbers[0].B == nil || d.Numbers[0].B.Value != 0.6 || d.Numbers[1].B != nil || d.Numbers[2].A != nil {
		t.Errorf("found %+v, expected the score of both templates side by side, one number that went and a new one", d.Numbers)
	}
}

func TestBundleIsTheSameBytesAndOpensAgain(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	run := finishedRun(t, 3, 0.5, []int{1, 0, 1})
	var first, second bytes.Buffer
	m, err := WriteBundle(run, root, &first)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := WriteBundle(run, root, &second); err != nil || !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Errorf("a second bundle of the run is another one (%v)", err)
	}
	for _, name := range []string{"works.ipynb", "note.html", "note.md", "results.json", "samples_set_2026-01-02T03-04-05.000000.jsonl", "specs/released.json", "README.md", "go.mod", "go.sum", "figures/a.png", "tables/t.csv"} {
		if m.Files[name] == "" {
			t.Errorf("the bundle lacks %s", name)
		}
	}
	for name := range m.Files {
		if strings.HasPrefix(name, "work/") || strings.HasSuffix(name, ".safetensors") {
			t.Errorf("the bundle holds %s", name)
		}
	}
	file := filepath.Join(t.TempDir(), "run.tar.gz")
	if err := os.WriteFile(file, first.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if _, err := OpenBundle(file, dir); err != nil {
		t.Fatal(err)
	}
	if d, err := Diff(run, dir); err != nil || d.Differences() != 0 || len(d.Flips) != 1 {
		t.Errorf("what was unpacked differs from the run: %+v, %v", d, err)
	}
	if same, err := SameNotebook(filepath.Join(dir, "works.ipynb"), filepath.Join(run, "works.ipynb")); err != nil || !same {
		t.Errorf("the notebooks are %v, %v", same, err)
	}
}

func TestBundlesThatWereChangedAreRefused(t *testing.T) {
	run := finishedRun(t, 3, 0.5, []int{1, 0, 1})
	var whole bytes.Buffer
	if _, err := WriteBundle(run, "../..", &whole); err != nil {
		t.Fatal(err)
	}
	// rewritten passes every file through change, which may rename it, replace it or drop it ("").
	rewritten := func(change func(name string, b []byte) (string, []byte)) []byte {
		in, err := gzip.NewReader(bytes.NewReader(whole.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		zipped := gzip.NewWriter(&out)
		w := tar.NewWriter(zipped)
		for r := tar.NewReader(in); ; {
			h, err := r.Next()
			if err == io.EOF {
				break
			}
			b, err2 := io.ReadAll(r)
			if err != nil || err2 != nil {
				t.Fatal(err, err2)
			}
			name, text := change(h.Name, b)
			if name == "" {
				continue
			}
			if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(text))}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(text); err != nil {
				t.Fatal(err)
			}
		}
		w.Close()
		zipped.Close()
		return out.Bytes()
	}
	for want, b := range map[string][]byte{
		"it was changed": rewritten(func(name string, b []byte) (string, []byte) {
			if name == "results.json" {
				b = bytes.Replace(b, []byte("0.5"), []byte("0.9"), 1)
			}
			return name, b
		}),
		"is no file that a bundle holds": rewritten(func(name string, b []byte) (string, []byte) {
			return strings.Replace(name, "figures/a.png", "../a.png", 1), b
		}),
		"lacks note.md": rewritten(func(name string, b []byte) (string, []byte) {
			return strings.TrimSuffix(name, "note.md"), b
		}),
		"not a bundle":         rewritten(func(name string, b []byte) (string, []byte) { return strings.TrimSuffix(name, manifestName), b }),
		"expected a file that": []byte("no archive"),
	} {
		file, dir := filepath.Join(t.TempDir(), "b.tar.gz"), t.TempDir()
		if err := os.WriteFile(file, b, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenBundle(file, dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("found the error %v, expected %q", err, want)
		}
		if _, err := os.Stat(filepath.Join(filepath.Dir(dir), "a.png")); err == nil {
			t.Error("a file was written outside the directory")
		}
	}
}

func TestSweepIsOneTableAndOneFamily(t *testing.T) {
	t.Setenv("ATTUNE_RECIPE", "")
	axis, err := ParseAxis("alpha=0.1,0.4")
	if err != nil {
		t.Fatal(err)
	}
	points, err := Points([]Axis{axis}, notebook.Overrides{"limit": "12"})
	if err != nil || len(points) != 2 || points[1].Name != "alpha=0.4" || points[1].Folder != "alpha=0.4" || points[0].Overrides["limit"] != "12" {
		t.Fatalf("%+v, %v", points, err)
	}
	base := []int{1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	points[0].Dir = finishedRun(t, 12, 0.25, base, base)
	points[1].Dir = finishedRun(t, 12, 0.25, base, []int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1})
	dir := t.TempDir()
	results, err := WriteSweep(dir, "works", []Axis{axis}, points, map[string]any{"limit": 12, "sweep alpha": "0.1,0.4"})
	if err != nil {
		t.Fatal(err)
	}
	family := results.Tables["sweep-family"]
	if len(family.Rows) != 2 || len(results.Tables["sweep"].Rows) != 4 {
		t.Fatalf("%d comparisons and %d numbers, expected 2 and 4", len(family.Rows), len(results.Tables["sweep"].Rows))
	}
	p := map[string]float64{}
	for _, n := range results.Results {
		p[n.Name] = n.Value
	}
	raw, err := family.Rows[1][11].(json.Number).Float64()
	if err != nil {
		t.Fatal(err)
	}
	if got := p["family/alpha=0.4/set/released against baseline/p (Holm)"]; got != 2*raw || got > 0.05 {
		t.Errorf("p of nine gained items is %v after Holm's correction, expected twice %v: two comparisons are the family", got, raw)
	}
	if p["alpha=0.1/acc"] != 0.25 || p["family/alpha=0.4/set/released against baseline"] != 0.75 {
		t.Errorf("numbers: %v", p)
	}
	for _, name := range []string{"note.html", "note.md", "tables/sweep.csv", "tables/sweep-family.csv", SweepFile} {
		if !isFile(filepath.Join(dir, filepath.FromSlash(name))) {
			t.Errorf("the sweep wrote no %s", name)
		}
	}
	if _, err := CommittedResults(dir, dir); err == nil || !strings.Contains(err.Error(), "is a sweep: name the folder of one of its points") {
		t.Errorf("a check of the sweep gives %v", err)
	}
	if _, err := WriteBundle(dir, "../..", io.Discard); err == nil || !strings.Contains(err.Error(), "is a sweep: name the folder of one of its points") {
		t.Errorf("a bundle of the sweep gives %v", err)
	}
	page, err := os.ReadFile(filepath.Join(dir, "note.md"))
	if err != nil || !strings.Contains(string(page), "Of 2 comparisons at 2 points, 1 show a difference after Holm's correction: released at alpha=0.4 (+75.0 points") {
		t.Errorf("the note does not say what was found (%v):\n%.2000s", err, page)
	}
}

func TestAxesAndTheirMistakes(t *testing.T) {
	a, err := ParseAxis(`arms=["released", "uniform, random", 3]`)
	if err != nil || !slices.Equal(a.Values, []string{"released", "uniform, random", "3"}) {
		t.Errorf("%q, %v", a.Values, err)
	}
	for text, want := range map[string]string{"alpha": "expected NAME=VALUE", "=1,2": "expected NAME=VALUE", "alpha=1": "two or more", "alpha=1,1": "there twice", "a=[1,": "expected a JSON list", "a=[{}]": "expected a string"} {
		if _, err := ParseAxis(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: found %v, expected %q", text, err, want)
		}
	}
	long := Axis{Name: "seed"}
	for i := range 40 {
		long.Values = append(long.Values, fmt.Sprint(i))
	}
	other := long
	other.Name = "limit"
	for want, axes := range map[string][]Axis{"more than 1000 points": {long, other}, "swept twice": {long, long}, "both given and swept": {{Name: "given", Values: []string{"1", "2"}}}} {
		if _, err := Points(axes, notebook.Overrides{"given": "1"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("found %v, expected %q", err, want)
		}
	}
}

func TestParametersOfAFile(t *testing.T) {
	write := func(text string) string {
		path := filepath.Join(t.TempDir(), "p.json")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, text := range []string{`{"limit": 20, "tau": 0.010, "chat": true, "items": "generated"}`, `{"recipe": "x", "parameters": {"limit": 20, "tau": 0.010, "chat": true, "items": "generated"}, "results": []}`} {
		got, err := ReadParameters(write(text))
		if err != nil || len(got) != 4 || got["limit"] != "20" || got["tau"] != "0.010" || got["chat"] != "true" || got["items"] != "generated" {
			t.Errorf("%s gives %v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{`{"limit": [1]}`: "limit: found", `{"limit": 1} {}`: "more behind", `limit: 1`: "expected a JSON object"} {
		if _, err := ReadParameters(write(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: found %v, expected %q", text, err, want)
		}
	}
}

func TestRunsAreListedWithTheirState(t *testing.T) {
	folder, recipes := t.TempDir(), t.TempDir()
	writeRecipe(t, recipes, "works")
	finished := finishedRun(t, 20, 0.5, []int{1})
	if err := os.Rename(finished, filepath.Join(folder, "one")); err != nil {
		t.Fatal(err)
	}
	killed := filepath.Join(folder, "works", "two")
	if err := os.MkdirAll(killed, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(killed, lockName), []byte("process 1, started long ago\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	runs, err := Runs(folder, recipes)
	if err != nil || len(runs) != 2 {
		t.Fatalf("%+v, %v", runs, err)
	}
	states := map[string]string{}
	for _, r := range runs {
		states[filepath.Base(r.Dir)] = r.Recipe + " " + r.State
		if r.State == "finished" && (len(r.Changes) != 1 || r.Changes[0] != (Change{"limit", "200", "20"}) || r.Numbers != 2) {
			t.Errorf("the finished run: %+v", r)
		}
	}
	if states["one"] != "works finished" || states["two"] != "works unfinished" {
		t.Errorf("states: %v", states)
	}
	if runs, err := Runs(filepath.Join(folder, "none"), recipes); err != nil || len(runs) != 0 {
		t.Errorf("no folder gives %v, %v", runs, err)
	}
}
