package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/recipe"
	"github.com/attune-lab/attune/pkg/report"
	"github.com/attune-lab/attune/pkg/worker/client"
)

// dryRun executes a recipe's cells with a worker that computes nothing and says what it would: at every point of a sweep, what several points share counted once.
func dryRun(ctx context.Context, where site, options recipe.Options, axes []string) error {
	options.Root, options.Log, options.Terminal, options.Check = where.root, os.Stdout, where.terminal, checkValues(where)
	_, points, _, err := pointsOf(options, axes)
	if err != nil {
		return err
	}
	if err := buildWorker(ctx, where, options.Backend); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "attune-dry-run-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	options.WorkerBuilt = true
	options.Env = append(options.Env, env.DryRun+"=1")
	var all []client.Planned
	for i, p := range points {
		options.Overrides, options.Dir = p.Overrides, filepath.Join(dir, fmt.Sprint(i))
		_, runErr := recipe.Run(ctx, options)
		if ctx.Err() != nil {
			return runErr
		}
		list, err := readPlan(filepath.Join(options.Dir, "work", client.PlanFile))
		if err != nil {
			return err
		}
		all = append(all, list...)
		if runErr != nil { // a cell that looks at a number, or computes by itself
			all = append(all, client.Planned{Kind: "cells", Note: "they cannot be planned to their end: " + firstLine(runErr.Error())})
		}
	}
	fmt.Println()
	return writePlan(os.Stdout, all)
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}

func readPlan(path string) ([]client.Planned, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []client.Planned
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var p client.Planned
		if err := json.Unmarshal(lines.Bytes(), &p); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		out = append(out, p)
	}
	return out, lines.Err()
}

// writePlan prints each thing once, in order, and the sum.
func writePlan(w io.Writer, list []client.Planned) error {
	seen := map[string]bool{}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "what\tarm\titems\tknown\tto compute\tprompt tokens\twidths to compile\tabout")
	missing, tokens, seconds, untimed := 0, 0, 0.0, 0
	var notes []string
	for _, p := range list {
		key := p.Kind + " " + p.Key
		if p.Key == "" {
			key = fmt.Sprintf("%s %s %s %s", p.Kind, p.View, p.Arm, p.Note)
		}
		if seen[key] {
			continue
		}
		seen[key] = true
		if p.Note != "" {
			notes = append(notes, strings.TrimSpace(report.Clean(p.Kind+" "+p.View)+": "+report.Clean(p.Note)))
			continue
		}
		left := p.Items - p.Known
		missing, tokens, seconds = missing+left, tokens+p.Tokens, seconds+p.Seconds
		about := "nothing to do"
		switch {
		case left > 0 && p.Seconds > 0:
			about = roughly(p.Seconds)
		case left > 0:
			about = "not timed yet"
			untimed++
		}
		widths := strings.Trim(strings.ReplaceAll(fmt.Sprint(p.Widths), " ", ", "), "[]")
		if len(p.Widths) == 0 {
			widths = "-"
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%d\t%s\t%s\n", p.Kind, report.Clean(p.Arm), p.Items, p.Known, left, p.Tokens, widths, about)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	slices.Sort(notes)
	for _, n := range slices.Compact(notes) {
		fmt.Fprintln(w, n)
	}
	fmt.Fprintf(w, "to compute: %d answers and texts of surveys, %d tokens of prompts", missing, tokens)
	if seconds > 0 {
		fmt.Fprintf(w, "; about %s with compilation, by the largest such work of this model that was timed here", roughly(seconds))
	}
	if untimed > 0 {
		fmt.Fprintf(w, "; %d of them without a time: no such work of this model on this backend was timed here", untimed)
	}
	fmt.Fprintln(w)
	return nil
}

// roughly rounds a time to what an estimate is worth.
func roughly(s float64) string {
	d := time.Duration(s * float64(time.Second))
	switch {
	case d < 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d < 10*time.Minute:
		return d.Round(time.Second).String()
	}
	return d.Round(time.Minute).String()
}
