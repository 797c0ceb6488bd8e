package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/attune-lab/attune/pkg/notebook/kernel"
	"github.com/attune-lab/attune/pkg/recipe"
)

// jupyter installs the pinned kernel for Jupyter and starts the Jupyter that is installed.
func jupyter(ctx context.Context, where site, args []string) error {
	flags := flag.NewFlagSet("jupyter", flag.ContinueOnError)
	backend := flags.String("backend", kernel.GoBackend, "backend of the notebooks")
	noStart := flags.Bool("no-start", false, "only install the kernel")
	ours, theirs := split(args)
	if _, err := parse(flags, ours, 0, "no argument"); err != nil {
		return err
	}
	if err := kernel.CheckBackend(*backend); err != nil {
		return err
	}
	tools, err := kernel.BuildTools(ctx, where.root, os.Stdout, where.terminal)
	if err != nil {
		return err
	}
	if err := tools.BuildGopls(ctx, where.root, os.Stdout, where.terminal); err != nil {
		if ctx.Err() != nil {
			return err
		}
		line, _, _ := strings.Cut(err.Error(), "\n")
		fmt.Printf("gopls is not built, so cells run but completion and tooltips are missing: %s\n", line)
	}
	dir, err := kernel.InstallSpec(ctx, tools, kernel.SpecOptions{Root: where.root, Backend: *backend})
	if err != nil {
		return err
	}
	fmt.Printf("installed the kernel \"Go (gonb)\" (gonb %s, backend %s) in %s\n", tools.GonbVersion, *backend, recipe.Relative(dir))
	if *noStart {
		return nil
	}
	command := jupyterCommand()
	if command == nil {
		fmt.Print(howToInstallJupyter)
		return nil
	}
	if os.Geteuid() == 0 && !slices.ContainsFunc(theirs, func(flag string) bool { return strings.HasPrefix(flag, "--allow-root") }) {
		theirs = append(theirs, "--allow-root") // it refuses root otherwise
	}
	command = append(command, theirs...)
	fmt.Printf("starting %s in %s (end it with Ctrl-C)\n", quote(command...), recipe.Relative(where.root))
	// Not CommandContext: Ctrl-C reaches Jupyter as well, which asks before it ends.
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = where.root
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("%s: %w", command[0], err)
	}
	return nil
}

// split divides a command line into this command's flags and those for Jupyter, which are all others.
func split(args []string) (ours, theirs []string) {
	for i := 0; i < len(args); i++ {
		name, _, hasValue := strings.Cut(strings.TrimLeft(args[i], "-"), "=")
		isFlag := strings.HasPrefix(args[i], "-")
		switch {
		case args[i] == "--":
			return ours, append(theirs, args[i+1:]...)
		case isFlag && (name == "no-start" || name == "h" || name == "help"):
			ours = append(ours, args[i])
		case isFlag && name == "backend":
			ours = append(ours, args[i])
			if !hasValue && i+1 < len(args) {
				i++
				ours = append(ours, args[i])
			}
		default:
			theirs = append(theirs, args[i])
		}
	}
	return ours, theirs
}

// jupyterCommand is the Jupyter front end that is installed, nil when there is none. `jupyter` alone may be there without any (Debian's
// jupyter-nbconvert brings it).
func jupyterCommand() []string {
	for _, name := range []string{"jupyter-lab", "jupyter-notebook"} {
		if path, err := exec.LookPath(name); err == nil {
			return []string{path}
		}
	}
	return nil
}

const howToInstallJupyter = `found neither JupyterLab nor Jupyter Notebook. To get one:
  Debian, Ubuntu   apt install --no-install-recommends jupyter-notebook   (about 100 MB)
  pip              python3 -m pip install jupyterlab
then run this again. Visual Studio Code's Jupyter extension finds the kernel, too.
To execute a notebook from the command line none is needed: go run ./recipes run NAME
`
