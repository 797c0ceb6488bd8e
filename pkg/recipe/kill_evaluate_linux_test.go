package recipe

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/eval/logs"
	"github.com/attune-lab/attune/pkg/note"
	"github.com/attune-lab/attune/pkg/notebook/kernel"
	"github.com/attune-lab/attune/pkg/report"
)

// evaluated is what a run of evaluate leaves that must not depend on how often it was killed.
type evaluated struct {
	results []report.Number
	tables  map[string]report.Table
	samples []byte
}

func readEvaluated(t *testing.T, dir string) evaluated {
	t.Helper()
	r, err := note.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	e := evaluated{results: r.Results, tables: r.Tables}
	files, err := logs.Written(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.HasPrefix([]byte(filepath.Base(file)), []byte("samples_")) { // the results file holds times
			e.samples = append(e.samples, text...)
		}
	}
	if len(files) != 3 {
		t.Errorf("%s holds the logs %q, expected one of each of two sets and the totals", dir, files)
	}
	return e
}

// TestAKilledEvaluationEndsWithTheSameTables kills the runner of recipe evaluate with SIGKILL at random moments, starts it again into the same directory, and compares numbers, tables
// and every sample with those of a run that was left alone. ATTUNE_KILLS=10 kills it ten times.
func TestAKilledEvaluationEndsWithTheSameTables(t *testing.T) {
	root := repository(t)
	temp, err := os.MkdirTemp("", "k") // short: a socket's path is bounded
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(temp) })
	if _, err := kernel.BuildTools(t.Context(), root, os.Stderr, false); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", temp)
	path := filepath.Join(root, "recipes", "evaluate.ipynb")
	start := func(name, mark string) (kill func(), done chan error) {
		cmd := runner(t, path, filepath.Join(temp, name), mark, temp, env.Backend+"=go", env.Store+"="+filepath.Join(temp, "store-"+name),
			"TEST_RUN_PARAMETERS=limit=24\nitems=generated:easy testdata/items/items.csv\narms=released first-release\ncontrols=uniform")
		var log bytes.Buffer
		cmd.Stdout, cmd.Stderr = &log, &log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		done = make(chan error, 1)
		go func() {
			err := cmd.Wait()
			if err != nil {
				err = fmt.Errorf("%w\n%s", err, log.String())
			}
			done <- err
		}()
		t.Cleanup(func() { cmd.Process.Kill() })
		return func() { cmd.Process.Kill() }, done
	}
	whole := func(name string) time.Duration {
		t.Helper()
		began := time.Now()
		_, done := start(name, name)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		return time.Since(began)
	}
	took := whole("alone")
	for killed, i := 0, 0; killed < kills(t); i++ {
		began := time.Now()
		kill, done := start("killed", fmt.Sprintf("evaluate-%d-%d", os.Getpid(), i))
		after := time.Duration(rand.Int64N(int64(took)))
		select {
		case err := <-done: // quicker than the runs before: begin anew
			if err != nil {
				t.Fatal(err)
			}
			took = time.Since(began)
			for _, name := range []string{"killed", "store-killed"} {
				if err := os.RemoveAll(filepath.Join(temp, name)); err != nil {
					t.Fatal(err)
				}
			}
		case <-time.After(after):
			kill()
			<-done
			killed++
			t.Logf("killed after %.1f s of a run of %.1f s", after.Seconds(), took.Seconds())
		}
	}
	whole("killed")
	alone, killed := readEvaluated(t, filepath.Join(temp, "alone")), readEvaluated(t, filepath.Join(temp, "killed"))
	if len(alone.results) < 20 || !reflect.DeepEqual(alone.results, killed.results) {
		t.Errorf("%d numbers differ from the %d of the run that was left alone", len(killed.results), len(alone.results))
	}
	if names := slices.Sorted(maps.Keys(alone.tables)); len(names) < 5 || !reflect.DeepEqual(alone.tables, killed.tables) {
		t.Errorf("the tables %q differ", names)
	}
	if len(alone.samples) == 0 || !bytes.Equal(alone.samples, killed.samples) {
		t.Errorf("samples differ: %d bytes and %d", len(alone.samples), len(killed.samples))
	}
}
