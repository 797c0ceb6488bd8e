package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/recipe"
)

// pointsOf reads the axes of a sweep and checks the values of every point; shared are the values of the first.
func pointsOf(options recipe.Options, axes []string) (sweep []recipe.Axis, points []recipe.Point, shared map[string]any, err error) {
	for _, text := range axes {
		axis, err := recipe.ParseAxis(text)
		if err != nil {
			return nil, nil, nil, fmt.Errorf("%w: %w", errUsage, err)
		}
		sweep = append(sweep, axis)
	}
	if points, err = recipe.Points(sweep, options.Overrides); err != nil {
		return nil, nil, nil, fmt.Errorf("%w: %w", errUsage, err)
	}
	for _, p := range points {
		options.Overrides = p.Overrides
		values, err := recipe.Values(options)
		switch {
		case err != nil && len(axes) > 0:
			return nil, nil, nil, fmt.Errorf("at %s: %w", p.Name, err)
		case err != nil:
			return nil, nil, nil, err
		case shared == nil:
			shared = maps.Clone(values)
		}
	}
	return sweep, points, shared, nil
}

// runSweep runs a recipe at every point of a sweep, each in a folder of the sweep's directory, and writes one note over all of them. A point that fails does not
// stop the others; the note is over those that finished.
func runSweep(ctx context.Context, where site, options recipe.Options, name string, axes []string) error {
	options.Check = checkValues(where)
	sweep, points, shared, err := pointsOf(options, axes) // all values before the first run
	if err != nil {
		return err
	}
	for i, axis := range sweep {
		delete(shared, axis.Name)
		shared["sweep "+axis.Name] = strings.TrimPrefix(axes[i], axis.Name+"=")
	}
	if options.Dir == "" {
		options.Dir = filepath.Join(where.root, "runs", strings.TrimSuffix(filepath.Base(options.Path), ".ipynb"), "sweep-"+time.Now().UTC().Format("20060102T150405Z"))
	}
	dir := options.Dir
	if exists(filepath.Join(dir, "results.json")) && !options.Force {
		return fmt.Errorf("%s already holds a run: choose another directory with -o, or run into this one again with --force", recipe.Relative(dir))
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("the sweep's directory: %w", err)
	}
	lock, err := env.TryLock(filepath.Join(dir, "run.lock"), fmt.Sprintf("process %d, which sweeps", os.Getpid()))
	if err != nil {
		return fmt.Errorf("another run works in this directory: %w", err)
	}
	unlock := sync.OnceFunc(lock.Unlock)
	defer unlock()
	command := "run " + name
	for _, axis := range axes {
		command += " --sweep " + quote(axis)
	}
	var finished []recipe.Point
	var failures []error
	for i, p := range points {
		fmt.Printf("\n[point %d of %d] %s\n", i+1, len(points), p.Name)
		point := options
		point.Overrides, point.Dir = p.Overrides, filepath.Join(dir, p.Folder)
		if _, err := execute(ctx, where, point, command); err != nil {
			if ctx.Err() != nil {
				return &unfinishedError{err, continuation(command, dir, options)}
			}
			fmt.Println("error:", err)
			failures = append(failures, fmt.Errorf("%s: %w", p.Name, err))
			continue
		}
		p.Dir = point.Dir
		finished = append(finished, p)
	}
	if len(finished) == 0 {
		return errors.Join(failures...)
	}
	unlock() // the note takes the directory's lock itself
	base := strings.TrimSuffix(filepath.Base(options.Path), ".ipynb")
	results, err := recipe.WriteSweep(dir, base, sweep, finished, shared)
	if err != nil {
		return errors.Join(append(failures, err)...)
	}
	fmt.Printf("\nthe sweep: %d of %d points finished\n", len(finished), len(points))
	if t, is := results.Tables["sweep-family"]; is {
		fmt.Println()
		if err := recipe.WriteTable(os.Stdout, t); err != nil {
			return err
		}
	}
	fmt.Printf("\ntable     %s\nresults   %s\nnote      %s\n", recipe.Relative(filepath.Join(dir, "tables", "sweep.csv")), recipe.Relative(filepath.Join(dir, "results.json")), recipe.Relative(filepath.Join(dir, "note.html")))
	if len(failures) > 0 {
		return &unfinishedError{fmt.Errorf("%d of %d points failed: %w", len(failures), len(points), errors.Join(failures...)), continuation(command, dir, options)}
	}
	return nil
}
