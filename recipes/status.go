package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/attune-lab/attune/pkg/cluster"
	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/notebook"
	"github.com/attune-lab/attune/pkg/recipe"
)

// Exit statuses of status.
const (
	exitFailed     = 2 // a part or the last job failed or was lost: resume
	exitUnfinished = 3 // all that is not done waits or runs, or nothing was begun
)

// statusError ends status with an exit status of its own.
type statusError struct{ code int }

func (e *statusError) Error() string {
	if e.code == exitFailed {
		return "something failed: resume continues what is not done"
	}
	return "not finished yet"
}

// submission opens the submission that a command is about.
func submission(name string, args []string) (*cluster.Submission, error) {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	dirs, err := parse(flags, args, 1, "the directory of a submission")
	if err != nil {
		return nil, err
	}
	return cluster.Open(dirs[0])
}

// status says how the parts of a submission are.
func status(ctx context.Context, _ site, args []string) error {
	s, err := submission("status", args)
	if err != nil {
		return err
	}
	found, err := s.Status(ctx)
	if err != nil {
		return err
	}
	found.Write(os.Stdout)
	switch {
	case found.Done():
		fmt.Println(recipe.Relative(filepath.Join(s.Dir(), "note.html")))
		return nil
	case found.Failed():
		return &statusError{exitFailed}
	}
	return &statusError{exitUnfinished}
}

// resume continues what is not done.
func resume(ctx context.Context, _ site, args []string) error {
	s, err := submission("resume", args)
	if err != nil {
		return err
	}
	found, err := s.Status(ctx)
	if err != nil {
		return err
	}
	if found.Done() {
		fmt.Printf("%s is there already\n", recipe.Relative(filepath.Join(s.Dir(), "results.json")))
		return nil
	}
	found.Write(os.Stdout)
	if s.Engine == cluster.Slurm {
		if err := cluster.CheckSlurm(ctx, s.Parts, s.Options); err != nil {
			return err
		}
	}
	return proceed(ctx, s)
}

// cancel ends what waits and runs; what was computed is kept.
func cancel(ctx context.Context, _ site, args []string) error {
	s, err := submission("cancel", args)
	if err != nil {
		return err
	}
	found, err := s.Status(ctx)
	if err != nil {
		return err
	}
	n, err := s.Cancel(ctx, found)
	if err != nil {
		return err
	}
	fmt.Printf("%d jobs are told to end; what they computed is kept, and resume continues\n", n)
	return nil
}

// finish is what the last job executes: it unites the parts and runs the recipe, which finds every result.
func finish(ctx context.Context, where site, args []string) error {
	s, err := submission("finish", args)
	if err != nil {
		return err
	}
	ctx, stop := cluster.WithOwner(ctx)
	defer stop()
	err = unite(ctx, where, s)
	return errors.Join(err, s.Finished(err))
}

func unite(ctx context.Context, where site, s *cluster.Submission) error {
	if err := s.CheckSources(); err != nil {
		return err
	}
	united, err := s.Merge()
	if err != nil {
		return err
	}
	fmt.Printf("%d parts are united: %d new results and %d files of %d jobs in %s\n", s.Parts, united.Records, united.Blobs, united.Jobs, united.Store)
	variables := []string{env.Known + "=1", env.Store + "=" + united.Store, env.CallerDir + "=" + s.Caller,
		env.Devices + "=" + strings.Join(united.Devices, "; ")}
	options := recipe.Options{Path: s.Notebook, Overrides: notebook.Overrides(s.Parameters), Dir: s.Dir(), Force: true, Backend: s.Backend, Timeout: defaultTimeout, Env: variables}
	if len(s.Sweep) > 0 {
		return runSweep(ctx, where, options, quote(s.Recipe), s.Sweep)
	}
	_, err = execute(ctx, where, options, "finish")
	return err
}
