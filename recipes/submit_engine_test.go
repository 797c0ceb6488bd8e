//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/attune-lab/attune/pkg/cluster"
	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/store"
)

// testEngine is what runs parts: a Slurm in a folder of the test, or processes.
type testEngine struct {
	name     string
	dir      string // of slurm-local.sh
	template string // directory of what was planned
}

// slurmOfTheTest starts a cluster of three nodes, which ends with the test and leaves nothing running.
func slurmOfTheTest(t *testing.T) *testEngine {
	t.Helper()
	t.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
	if os.Getenv("ATTUNE_TEST_ENGINE") == cluster.Local {
		return &testEngine{name: cluster.Local}
	}
	t.Setenv("SLURM_LOCAL_PORT", fmt.Sprint(20000+os.Getpid()%1000*10)) // another test's cluster may run here
	for _, command := range []string{"munged", "slurmctld", "slurmd", "sbatch"} {
		if _, err := exec.LookPath(command); err != nil {
			t.Logf("%s is not installed (Debian: slurmctld slurmd slurm-client munge): parts run as processes, with --engine local", command)
			return &testEngine{name: cluster.Local}
		}
	}
	dir, err := os.MkdirTemp("", "slurm-") // t.TempDir's paths are too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	e := &testEngine{name: cluster.Slurm, dir: dir}
	t.Cleanup(func() {
		e.script(t, "stop", dir)
		if left := processesOf(dir); len(left) > 0 {
			t.Errorf("left running: %v", left)
		}
		os.RemoveAll(dir)
	})
	e.script(t, "start", dir, "3")
	t.Setenv("SLURM_CONF", filepath.Join(dir, "slurm.conf"))
	return e
}

func (e *testEngine) script(t *testing.T, args ...string) {
	t.Helper()
	out, err := exec.Command(filepath.Join(root, ".ci", "slurm-local.sh"), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("slurm-local.sh %s: %v\n%s", args[0], err, out)
	}
}

// processesOf are the processes that carry a folder in their command or environment, but for this one.
func processesOf(dir string) (found []string) {
	paths, _ := filepath.Glob("/proc/[0-9]*")
	for _, path := range paths {
		command, _ := os.ReadFile(filepath.Join(path, "cmdline"))
		environ, _ := os.ReadFile(filepath.Join(path, "environ"))
		if filepath.Base(path) != fmt.Sprint(os.Getpid()) && (bytes.Contains(command, []byte(dir)) || bytes.Contains(environ, []byte(dir))) {
			found = append(found, filepath.Base(path)+" "+strings.ReplaceAll(string(command), "\x00", " "))
		}
	}
	return found
}

