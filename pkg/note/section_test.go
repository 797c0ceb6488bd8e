package note

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/report"
)

func open(t *testing.T, parameters map[string]any) *Run {
	t.Helper()
	r, err := Open("demo", parameters)
	must(t, err)
	return r
}

func number(name string, value float64) *report.Part {
	return &report.Part{Finding: fmt.Sprintf("%s is %v.", name, value), Numbers: []report.Number{{Name: name, Value: value}}}
}

func loaded(t *testing.T, dir string) string {
	t.Helper()
	res, err := Load(dir)
	must(t, err)
	var words []string
	for _, row := range res.Results {
		words = append(words, fmt.Sprintf("%s=%v", row.Name, row.Value))
	}
	return strings.Join(words, " ")
}

func TestASectionOfTheSameTitleIsReplacedInItsPlace(t *testing.T) {
	_, dir := repository(t)
	r := open(t, nil)
	if !r.New() {
		t.Error("the first Open begins the run")
	}
	figure := func(name string) *report.Part {
		return &report.Part{Figures: []report.Figure{{Name: name, Title: "F", Chart: report.PNG(pixels(t)), Table: &report.Table{Columns: []string{"x"}, Rows: [][]any{{1}}}}}}
	}
	must(t, r.Section("One", number("a", 1), figure("old")))
	must(t, r.Section("Two", number("b", 2)))
	must(t, r.Finish())
	for _, file := range []string{"figures/old.png", "tables/old.csv"} {
		if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
			t.Error(err)
		}
	}
	write(t, filepath.Join(dir, "figures", "mine.png"), "the user's own")
	r = open(t, nil) // as another cell does
	if r.New() {
		t.Error("the second Open continues it")
	}
	must(t, r.Section("One", number("a", 3), figure("new")))
	must(t, r.Finish())
	if got := loaded(t, dir); got != "a=3 b=2" {
		t.Errorf("results %s, want the section replaced in its place", got)
	}
	page := read(t, dir, "note.html")
	if one, two := strings.Index(page, "1 One</h2>"), strings.Index(page, "2 Two</h2>"); one < 0 || two < one || strings.Contains(page, "a is 1.") {
		t.Errorf("the page has section One at %d, Two at %d", one, two)
	}
	for file, want := range map[string]bool{"figures/old.png": false, "tables/old.csv": false, "figures/new.png": true, "tables/new.csv": true, "figures/mine.png": true} {
		if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(file))); (err == nil) != want {
			t.Errorf("%s: there %v, want %v", file, err == nil, want)
		}
	}
}

func TestNumbersOfTwoSettingsNeverMeetInOneNote(t *testing.T) {
	_, dir := repository(t)
	must(t, open(t, map[string]any{"limit": 1}).Section("One", number("a", 1)))
	r := open(t, map[string]any{"limit": 2})
	must(t, r.Section("Two", number("b", 2)))
	must(t, r.Finish())
	if got := loaded(t, dir); got != "b=2" {
		t.Errorf("results %s, want those of limit 2 only", got)
	}
	r = open(t, map[string]any{"limit": 1})
	must(t, r.Finish())
	if got := loaded(t, dir); got != "a=1" {
		t.Errorf("results %s, want those of limit 1, which are there still", got)
	}
	// Two folders of one name are shown alike, and are two settings.
	x, y := filepath.Join(t.TempDir(), "model"), filepath.Join(t.TempDir(), "model")
	must(t, os.Mkdir(x, 0o755))
	must(t, os.Mkdir(y, 0o755))
	must(t, open(t, map[string]any{"model": x}).Section("One", number("a", 1)))
	if !open(t, map[string]any{"model": y}).New() {
		t.Error("another model of the same name continues the run")
	}
}

