package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/note"
	"github.com/attune-lab/attune/pkg/recipe"
)

// bundle packs a finished run into one file.
func bundle(_ context.Context, where site, args []string) error {
	flags := flag.NewFlagSet("bundle", flag.ContinueOnError)
	out := flags.String("o", "", "file")
	names, err := parse(flags, args, 1, "the directory of a finished run")
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(names[0])
	if err != nil {
		return err
	}
	if *out == "" {
		*out = filepath.Base(dir) + ".tar.gz"
	}
	var m *recipe.Manifest
	err = env.WriteFile(*out, 0o644, func(w io.Writer) (err error) {
		m, err = recipe.WriteBundle(dir, where.root, w)
		return err
	})
	if err != nil {
		return err
	}
	info, err := os.Stat(*out)
	if err != nil {
		return err
	}
	fmt.Printf("%s: a run of %s at commit %.12s, %d files, %d kB\n", *out, m.Recipe, m.Commit, len(m.Files), (info.Size()+999)/1000)
	if m.Dirty {
		fmt.Println("its sources were changed after that commit: nobody else can run exactly these")
	}
	return nil
}

// diff says what two runs differ in.
func diff(_ context.Context, _ site, args []string) error {
	names, err := parse(flag.NewFlagSet("diff", flag.ContinueOnError), args, 2, "the directories of two finished runs")
	if err != nil {
		return err
	}
	d, err := recipe.Diff(names[0], names[1])
	if err != nil {
		return err
	}
	fmt.Printf("A: %s\nB: %s\n", names[0], names[1])
	d.Write(os.Stdout)
	return nil
}

// runBundle runs what a bundle holds once more, into a store of its own, and says what differs. A notebook that is not this checkout's recipe is run as the bundle has it.
func runBundle(ctx context.Context, where site, options recipe.Options, file string) error {
	unpacked, err := os.MkdirTemp("", "attune-bundle-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(unpacked)
	m, err := recipe.OpenBundle(file, unpacked)
	if err != nil {
		return err
	}
	want, err := note.Load(unpacked)
	if err != nil {
		return err
	}
	fmt.Printf("%s holds a run of %s at commit %.12s\n", file, m.Recipe, m.Commit)
	theirs := filepath.Join(unpacked, m.Recipe+".ipynb")
	options.Path = filepath.Join(where.recipes, m.Recipe+".ipynb")
	same, err := recipe.SameNotebook(theirs, options.Path)
	if err != nil {
		return err
	}
	if !same { // inside the repository, where its cells find the packages
		dir, err := os.MkdirTemp(where.recipes, ".bundle-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		options.Path = filepath.Join(dir, m.Recipe+".ipynb")
		text, err := os.ReadFile(theirs)
		if err != nil {
			return err
		}
		if err := os.WriteFile(options.Path, text, 0o644); err != nil {
			return err
		}
		fmt.Println("its notebook differs from this checkout's: the bundle's is run")
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		a, errA := os.ReadFile(filepath.Join(unpacked, name))
		b, errB := os.ReadFile(filepath.Join(where.root, name))
		if errA != nil || errB != nil || string(a) != string(b) {
			fmt.Printf("%s differs: other versions of modules may compute other numbers\n", name)
		}
	}
	options.Overrides, options.Fresh = recipe.ParametersOf(want), true
	if options.Backend == "" {
		options.Backend = m.Backend
	}
	result, err := execute(ctx, where, options, "run --from "+quote(file))
	if err != nil {
		return err
	}
	d, err := recipe.Diff(unpacked, result.Dir)
	if err != nil {
		return err
	}
	fmt.Println("\nthe bundle (first) and the rerun (second):")
	d.Write(os.Stdout)
	if n := d.Differences(); n > 0 {
		return fmt.Errorf("%d differences from %s; the rerun is in %s", n, file, recipe.Relative(result.Dir))
	}
	fmt.Printf("0 differences from %s\n", strings.TrimSpace(file))
	return nil
}
