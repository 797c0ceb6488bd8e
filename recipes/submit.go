package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/attune-lab/attune/pkg/cluster"
	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/notebook"
	"github.com/attune-lab/attune/pkg/notebook/kernel"
	"github.com/attune-lab/attune/pkg/recipe"
	"github.com/attune-lab/attune/pkg/store"
	"github.com/attune-lab/attune/pkg/worker/client"
)

// submitFlags are those of submit.
type submitFlags struct {
	options recipe.Options
	sub     cluster.Submission
	dry     bool
	rate    float64
}

// submit plans a recipe and hands its parts to Slurm, or runs them here.
func submit(ctx context.Context, where site, args []string) error {
	f, err := parseSubmit(ctx, where, args)
	if err != nil {
		return err
	}
	if f.dry {
		return submitDry(ctx, where, f)
	}
	s, err := prepare(ctx, where, f)
	if err != nil {
		return err
	}
	return proceed(ctx, s)
}

// parseSubmit reads the arguments of submit, and refuses what cannot be submitted.
func parseSubmit(ctx context.Context, where site, args []string) (f submitFlags, err error) {
	if i := slices.Index(args, "--"); i >= 0 {
		args, f.sub.Options = args[:i], args[i+1:]
	}
	f.options = recipe.Options{Overrides: notebook.Overrides{}}
	flags := flag.NewFlagSet("submit", flag.ContinueOnError)
	flags.Func("p", "parameter key=value", f.options.Overrides.Set)
	flags.Func("sweep", "parameter key=value,value,...", func(axis string) error { f.sub.Sweep = append(f.sub.Sweep, axis); return nil })
	flags.StringVar(&f.options.Dir, "o", "", "run directory")
	flags.StringVar(&f.options.Backend, "backend", "", "backend")
	flags.IntVar(&f.sub.Parts, "parts", 0, "how many parts")
	flags.StringVar(&f.sub.Engine, "engine", cluster.Slurm, "slurm or local")
	flags.IntVar(&f.sub.AtOnce, "at-once", 0, "parts that run at once at most; 0: as many as Slurm starts, with --engine local one a card, or one for every 8 cores")
	flags.BoolVar(&f.dry, "dry-run", false, "say what there is to compute, and how long it takes in so many parts")
	flags.Float64Var(&f.rate, "rate", 0, "tokens a second of a part's device, for --dry-run; 0: as timed here")
	flags.BoolVar(&f.sub.Mixed, "mixed", false, "unite results of different devices")
	names, err := parse(flags, args, 1, "the name of one recipe")
	if err != nil {
		return f, err
	}
	f.sub.Recipe = names[0]
	if err := f.check(ctx); err != nil {
		return f, err
	}
	f.options.Path, err = recipe.Find(where.recipes, names[0])
	return f, err
}

// submitDry plans in a temporary directory, says what there is to compute, and submits nothing.
func submitDry(ctx context.Context, where site, f submitFlags) error {
	dir, err := os.MkdirTemp("", "attune-submit-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	f.options.Dir = filepath.Join(dir, "run")
	_, work, err := planned(ctx, where, f)
	if err != nil {
		return err
	}
	fmt.Println()
	return work.Write(os.Stdout, f.sub.Parts, f.rate)
}

// check refuses what cannot be submitted before anything is planned.
func (f *submitFlags) check(ctx context.Context) error {
	s := &f.sub
	switch {
	case s.Parts < 1:
		return fmt.Errorf("%w: submit needs --parts N, how many parts the items are divided into, at least 1; found %d", errUsage, s.Parts)
	case s.Engine != cluster.Slurm && s.Engine != cluster.Local:
		return fmt.Errorf("%w: --engine %q: expected %s or %s", errUsage, s.Engine, cluster.Slurm, cluster.Local)
	case s.Engine == cluster.Local && len(s.Options) > 0:
		return fmt.Errorf("%w: options of sbatch (%s) with --engine local: there is no sbatch", errUsage, strings.Join(s.Options, " "))
	case s.AtOnce < 0:
		return fmt.Errorf("%w: --at-once %d: expected 0 or more", errUsage, s.AtOnce)
	case f.rate < 0:
		return fmt.Errorf("%w: --rate %v: expected tokens a second, or 0 for what was timed here", errUsage, f.rate)
	case s.Engine == cluster.Local && !f.dry && strings.HasPrefix(f.options.Backend, "xla:cuda") && len(cluster.Cards()) == 0:
		return fmt.Errorf("--backend %s: no card is found here (CUDA_VISIBLE_DEVICES, nvidia-smi --list-gpus), and --engine local runs the parts here", f.options.Backend)
	case s.Engine == cluster.Slurm && !f.dry:
		return cluster.CheckSlurm(ctx, s.Parts, s.Options)
	}
	return nil
}

// prepare plans the recipe and writes the submission's directory.
func prepare(ctx context.Context, where site, f submitFlags) (*cluster.Submission, error) {
	base, err := store.Open("")
	if err != nil {
		return nil, err
	}
	if err := cluster.CheckStore(base); err != nil {
		return nil, err
	}
	if f.options.Dir == "" {
		f.options.Dir = filepath.Join(where.root, "runs", f.sub.Recipe, time.Now().UTC().Format("20060102T150405Z"))
	}
	f.sub.Store = base.Dir()
	s, work, err := planned(ctx, where, f)
	if err != nil {
		return nil, err
	}
	if s.Items = work.Items(); s.Items > 0 && s.Parts > s.Items {
		err = fmt.Errorf("--parts %d: there are %d items, and a part without any would do nothing: use --parts %d or fewer", s.Parts, s.Items, s.Items)
		return nil, errors.Join(err, os.RemoveAll(filepath.Join(s.Dir(), "submission"))) // nothing was submitted: the directory is free again
	}
	return s, s.Save()
}

// planned plans the recipe, writes everything that parts need and counts what there is to compute.
func planned(ctx context.Context, where site, f submitFlags) (s *cluster.Submission, work *cluster.Work, err error) {
	if s, err = cluster.Begin(f.options.Dir, f.sub); err != nil {
		return nil, nil, err
	}
	if s.Sources, err = client.Sources(where.root); err != nil {
		return nil, nil, err
	}
	if s.Code, err = store.Sources(where.root); err != nil {
		return nil, nil, err
	}
	s.Root, s.Notebook, s.Parameters, s.Submitted = where.root, f.options.Path, f.options.Overrides, time.Now().UTC()
	if s.Caller, err = os.Getwd(); err != nil {
		return nil, nil, err
	}
	if s.Backend, err = plan(ctx, where, f.options, s); err != nil {
		return nil, nil, err
	}
	environment := kernel.Environment(s.Backend, "")
	built, err := client.Build(ctx, where.root, s.Sources, environment, os.Stdout)
	if err != nil {
		return nil, nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	if err := errors.Join(copyProgram(built, s.Worker()), copyProgram(self, s.Recipes()), s.WriteScripts(environment), s.Save()); err != nil {
		return nil, nil, err
	}
	if work, err = countWork(ctx, s, environment, f.dry && f.rate == 0); err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(filepath.Join(s.Dir(), "submission"))) // nothing was submitted: the directory is free again
	}
	return s, work, nil
}

