package gobuild

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// module makes a module of two packages and a command in a folder of its own.
func module(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":         "module example.com/m\n\ngo 1.26\n",
		"a/a.go":         "package a\n\nimport \"example.com/m/b\"\n\nvar A = b.B\n",
		"b/b.go":         fmt.Sprintf("package b\n\nvar B = %q\n", dir), // new, whatever the cache holds
		"command/m.go":   "package main\n\nimport \"example.com/m/a\"\n\nfunc main() { println(a.A) }\n",
		"broken/code.go": "package broken\n\nvar x int = \"text\"\n",
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestBuildCountsWhatIsNotInTheCache(t *testing.T) {
	dir := module(t)
	env := append(os.Environ(), "GOWORK=off")
	build := func(output string, packages ...string) string {
		var log bytes.Buffer
		err := Build{Dir: dir, Env: env, Packages: packages, Output: output, Label: "building", Log: &log}.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		text := log.String()
		return text[:max(strings.LastIndex(text, ","), 0)] // without the time
	}
	if got := build("", "./command"); got != "building … 2 packages" {
		t.Errorf("a command that is not linked: %q", got)
	}
	if got := build("", "./a", "./b"); got != "building … nothing to do" {
		t.Errorf("again: %q", got)
	}
	var quiet bytes.Buffer
	if err := (Build{Dir: dir, Env: env, Packages: []string{"./a"}, Log: &quiet, Quiet: true}).Run(t.Context()); err != nil || quiet.Len() > 0 {
		t.Errorf("quietly: %q, %v", quiet.String(), err)
	}
	command := filepath.Join(dir, "out")
	if got := build(command, "./command"); got != "building … 1 packages" {
		t.Errorf("the command: %q", got)
	}
	if _, err := os.Stat(command); err != nil {
		t.Error(err)
	}
}

func TestBuildSaysWhatDoesNotCompile(t *testing.T) {
	dir := module(t)
	var log bytes.Buffer
	err := Build{Dir: dir, Packages: []string{"./broken", "./b"}, Label: "building", Log: &log, Terminal: true}.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "code.go:3") || !strings.Contains(log.String(), "FAILED after") {
		t.Errorf("error %v, log %q", err, log.String())
	}
	err = Build{Dir: dir, Packages: []string{"./nowhere"}}.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("a package that is not there: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (Build{Dir: dir, Packages: []string{"./a"}, Log: &log}).Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestProgressShowsPackagesOfHowMany(t *testing.T) {
	var log bytes.Buffer
	p := newProgress(Build{Label: "building", Log: &log, Terminal: true})
	p.close()
	p.started = time.Now().Add(-90 * time.Second)
	if !p.download("go: downloading example.com/m v1.0.0") || p.download("go: finding") {
		t.Error("a download is not recognised")
	}
	if got := p.state(); got != "1 modules downloaded, 90.0 s: example.com/m v1.0.0" {
		t.Errorf("downloading: %q", got)
	}
	p.total = 312
	p.compile("gonum.org/v1/gonum/mat")
	if got := p.state(); got != "1 of 312 packages, 90.0 s: gonum.org/v1/gonum/mat" {
		t.Errorf("compiling: %q", got)
	}
	p.redraw("a long line")
	p.redraw("short")
	if got := log.String(); !strings.HasSuffix(got, "\ra long line\rshort      ") {
		t.Errorf("drawn %q", got)
	}
}

// What cells import is compiled before the first one runs; what is in the build cache is not counted.
func ExampleBuild() {
	err := Build{Dir: ".", Packages: []string{"errors"}, Label: "building what cells import"}.Run(context.Background())
	fmt.Println(err)
	// Output: <nil>
}
