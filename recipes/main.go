// Command recipes lists, runs and checks Attune's recipes: notebooks that take parameters and leave a research note.
//
//	go run ./recipes list [--runs]        recipes, what each answers, its parameters and defaults; or the runs that were made
//	go run ./recipes run NAME [-p key=value]... [--params FILE] [--sweep key=a,b]... [-o DIR] [--backend go|xla:cuda] [--timeout D]
//	go run ./recipes run --from BUNDLE    run what a bundle holds again and say what differs
//	go run ./recipes diff A B             what two runs differ in: parameters, provenance, numbers, items
//	go run ./recipes bundle DIR           pack a run into one file
//	go run ./recipes check NAME|DIR       rerun and compare with the committed results, within their tolerances
//	go run ./recipes submit NAME --parts N [-- SBATCH OPTIONS]    run a recipe in parts on a Slurm cluster, or here with --engine local
//	go run ./recipes status|resume|cancel DIR                     how it is, continue it, end it
//	go run ./recipes parity --self        run parity without a reference: what must hold of any model
//	go run ./recipes doctor               what is installed, which backends load, what is missing and how to get it
//	go run ./recipes plugin cpu           install XLA's plugin for processors
//	go run ./recipes jupyter              install the kernel for Jupyter and start what is installed
//
// The work is done by pkg/recipe and pkg/notebook; here are the flags and the words.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/notebook"
	"github.com/attune-lab/attune/pkg/report"
)

const usage = `usage: go run ./recipes COMMAND

  list                     recipes, what each answers, its parameters and defaults
      --runs               the runs below runs/, newest first
  run NAME [flags]         run a recipe; exit 0 only if every cell succeeded
      --help               the parameters of the recipe NAME
      -p key=value         set a parameter (again for each one)
      --params FILE        parameters as a JSON object, or those of a run: its results.json
      --sweep key=a,b,c    run at each value; one note, table and family of tests over all (again: all combinations)
      --dry-run            what would be computed, what is known already, and about how long it takes
      --from BUNDLE        instead of NAME: run what a bundle holds again and say what differs
      -o DIR               run directory (default: a new one, runs/NAME/TIME)
      --force              run into a directory that already holds a run
      --backend NAME       go, xla:cuda or xla:cpu (default: ATTUNE_BACKEND, GOMLX_BACKEND, else see doctor)
      --timeout D          limit for all cells together, for example 10m (default 24h; 0: none)
      --cell-timeout D     limit for each cell (default: none)
  check NAME|DIR [flags]   rerun and compare each number with the committed one, within its tolerance
      -o, --force, --backend, --timeout, --cell-timeout as for run
  parity --self [flags]    run parity on a model without a reference, what must hold of any: -p model=DIR, other flags as for run
  diff A B                 what two runs differ in: parameters, provenance, numbers with intervals, items that flipped
  bundle DIR [-o FILE]     pack a run into one .tar.gz: notebook, note, results, samples, specs, go.mod; no weights
  submit NAME --parts N [flags] [-- SBATCH OPTIONS]
                           run a recipe in parts, as an array of a Slurm cluster; the note is that of one machine
      -p, --sweep, -o, --backend as for run
      --engine local       run the parts here instead, one on each card
      --at-once K          parts that run at once, at most
      --mixed              unite results of different devices
      --dry-run [--rate T] what there is to compute, what a device must hold, and how long N parts take, at T tokens a second
  status DIR               how the parts are; exit 0 done, 3 not yet, 2 something failed
  resume DIR               continue what is not done
  cancel DIR               end what waits and runs
  doctor                   what is installed, which backends load, what is missing and how to get it
  plugin cpu [--from FILE] install XLA's plugin for processors, with which xla:cpu is the default for larger models
  jupyter [flags]          install the kernel for Jupyter, then start Jupyter
      --backend NAME       of the notebooks (default go)
      --no-start           only install
      other flags          go to Jupyter, for example --no-browser --port 8889
`

// errUsage is a wrong command line: the exit status is 2.
var errUsage = errors.New("wrong usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, func() { // a second Ctrl-C ends the process at once; a shell may send the first one twice
		time.Sleep(time.Second)
		stop()
	})
	err := dispatch(ctx, os.Args[1:])
	interrupted := ctx.Err() != nil
	stop()
	if err == nil {
		return
	}
	if errors.Is(err, flag.ErrHelp) {
		fmt.Print(strings.ReplaceAll(usageOf(os.Args[1]), "go run ./recipes", called()))
		return
	}
	var state *statusError
	if errors.As(err, &state) {
		fmt.Fprintln(os.Stderr, state)
		os.Exit(state.code)
	}
	fmt.Fprintln(os.Stderr, "\nerror:", report.Clean(err.Error())) // it may quote what a cell or a server said
	var unfinished *unfinishedError
	switch {
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, "("+called()+" --help shows every command and its flags)")
		os.Exit(2)
	case errors.As(err, &unfinished):
		fmt.Fprintf(os.Stderr, "\nto continue: %s\n", report.Clean(unfinished.command))
	}
	if interrupted {
		os.Exit(130) // what a shell expects after Ctrl-C
	}
	os.Exit(1)
}

