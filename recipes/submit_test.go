//go:build unix

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/attune-lab/attune/pkg/cluster"
	"github.com/attune-lab/attune/pkg/env"
)

// asRecipes makes the test's program the command: what submit copies beside a submission is the program that runs.
const asRecipes = "ATTUNE_TEST_AS_RECIPES"

func TestMain(m *testing.M) {
	if os.Getenv(asRecipes) != "" && len(os.Args) > 1 && (os.Args[1] == "finish" || os.Args[1] == "resume") {
		main()
		return
	}
	os.Exit(m.Run())
}

// submitted is what the tests of this file submit: 48 items under three arms. Surveys and effects in parts are tested in package worker.
var submitted = []string{"ablate", "-p", "limit=48", "-p", "alphas=", "-p", "taus=", "-p", "sources=", "-p", "renormalise=", "-p", "controls=uniform", "--backend", "go"}

// TestSubmit runs a recipe in four parts, by a Slurm of the test's own where it is installed, else as processes: results are byte for byte those of one run, whatever is
// killed on the way.
func TestSubmit(t *testing.T) {
	if testing.Short() {
		t.Skip("short: runs a recipe four times")
	}
	where, err := findSite()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(asRecipes, "1")
	engine := slurmOfTheTest(t)
	one := filepath.Join(t.TempDir(), "one")
	t.Setenv(env.Store, filepath.Join(t.TempDir(), "store"))
	if err := run(t.Context(), where, append(submitted, "-o", one)); err != nil {
		t.Fatal(err)
	}
	reference := os.Getenv(env.Store)
	engine.plan(t, where)

	t.Run("node lost", func(t *testing.T) {
		if engine.name != cluster.Slurm {
			t.Skip("no Slurm is installed: processes have no nodes to lose")
		}
		dir := engine.submit(t)
		lost := engine.await(t, dir, stopped(dir))
		engine.script(t, "fail", engine.dir, lost.Progress.Node)
		engine.finished(t, dir)
		s := statusOf(t, dir)
		if got := s.Parts[lost.Part-1].Progress; got.Restarts != 1 || got.Node == lost.Progress.Node {
			t.Errorf("part %d was restarted %d times and ended on %s, expected once, and not on %s, which was lost", lost.Part, got.Restarts, got.Node, lost.Progress.Node)
		}
		engine.script(t, "revive", engine.dir, lost.Progress.Node)
		sameRun(t, one, dir, reference, os.Getenv(env.Store))
	})
	t.Run("part killed", func(t *testing.T) {
		dir, ended := engine.submitLocally(t)
		killed := engine.await(t, dir, stopped(dir))
		if err := syscall.Kill(killed.Progress.Process.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; engine.name == cluster.Local && err == nil {
			t.Error("submit succeeds though a part was killed")
		}
		engine.idle(t, dir)
		if s := statusOf(t, dir); !s.Failed() || s.Done() || s.Parts[killed.Part-1].State == cluster.StateDone {
			t.Errorf("after the kill: %+v", s)
		}
		kept := answers(dir, killed.Part)
		if err := resume(t.Context(), where, []string{dir}); err != nil {
			t.Fatal(err)
		}
		engine.finished(t, dir)
		if kept == 0 || answers(dir, killed.Part) <= kept {
			t.Errorf("the killed part had %d answers and has %d", kept, answers(dir, killed.Part))
		}
		sameRun(t, one, dir, reference, os.Getenv(env.Store))
	})
	t.Run("requeue storm", func(t *testing.T) {
		if engine.name != cluster.Slurm {
			t.Skip("no Slurm is installed: processes are not requeued")
		}
		dir := engine.submit(t)
		for restarts := 1; restarts <= 2; restarts++ { // all running parts at once, each in the middle
			part := engine.await(t, dir, func(p cluster.PartStatus) bool {
				wrote, _ := filepath.Glob(filepath.Join(dir, "submission", "parts", fmt.Sprint(p.Part), "store", "??", "*", fmt.Sprintf("*-%d.jsonl", restarts-1)))
				return p.State == cluster.StateRunning && len(wrote) > 0
			})
			for _, p := range statusOf(t, dir).Parts {
				if p.State == cluster.StateRunning {
					_ = exec.Command("scontrol", "requeue", p.Task).Run() // it may have ended meanwhile
				}
			}
			t.Logf("part %d was requeued with the others", part.Part)
		}
		engine.finished(t, dir)
		most := 0
		for _, p := range statusOf(t, dir).Parts {
			most = max(most, p.Progress.Restarts)
		}
		if most < 2 {
			t.Errorf("a part was restarted %d times at most, expected 2", most)
		}
		sameRun(t, one, dir, reference, os.Getenv(env.Store))
	})
	t.Run("submit killed", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "run")
		t.Setenv(env.Store, filepath.Join(t.TempDir(), "store"))
		local := &testEngine{name: cluster.Local}
		s := engine.planned(t, dir)
		s.Engine, s.AtOnce = cluster.Local, 4
		if err := s.Save(); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(os.Args[0], "resume", dir)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		local.await(t, dir, func(cluster.PartStatus) bool { // a part runs, and each of the others has answered something, too; on a busy machine one may be done
			begun := 0
			for _, p := range statusOf(t, dir).Parts {
				if p.State == cluster.StateDone || p.State == cluster.StateRunning && answers(dir, p.Part) > 0 {
					begun++
				}
			}
			return begun == 4
		})
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		for end := time.Now().Add(20 * time.Second); len(processesOf(dir)) > 0 && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		}
		if left := processesOf(dir); len(left) > 0 {
			t.Errorf("left running: %v", left)
		}
		for _, p := range statusOf(t, dir).Parts {
			if p.State != cluster.StateFailed && p.State != cluster.StateDone || p.State == cluster.StateFailed && !strings.Contains(p.Why, "has ended") {
				t.Errorf("%+v: expected a part that says why it ended", p)
			}
		}
		if err := resume(t.Context(), where, []string{dir}); err != nil {
			t.Fatal(err)
		}
		sameRun(t, one, dir, reference, os.Getenv(env.Store))
	})
	t.Run("sweep", func(t *testing.T) {
		t.Setenv(env.Store, filepath.Join(t.TempDir(), "store"))
		dir := filepath.Join(t.TempDir(), "run")
		args := []string{"ablate", "-p", "alphas=", "-p", "taus=", "-p", "sources=", "-p", "renormalise=", "-p", "controls=uniform", "--backend", "go", "--engine", engine.name, "-o", dir}
		err := submit(t.Context(), where, append(args, "-p", "limit=4", "--parts", "9"))
		if err == nil || !strings.Contains(err.Error(), "--parts 9: there are 4 items") || exists(filepath.Join(dir, "submission")) {
			t.Errorf("nine parts of four items: %v", err)
		}
		if err := submit(t.Context(), where, append(args, "--sweep", "limit=4,6", "--parts", "2")); err != nil {
			t.Fatal(err)
		}
		engine.finished(t, dir)
		for _, point := range []string{"limit=4", "limit=6"} {
			if got := results(t, filepath.Join(dir, point)); !bytes.Contains(got["results"], []byte("acc/all/")) {
				t.Errorf("%s has no accuracies: %s", point, got["results"])
			}
		}
		if got := results(t, dir); !bytes.Contains(got["tables"], []byte("sweep-family")) {
			t.Errorf("the sweep's note has no family of tests: %s", got["tables"])
		}
	})
	t.Run("part fails", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "run")
		t.Setenv(env.Store, filepath.Join(t.TempDir(), "store"))
		s := engine.planned(t, dir)
		broken := filepath.Join(dir, "submission", "parts", "3", "store") // a file where the part wants a folder
		if err := os.MkdirAll(filepath.Dir(broken), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(broken, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := proceed(t.Context(), s); engine.name == cluster.Local && err == nil {
			t.Error("submit succeeds though a part fails")
		}
		engine.idle(t, dir)
		var state *statusError
		if err := status(t.Context(), where, []string{dir}); !errors.As(err, &state) || state.code != 2 {
			t.Errorf("status ends with %v, expected exit status 2", err)
		}
		found := statusOf(t, dir)
		if p := found.Parts[2]; p.State != cluster.StateFailed || !strings.Contains(p.Why, broken) {
			t.Errorf("the failed part: %+v", p)
		}
		if found.Done() || found.Last.State != cluster.StateNot {
			t.Errorf("the last job: %+v, expected one that is not started", found.Last)
		}
	})
}