func TestWhatTwoSectionsShareMustBeEqual(t *testing.T) {
	_, dir := repository(t)
	r := open(t, nil)
	table := report.Table{Name: "t", Title: "T", Columns: []string{"x"}, Rows: [][]any{{0.1}}}
	shared := &report.Part{Numbers: number("a", math.Nextafter(0.3, 1)).Numbers, Tables: []report.Table{table}}
	must(t, r.Section("One", shared, shared))
	must(t, r.Section("Two", shared))
	wantError(t, r.Section("Three", number("a", 0.3)), `result "a" was added before in section "One" (0.30000000000000004, now 0.3): give this one another name, or its section that title`)
	wantError(t, r.Section("Three", number("b", 1), number("b", 2)), `result "b" was added before in section "Three"`)
	wantError(t, r.Section(" "), "without a title")
	wantError(t, r.Section("Three", number("", 1)), `section "Three": a result of value 1 has no name`)
	must(t, r.Section("Three", number("c", 1), nil))
	must(t, r.Finish())
	if got := loaded(t, dir); got != "a=0.30000000000000004 c=1" {
		t.Errorf("results %s", got)
	}
	if n := strings.Count(read(t, dir, "note.html"), "Table 1."); n != 1 {
		t.Errorf("the shared table is shown %d times", n)
	}
}

func TestTheMarkedFindingIsTheAnswerElseTheLast(t *testing.T) {
	_, dir := repository(t)
	r := open(t, map[string]any{"model": "testdata/tiny", "limit": 20})
	must(t, r.Section("One", &report.Part{Method: "How one was measured.", Finding: "One is found."}))
	must(t, r.Section("Two", &report.Part{Method: "How two was measured.", Finding: "Two is found."}))
	must(t, r.Finish())
	order := func(page string, words ...string) {
		t.Helper()
		at := 0
		for _, w := range words {
			i := strings.Index(page[at:], w)
			if i < 0 {
				t.Fatalf("%q is missing or out of order", w)
			}
			at += i + len(w)
		}
	}
	order(read(t, dir, "note.html"), "Does emulation help?", `<p class="answer">Two is found.`, "<li>One is found.", "1 How it was measured", "How two was measured. What ran: model testdata/tiny", "2 One", "How one was measured.", "3 Two")
	must(t, r.Section("One", &report.Part{Method: "How one was measured.", Finding: "One is found.", Answers: true}))
	must(t, r.Finish())
	page := read(t, dir, "note.html")
	order(page, `<p class="answer">One is found.`, "<li>Two is found.", "How one was measured.")
	if n := strings.Count(page, "How one was measured."); n != 1 {
		t.Errorf("the answer's method is told %d times, want once, at the top", n)
	}
	if res, err := Load(dir); err != nil || res.Answer != "One is found." {
		t.Errorf("results.json: %v, %v: expected the answer at the top of the note", res, err)
	}
	order(read(t, dir, "note.md"), "# A &lt;b&gt;demo", "**One is found.**", "* Two is found.", "## 1 How it was measured", "## 3 Two")
}

func TestArmsAreDefinedInWordsAndAsData(t *testing.T) {
	_, dir := repository(t)
	r := open(t, nil)
	arm := report.Arm{Name: "released", Words: "Layer 0's marks multiply the entries of deeper layers by <alpha>.", Definition: json.RawMessage(`{"alpha":0.5}`)}
	must(t, r.Section("One", &report.Part{Arms: []report.Arm{{Name: "baseline", Words: "The untouched model."}, arm}}))
	must(t, r.Section("Two", &report.Part{Arms: []report.Arm{arm}}))
	wantError(t, r.Section("Three", &report.Part{Arms: []report.Arm{{Name: "released", Words: "other"}}}), `arm "released" was added before in section "One"`)
	wantError(t, r.Section("Three", &report.Part{Arms: []report.Arm{{Name: "x", Definition: json.RawMessage("{")}}}), "not JSON")
	must(t, r.Finish())
	page := read(t, dir, "note.html")
	for _, want := range []string{"<dt>baseline</dt>", "by &lt;alpha&gt;.", "<pre>\n{\n  &#34;alpha&#34;: 0.5\n}</pre>"} {
		if strings.Count(page, want) != 1 {
			t.Errorf("%q is there %d times", want, strings.Count(page, want))
		}
	}
}