// plan runs the recipe's notebook without computing, at each point where it is swept: what it would ask of the worker is written down.
func plan(ctx context.Context, where site, options recipe.Options, s *cluster.Submission) (backend string, err error) {
	if err := os.Remove(s.Requests()); err != nil && !errors.Is(err, os.ErrNotExist) { // of a plan that failed
		return "", err
	}
	var axes []recipe.Axis
	for _, text := range s.Sweep {
		axis, err := recipe.ParseAxis(text)
		if err != nil {
			return "", fmt.Errorf("%w: %w", errUsage, err)
		}
		axes = append(axes, axis)
	}
	points, err := recipe.Points(axes, options.Overrides)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errUsage, err)
	}
	options.Root, options.Log, options.Terminal, options.Force = where.root, os.Stdout, where.terminal, true
	options.Command, options.Timeout, options.Check = "go run ./recipes "+quote(os.Args[1:]...), defaultTimeout, checkValues(where)
	options.Env = []string{env.Plan + "=" + s.Requests()}
	fmt.Println("planning: the notebook runs without computing")
	for i, p := range points {
		options.Overrides, options.Dir = p.Overrides, filepath.Join(s.PlanDir(), fmt.Sprint(i))
		result, err := recipe.Run(ctx, options)
		if err != nil {
			return "", fmt.Errorf("planning %s %s: %w", s.Recipe, p.Name, err)
		}
		backend = result.Backend
	}
	requests, err := cluster.ReadRequests(s.Requests())
	if err != nil {
		return "", fmt.Errorf("%s cannot be submitted: %w", s.Recipe, err)
	}
	for _, r := range requests {
		s.Devices = max(s.Devices, r.Options.Devices)
	}
	return backend, os.RemoveAll(s.PlanDir())
}

// countWork asks the worker how much there is to compute.
func countWork(ctx context.Context, s *cluster.Submission, environment []string, timed bool) (*cluster.Work, error) {
	cmd := exec.CommandContext(ctx, s.Worker(), "--submission", s.Dir(), "--count", fmt.Sprintf("--timed=%t", timed))
	cmd.Env, cmd.Dir = environment, s.Root
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, errors.New(strings.Join(strings.Fields(said.String()+" ("+err.Error()+")"), " "))
	}
	work := &cluster.Work{}
	return work, json.Unmarshal(out, work)
}

// copyProgram copies an executable, or links it where that is possible: a build of other sources takes its name in the cache, not its place.
func copyProgram(from, to string) error {
	if err := os.Remove(to); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if os.Link(from, to) == nil {
		return nil
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	return env.WriteFile(to, 0o755, func(w io.Writer) error {
		_, err := io.Copy(w, in)
		return err
	})
}

// proceed hands what is not done to the engine and says where it is.
func proceed(ctx context.Context, s *cluster.Submission) error {
	status, err := s.Status(ctx)
	if err != nil {
		return err
	}
	dir := quote(recipe.Relative(s.Dir()))
	if err := s.Submit(ctx, status, func(line string) { fmt.Println(line) }); err != nil {
		return &unfinishedError{err, "go run ./recipes resume " + dir}
	}
	if s.Engine == cluster.Local {
		fmt.Printf("\n%s finished in %d parts\n", s.Recipe, s.Parts)
		for _, name := range []string{"results.json", "note.html"} {
			fmt.Println(recipe.Relative(filepath.Join(s.Dir(), name)))
		}
		return nil
	}
	if strings.HasPrefix(s.Backend, "xla:cuda") && !cluster.AsksForCards(s.Options) {
		n := max(s.Devices, 1)
		fmt.Printf("no cards were asked of Slurm: unless its nodes are given whole, parts on one node share the first %d; -- --gres=gpu:%d asks for %d each\n", n, n, n)
	}
	last := s.Jobs[len(s.Jobs)-1]
	fmt.Printf("%s in %d parts; the last job, %s, writes %s\n", s.Recipe, s.Parts, last.ID, recipe.Relative(filepath.Join(s.Dir(), "note.html")))
	fmt.Printf("how it is:   go run ./recipes status %s\n", dir)
	return nil
}
