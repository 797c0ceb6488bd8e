package client

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/attune-lab/attune/pkg/env"
)

func TestErrorsNameTheParameter(t *testing.T) {
	model := t.TempDir()
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{Model: "nowhere"}, `parameter model="nowhere": there is no such file`},
		{Options{Model: model, Items: "x.csv"}, `parameter items="x.csv": there is no such file`},
		{Options{Model: model, Limit: -1}, "parameter limit=-1: expected 0 for all items"},
		{Options{Model: model, DType: "bfloat61"}, `parameter dtype="bfloat61": expected auto, float32, bfloat16; did you mean "bfloat16"?`},
		{Options{Model: model, Groups: "subject"}, `did you mean "subjects"?`},
		{Options{Model: model, Shots: -2}, "parameter shots=-2"},
		{Options{Model: model, Length: -2}, "parameter length=-2"},
		{Options{Model: model, Margin: 1.5}, "parameter margin=1.5: expected a share"},
		{Options{Model: model, Chat: true, NoBOS: true}, "parameter nobos=true: with chat=true"},
	} {
		err := c.o.Check([]string{t.TempDir()})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, expected %q", c.o, err, c.want)
		}
	}
	for _, o := range []Options{{Model: model, Items: "generated:hard"}, {Model: "hf:owner/name"}, {Model: model, Items: "hf-data:owner/name", DType: "auto", Groups: "none"}, {}} {
		if err := o.Check(nil); err != nil {
			t.Errorf("%+v is refused: %v", o, err)
		}
	}
}

func TestPathsAreFoundInTheFirstFolderThatHasThem(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	for _, path := range []string{filepath.Join(a, "x"), filepath.Join(b, "x"), filepath.Join(b, "y")} {
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"x": filepath.Join(a, "x"), "y": filepath.Join(b, "y"), filepath.Join(b, "x"): filepath.Join(b, "x")} {
		if got, err := FindPath(name, []string{a, b}); err != nil || got != want {
			t.Errorf("%s is found at %s (%v), expected %s", name, got, err, want)
		}
	}
}

func TestAProcessIsToldFromALaterOneWithItsNumber(t *testing.T) {
	self, err := FindProcess(os.Getpid())
	if err != nil || !self.Runs() {
		t.Fatalf("%v: %v, runs %t", self, err, self.Runs())
	}
	if back, err := ParseProcess(self.String()); err != nil || back != self {
		t.Errorf("%s is read as %v, %v", self, back, err)
	}
	other := self
	other.Started++
	if self.Started != 0 && other.Runs() {
		t.Error("a process that started at another time is taken for this one")
	}
	child := exec.Command("sleep", "60")
	if err := child.Start(); err != nil {
		t.Skip(err)
	}
	p, err := FindProcess(child.Process.Pid)
	if err != nil || !p.Runs() {
		t.Errorf("a child: %v, %v", p, err)
	}
	child.Process.Kill()
	child.Wait()
	if p.Runs() {
		t.Error("a child that was killed still runs")
	}
}

// TestSourcesCoverTheWorker compares what is hashed with what the worker's program is made of.
func TestSourcesCoverTheWorker(t *testing.T) {
	root, err := env.FindRoot(".")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "list", "-deps", "-f", "{{if and .Module .Module.Main}}{{.ImportPath}}{{end}}", Package)
	cmd.Dir = root
	list, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range strings.Fields(string(list)) {
		for _, dir := range apart {
			if below := env.Module + "/pkg/" + dir; path == below || strings.HasPrefix(path, below+"/") {
				t.Errorf("the worker is made of %s, which its hash leaves out", path)
			}
		}
	}
}

func TestSourcesChangeWithASourceAndNotWithATest(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"go.mod", "go.sum", "pkg/sink/a.go", "pkg/lab/a.go", "recipes/work/main.go", "pkg/sink/a_test.go"} {
		write(name, "1")
	}
	before, err := Sources(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		changes bool
	}{{"pkg/sink/a_test.go", false}, {"pkg/lab/a.go", false}, {"README.md", false}, {"pkg/sink/a.go", true}, {"go.mod", true}} {
		write(c.name, "2")
		after, err := Sources(root)
		if err != nil {
			t.Fatal(err)
		}
		if (after != before) != c.changes {
			t.Errorf("an edit of %s changes the hash: %t, expected %t", c.name, after != before, c.changes)
		}
		before = after
	}
}

func TestRequestsKnowTheirProfile(t *testing.T) {
	for _, c := range []struct {
		backend, kind, view string
		want                env.Profile
	}{
		{"xla:cuda", "survey", "map", env.Score}, {"xla:cuda", "about", "", env.Score}, {"xla:cuda,tf32=true", "bench", "speed", env.Bench}, {"xla:cuda", "bench", "json", env.Bench},
		{"xla:cuda", "tune", "run", env.Train}, {"xla:cuda", "tune", "data", ""}, {"xla:cuda", "pretrain", "run", env.Train}, {"xla:cuda", "ping", "", ""}, {"xla:cuda", "tokens", "", env.Score},
		{"xla:cpu", "bench", "speed", ""}, {"go", "survey", "map", ""}, {"", "pretrain", "run", ""},
	} {
		t.Setenv(env.Backend, c.backend)
		if got := profileOf(c.kind, c.view); got != c.want {
			t.Errorf("%s, %s %s: profile %q, expected %q", c.backend, c.kind, c.view, got, c.want)
		}
	}
}

// TestTheNextWorkerWaitsForTheDevice: a worker that ends holds the device until its process is gone.
func TestTheNextWorkerWaitsForTheDevice(t *testing.T) {
	old := exec.Command("sleep", "0.3")
	start := time.Now()
	if err := old.Start(); err != nil {
		t.Skip(err)
	}
	go old.Wait()
	p, err := FindProcess(old.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := (&replacedError{p.String()}).wait(t.Context()); err != nil || time.Since(start) < 300*time.Millisecond || p.Runs() {
		t.Errorf("waited %v (%v), the process runs: %t", time.Since(start), err, p.Runs())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	self, err := FindProcess(os.Getppid())
	if err != nil {
		t.Fatal(err)
	}
	if err := (&replacedError{self.String()}).wait(ctx); err == nil {
		t.Error("waiting goes on after the request was cancelled")
	}
}

func TestWithoutAWorkerStoppingDoesNothing(t *testing.T) {
	c := &Client{place: place{socket: filepath.Join(t.TempDir(), "none.sock")}}
	if err := c.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}

func ExampleParameter() {
	fmt.Println(Parameter("items", "x.csv", "no column %q; it has q, a, b", "answer"))
	// Output: parameter items="x.csv": no column "answer"; it has q, a, b
}