func TestNoAbsolutePathAndNoEscapeSequenceReachesANote(t *testing.T) {
	root, dir := repository(t)
	elsewhere := t.TempDir()
	write(t, filepath.Join(elsewhere, "weights.bin"), "")
	r := open(t, map[string]any{"model": elsewhere})
	dirty := "model " + elsewhere + "/weights.bin, run in " + dir + "/figures and " + dir + ", see (" + root + "/testdata/tiny).\x1b[31mred\x1b[0m \u202eevil"
	must(t, r.Section("At "+root, &report.Part{
		Method: dirty, Finding: dirty, Arms: []report.Arm{{Name: "a", Words: dirty}},
		Numbers:   []report.Number{{Name: "n " + elsewhere, Value: 1}},
		Tables:    []report.Table{{Name: "t", Title: dirty, Columns: []string{dirty}, Rows: [][]any{{dirty}}}},
		Figures:   []report.Figure{{Name: "f", Title: dirty, Caption: dirty, Chart: report.PNG(pixels(t))}},
		Samples:   []report.Sample{{Title: dirty, Text: dirty + " /usr/bin/env stays"}},
		Attention: []report.Attention{tokenView("v", []string{"a", "\x1b[0m\u202e"}, "plain")},
		Facts:     map[string]any{"source": dirty},
	}))
	must(t, r.Finish())
	for _, file := range []string{"note.html", "note.md", "results.json", "provenance.json", "tables/t.csv", "tables/attention-v.csv"} {
		text := read(t, dir, file)
		for _, bad := range []string{root, dir, elsewhere, "\x1b", "\u202e", "[31m"} {
			if strings.Contains(text, bad) {
				t.Errorf("%s holds %q", file, bad)
			}
		}
	}
	page := read(t, dir, "note.html")
	if want := "model …/weights.bin, run in figures and ., see (testdata/tiny).red evil"; !strings.Contains(page, want) {
		t.Errorf("no %q in the page", want)
	}
	if !strings.Contains(page, "/usr/bin/env stays") {
		t.Error("what a model wrote was changed")
	}
}

// The owner is another process that lives, then one that has ended.
func TestADirectoryThatAnotherLiveRunWritesIntoIsRefused(t *testing.T) {
	_, dir := repository(t)
	other := exec.Command("sleep", "60")
	if err := other.Start(); err != nil {
		t.Skipf("no other process to be had: %v", err)
	}
	defer func() { _ = other.Process.Kill(); _ = other.Wait() }()
	pid := other.Process.Pid
	theirs, err := json.Marshal(owner{ID: "kernel-1", PID: pid, Start: startOf(pid)})
	must(t, err)
	write(t, filepath.Join(dir, "work", "note", "owner.json"), string(theirs))
	write(t, filepath.Join(dir, "work", "note", "kernel-1", "current"), "state")
	_, err = Open("demo", nil)
	wantError(t, err, fmt.Sprintf("belongs to run kernel-1, whose process %d is alive", pid))
	wantError(t, InUse(dir), "belongs to run kernel-1")
	t.Setenv(env.RunID, "run-7")
	_, err = Open("demo", nil)
	wantError(t, err, "belongs to run kernel-1")
	if _, err := os.Stat(filepath.Join(dir, "results.json")); err == nil {
		t.Error("a refused run left results")
	}
	must(t, other.Process.Kill())
	_ = other.Wait()
	r := open(t, nil)
	must(t, r.Section("One", number("a", 1)))
	must(t, InUse(dir))
	if _, err := os.Stat(filepath.Join(dir, "work", "note", "kernel-1")); err == nil {
		t.Error("the state of a run that has ended stays")
	}

	write(t, filepath.Join(dir, "work", "note", "owner.json"), `{"id":"run-8","runner":true}`)
	wantError(t, r.Section("Two", number("b", 1)), "taken over by run run-8")
	wantError(t, r.Finish(), "taken over by run run-8")
}

func TestADirectoryThatTheRunnerHoldsIsRefusedToANotebook(t *testing.T) {
	_, dir := repository(t)
	must(t, os.MkdirAll(dir, 0o755))
	lock, err := env.TryLock(filepath.Join(dir, "run.lock"), "process 12, recipes run demo, since 20:00")
	must(t, err)
	_, err = Open("demo", nil)
	wantError(t, err, "process 12, recipes run demo, since 20:00")
	t.Setenv(env.RunID, "run-7") // the runner's own cells
	must(t, open(t, nil).Section("One", number("a", 1)))
	lock.Unlock()
}