// TestWrongSubmissionsAreRefusedBeforePlanning: each in a line that names what is wrong; no directory is made.
func TestWrongSubmissionsAreRefusedBeforePlanning(t *testing.T) {
	where, err := findSite()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("CUDA_VISIBLE_DEVICES", "")
	t.Setenv("PATH", t.TempDir())
	dir := filepath.Join(t.TempDir(), "run")
	for args, want := range map[string]string{
		"":                                      "submit needs --parts N",
		"--parts 0":                             "found 0",
		"--parts -3":                            "found -3",
		"--parts four":                          `invalid value "four"`,
		"--parts 4":                             "sbatch is not installed here",
		"--parts 4 --engine pbs":                `--engine "pbs": expected slurm or local`,
		"--parts 4 --engine local -- --time=3":  "there is no sbatch",
		"--parts 4 --engine local --at-once -1": "--at-once -1",
		"--parts 4 --engine local --backend xla:cuda": "no card is found here",
		"--parts 4 --engine local --rate -2":          "--rate -2",
	} {
		err := submit(t.Context(), where, append([]string{"evaluate", "-o", dir}, strings.Fields(args)...))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") || exists(dir) {
			t.Errorf("submit evaluate %s: %v, expected a line with %q", args, err, want)
		}
	}
}

// stopped waits for a part that has answered something and not all, and stops its process there.
func stopped(dir string) func(cluster.PartStatus) bool {
	return func(p cluster.PartStatus) bool {
		if p.State != cluster.StateRunning || answers(dir, p.Part) == 0 || syscall.Kill(p.Progress.Process.PID, syscall.SIGSTOP) != nil {
			return false
		}
		if _, err := os.Stat(filepath.Join(dir, "submission", "parts", fmt.Sprint(p.Part), "done.json")); err == nil { // too late
			_ = syscall.Kill(p.Progress.Process.PID, syscall.SIGCONT)
			return false
		}
		return true
	}
}

// answers counts the records of a part.
func answers(dir string, part int) (n int) {
	paths, _ := filepath.Glob(filepath.Join(dir, "submission", "parts", fmt.Sprint(part), "store", "??", "*", "*.jsonl"))
	for _, path := range paths {
		if text, err := os.ReadFile(path); err == nil {
			n += max(0, bytes.Count(text, []byte("\n"))-1) // without the header
		}
	}
	return n
}

func statusOf(t *testing.T, dir string) *cluster.Status {
	t.Helper()
	s, err := cluster.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	found, err := s.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return found
}