// plan plans what the tests submit, once: it takes as long as running it.
func (e *testEngine) plan(t *testing.T, where site) {
	t.Helper()
	e.template = filepath.Join(t.TempDir(), "template")
	f, err := parseSubmit(t.Context(), where, append(append([]string{}, submitted...), "--parts", "4", "--engine", e.name, "-o", e.template))
	if err == nil {
		_, err = prepare(t.Context(), where, f)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// planned is a submission in dir of what was planned, whose results go to the store of the environment.
func (e *testEngine) planned(t *testing.T, dir string) *cluster.Submission {
	t.Helper()
	s, err := cluster.Open(e.template)
	if err != nil {
		t.Fatal(err)
	}
	place := strings.NewReplacer(e.template, dir, s.Store, os.Getenv(env.Store))
	err = filepath.WalkDir(e.template, func(path string, d fs.DirEntry, err error) error {
		to := place.Replace(path)
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return os.MkdirAll(to, 0o755)
		case filepath.Base(filepath.Dir(path)) == "bin":
			return os.Link(path, to)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(to, []byte(place.Replace(string(text))), 0o755)
	})
	if err == nil {
		s, err = cluster.Open(dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// submit hands a run to the engine; its results go to a store of its own.
func (e *testEngine) submit(t *testing.T) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "run")
	t.Setenv(env.Store, filepath.Join(t.TempDir(), "store"))
	if err := proceed(t.Context(), e.planned(t, dir)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// submitLocally is submit that does not wait for parts that run as processes.
func (e *testEngine) submitLocally(t *testing.T) (dir string, ended chan error) {
	t.Helper()
	ended = make(chan error, 1)
	if e.name == cluster.Slurm {
		ended <- nil
		return e.submit(t), ended
	}
	dir = filepath.Join(t.TempDir(), "run")
	t.Setenv(env.Store, filepath.Join(t.TempDir(), "store"))
	s := e.planned(t, dir)
	go func() { ended <- proceed(context.WithoutCancel(t.Context()), s) }()
	return dir, ended
}

// patience is how long a test waits for what takes seconds on an idle machine.
const patience = 4 * time.Minute

// await waits for a part of which ok holds.
func (e *testEngine) await(t *testing.T, dir string, ok func(cluster.PartStatus) bool) cluster.PartStatus {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		s, err := cluster.Open(dir)
		if err != nil {
			continue // not submitted yet
		}
		found, err := s.Status(t.Context())
		if err != nil {
			continue
		}
		for _, p := range found.Parts {
			if p.State != cluster.StateDone && ok(p) {
				return p
			}
		}
		if found.Done() {
			break
		}
	}
	t.Fatalf("no part came to where it was waited for: %+v", statusOf(t, dir))
	return cluster.PartStatus{}
}

// idle waits until nothing waits or runs.
func (e *testEngine) idle(t *testing.T, dir string) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(200 * time.Millisecond) {
		s := statusOf(t, dir)
		busy := 0
		for _, p := range append(s.Parts, s.Last) {
			if p.State == cluster.StateRunning || p.State == cluster.StateWaiting {
				busy++
			}
		}
		if busy == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d jobs still wait or run: %+v", busy, s)
		}
	}
}

// finished waits for the note.
func (e *testEngine) finished(t *testing.T, dir string) {
	t.Helper()
	e.idle(t, dir)
	if s := statusOf(t, dir); !s.Done() {
		var text bytes.Buffer
		s.Write(&text)
		t.Fatalf("there is no note: %s", text.String())
	}
}

// sameRun compares two runs: numbers, tables, parameters and provenance, times apart, and everything that their stores hold.
func sameRun(t *testing.T, one, other, oneStore, otherStore string) {
	t.Helper()
	a, b := results(t, one), results(t, other)
	for _, key := range []string{"recipe", "parameters", "results", "tables"} {
		if len(a[key]) == 0 || !bytes.Equal(a[key], b[key]) {
			t.Errorf("%q of results.json differs:\n%s\n%s", key, a[key], b[key])
		}
	}
	provenance := func(text json.RawMessage) map[string]any {
		found := map[string]any{}
		if err := json.Unmarshal(text, &found); err != nil {
			t.Fatal(err)
		}
		for _, time := range []string{"started", "finished", "seconds"} {
			delete(found, time)
		}
		return found
	}
	if p, q := provenance(a["provenance"]), provenance(b["provenance"]); !reflect.DeepEqual(p, q) {
		t.Errorf("provenance differs:\n%v\n%v", p, q)
	}
	if x, y := contents(t, oneStore), contents(t, otherStore); !reflect.DeepEqual(x, y) {
		t.Errorf("the stores hold %d and %d results, or unequal ones", len(x), len(y))
	}
}

func results(t *testing.T, dir string) (found map[string]json.RawMessage) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "results.json"))
	if err == nil {
		err = json.Unmarshal(text, &found)
	}
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// contents are a store's records and blobs.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for j, err := range s.Jobs() {
		if err != nil {
			t.Fatal(err)
		}
		records, err := s.Load(j)
		if err != nil {
			t.Fatal(err)
		}
		for item, r := range records {
			found[string(j.Key())+" "+item] = string(r.Data)
		}
		if path := s.FindBlob(j); path != "" {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			found[string(j.Key())] = string(text)
		}
	}
	return found
}
