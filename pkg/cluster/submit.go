package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/attune-lab/attune/pkg/worker/client"
)

// Submit hands every part that is not done to the engine, and the last job behind them. A local engine returns when all is done, Slurm at once.
func (s *Submission) Submit(ctx context.Context, status *Status, progress func(string)) error {
	var parts []int
	var running []string
	for _, p := range status.Parts {
		switch {
		case p.State == StateDone:
		case p.State == StateRunning || p.State == StateWaiting:
			if s.Engine == Local {
				if c, ok := s.controller(); ok {
					return fmt.Errorf("process %d of this machine runs the parts already: wait for it or cancel", c.PID)
				}
				return fmt.Errorf("part %d runs already (process %d on %s): wait for it or cancel", p.Part, p.Progress.Process.PID, p.Progress.Node)
			}
			running = append(running, p.Task)
		default:
			parts = append(parts, p.Part)
		}
	}
	if len(parts) == s.Parts { // whatever began and ended without a result decides no device
		if err := os.Remove(s.path("device")); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	if s.Engine == Local {
		return s.runLocal(ctx, parts, writerFunc(progress))
	}
	if status.Last.State == StateWaiting || status.Last.State == StateRunning {
		if len(parts) == 0 {
			return nil
		}
		if err := cancelSlurm(ctx, []string{status.Last.Task}); err != nil { // it waits for parts that failed
			return err
		}
	}
	return s.submitSlurm(ctx, parts, running)
}

// interrupt tells a process to end.
func interrupt(p client.Process) error {
	process, err := os.FindProcess(p.PID)
	if err == nil {
		err = process.Signal(os.Interrupt)
	}
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// writerFunc passes on what is printed, line by line.
type writerFunc func(string)

func (f writerFunc) Write(p []byte) (int, error) {
	f(strings.TrimSuffix(string(p), "\n"))
	return len(p), nil
}

// Cancel ends everything that waits or runs, and says how much that was.
func (s *Submission) Cancel(ctx context.Context, status *Status) (int, error) {
	var ids []string
	count := 0
	if p, ok := s.controller(); ok && s.Engine == Local { // it ends the parts that it runs, and begins no other
		if err := interrupt(p); err != nil {
			return 0, err
		}
	}
	for _, p := range append(slices.Clone(status.Parts), status.Last) {
		if p.State != StateRunning && p.State != StateWaiting {
			continue
		}
		count++
		if s.Engine == Slurm {
			ids = append(ids, p.Task)
		} else if p.Progress.Process.Runs() {
			if err := interrupt(p.Progress.Process); err != nil {
				return count, err
			}
		}
	}
	return count, cancelSlurm(ctx, ids)
}
