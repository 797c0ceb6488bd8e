package train_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/attune-lab/attune/pkg/train"
)

// killable is the run that TestKilledRunGoesOn kills: two batches a step, a checkpoint every third step, a row of the log every second.
func killable(dir string) train.Options {
	return train.Options{Steps: 40, Accumulate: 2, Dir: dir, CheckpointEvery: 3, LogEvery: 2, Probes: []train.Probe{{Name: "held-out", Every: 5, Run: train.HeldOut(counting(9), 32, 2, 0)}}}
}

const killEnv = "ATTUNE_TEST_TRAIN_DIR"

// TestMain lets the test binary be the process that is killed.
func TestMain(m *testing.M) {
	dir := os.Getenv(killEnv)
	if dir == "" {
		os.Exit(m.Run())
	}
	t := &testing.T{}
	o := killable(dir)
	o.OnRow = func(train.Row) { time.Sleep(20 * time.Millisecond) } // slow enough to be killed in the middle
	if _, err := train.Run(context.Background(), newModel(t), newFeed(t, counting(90), 3), o); err != nil {
		os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
}

// TestKilledRunGoesOn kills the process at random moments until it ends by itself, and compares weights and log with those of a run that nothing disturbed.
func TestKilledRunGoesOn(t *testing.T) {
	if onGPU() {
		t.Skip("a GPU adds gradients in an order of its own: weights are bit-equal on the Go backend only")
	}
	quiet, dir := t.TempDir(), t.TempDir()
	m := newModel(t)
	want := run(t, m, newFeed(t, counting(90), 3), killable(quiet))

	kills := 0
	for ended := false; !ended; {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), killEnv+"="+dir)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- cmd.Wait() }()
		var killed <-chan time.Time
		if kills < 4 {
			killed = time.After(time.Duration(100+rand.IntN(300)) * time.Millisecond)
		}
		select {
		case err := <-done:
			if err != nil {
				t.Fatalf("%v: %s", err, stderr.String())
			}
			ended = true
		case <-killed:
			if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
				t.Fatal(err)
			}
			<-done
			kills++
		}
	}
	if kills == 0 {
		t.Fatal("the run ended before it was killed")
	}
	resumed := newModel(t)
	got := run(t, resumed, newFeed(t, counting(90), 3), killable(dir)) // nothing is left to do: it loads the last checkpoint
	if got.Resumed != 40 || got.Tokens != want.Tokens || len(got.Rows) != len(want.Rows) {
		t.Errorf("resumed at step %d with %d tokens and %d rows, expected 40, %d, %d", got.Resumed, got.Tokens, len(got.Rows), want.Tokens, len(want.Rows))
	}
	for i, row := range got.Rows {
		w := want.Rows[i]
		if row.Step != w.Step || row.Loss != w.Loss || row.Norm != w.Norm || row.Tokens != w.Tokens || row.Values["held-out.loss"] != w.Values["held-out.loss"] {
			t.Errorf("row %d is %+v, undisturbed %+v", i, row, w)
		}
	}
	values := weights(t, resumed)
	for name, w := range weights(t, m) {
		if !slices.Equal(values[name], w) {
			t.Errorf("%s differs from the undisturbed run's", name)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 3 { // two checkpoints and the log
		t.Errorf("the directory holds %v", left)
	}
	t.Logf("killed %d times", kills)
}

func TestResumingRefusesAnotherRun(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	begun := train.Options{Steps: 20, Dir: dir, CheckpointEvery: 100, LogEvery: 1, Corpus: "a", OnRow: func(r train.Row) {
		if r.Step == 3 {
			cancel()
		}
	}}
	r, err := train.Run(ctx, newModel(t), newFeed(t, counting(60), 2), begun)
	if !errors.Is(err, context.Canceled) || r.Steps != 3 {
		t.Fatalf("cancelled at step 3: %v after %d steps", err, r.Steps)
	}
	for name, change := range map[string]func(o *train.Options) *train.Feed{
		"optimizer": func(o *train.Options) *train.Feed {
			o.Optimizer.Schedule.Peak = 2e-3
			return newFeed(t, counting(60), 2)
		},
		"steps":          func(o *train.Options) *train.Feed { o.Steps = 21; return newFeed(t, counting(60), 2) },
		"corpus":         func(o *train.Options) *train.Feed { o.Corpus = "b"; return newFeed(t, counting(60), 2) },
		"documents":      func(o *train.Options) *train.Feed { return newFeed(t, counting(61), 2) },
		"rows per batch": func(o *train.Options) *train.Feed { return newFeed(t, counting(60), 3) },
		"trained weights": func(o *train.Options) *train.Feed {
			o.Train = func(n string) bool { return n[0] == 'm' && n[len(n)-8] != 'm' }
			return newFeed(t, counting(60), 2)
		},
	} {
		o := begun
		o.OnRow = nil
		feed := change(&o)
		if _, err := train.Run(context.Background(), newModel(t), feed, o); err == nil || !strings.Contains(err.Error(), name+": ") || !strings.Contains(err.Error(), dir) {
			t.Errorf("another value of %q: %v", name, err)
		}
	}
	begun.OnRow = nil
	if r, err = train.Run(context.Background(), newModel(t), newFeed(t, counting(60), 2), begun); err != nil || r.Resumed != 3 || r.Steps != 20 {
		t.Errorf("going on: %v, resumed at %d", err, r.Resumed)
	}
	newest := filepath.Join(dir, "step-000000020.safetensors")
	if err := os.Truncate(newest, 1000); err != nil {
		t.Fatal(err)
	}
	if _, err := train.Run(context.Background(), newModel(t), newFeed(t, counting(60), 2), begun); err == nil || !strings.Contains(err.Error(), newest) {
		t.Errorf("a truncated checkpoint: %v, expected an error that names it", err)
	}
}