// usageOf is what usage says of a command, or of all where it names none.
func usageOf(command string) string {
	title, all, _ := strings.Cut(usage, "\n\n")
	of := ""
	mine := false
	for line := range strings.Lines(all) {
		if name, indented := strings.CutPrefix(line, "  "); indented && !strings.HasPrefix(name, " ") {
			mine = strings.Fields(name)[0] == command
		}
		if mine {
			of += line
		}
	}
	if of == "" {
		return usage
	}
	return strings.Replace(title, "COMMAND", command, 1) + "\n\n" + of
}

var commands = map[string]func(context.Context, site, []string) error{
	"list": list, "run": run, "check": check, "diff": diff, "bundle": bundle, "submit": submit, "status": status, "resume": resume, "cancel": cancel, "finish": finish,
	"doctor": doctor, "jupyter": jupyter, "parity": parity, "plugin": plugin,
}

func dispatch(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("%w: no command given", errUsage)
	}
	command, known := commands[args[0]]
	if !known {
		switch args[0] {
		case "help", "-h", "-help", "--help":
			return flag.ErrHelp
		}
		return fmt.Errorf("%w: unknown command %q%s the commands are %s", errUsage, args[0], didYouMean(args[0], slices.Collect(maps.Keys(commands))),
			strings.Join(slices.Sorted(maps.Keys(commands)), ", "))
	}
	where, err := findSite()
	if err != nil {
		return err
	}
	return command(ctx, where, args[1:])
}

// site is where the command works: the repository, and the terminal.
type site struct {
	root     string // repository root
	recipes  string // folder of the recipes
	terminal bool   // standard output is a terminal
}

func findSite() (site, error) {
	root, err := env.FindRoot(".")
	if err != nil {
		program, programErr := os.Executable() // an archive's lies in its checkout
		if programErr != nil {
			return site{}, err
		}
		if root, programErr = env.FindRoot(filepath.Dir(program)); programErr != nil {
			return site{}, err
		}
	}
	info, err := os.Stdout.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
	return site{root: root, recipes: filepath.Join(root, "recipes"), terminal: terminal}, nil
}

// called is how the user calls this command.
func called() string {
	if command := os.Getenv(env.Command); command != "" {
		return command
	}
	return "go run ./recipes"
}

// parse reads flags that may stand before and after the positional arguments, and checks how many of those there are.
func parse(flags *flag.FlagSet, args []string, positional int, what string) ([]string, error) {
	flags.Init(flags.Name(), flag.ContinueOnError)
	flags.SetOutput(devNull{})
	var names []string
	for {
		if err := flags.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			return nil, fmt.Errorf("%w: %s: %w%s", errUsage, flags.Name(), err, nearFlag(flags, err))
		}
		if flags.NArg() == 0 {
			break
		}
		names, args = append(names, flags.Arg(0)), flags.Args()[1:]
	}
	if len(names) != positional {
		return nil, fmt.Errorf("%w: %s takes %s, found %d%s", errUsage, flags.Name(), what, len(names), listed(names))
	}
	return names, nil
}

// listed are names behind what says how many.
func listed(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return ": " + strings.Join(names, " ")
}

// didYouMean suggests the name most like the one that was typed, and closes the sentence.
func didYouMean(typed string, names []string) string {
	slices.Sort(names)
	if near := notebook.Nearest(typed, names); near != "" {
		return fmt.Sprintf(", did you mean %q?", near)
	}
	return ";"
}

// nearFlag suggests a flag for one that package flag does not know.
func nearFlag(flags *flag.FlagSet, err error) string {
	typed, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !unknown {
		return ""
	}
	var names []string
	flags.VisitAll(func(f *flag.Flag) {
		if len(f.Name) > 1 {
			names = append(names, f.Name)
		}
	})
	if near := notebook.Nearest(strings.TrimLeft(typed, "-"), names); near != "" {
		return fmt.Sprintf(", did you mean --%s?", near)
	}
	return ""
}

type devNull struct{}

func (devNull) Write(p []byte) (int, error) { return len(p), nil }
