// Package gobuild compiles Go packages and shows how far it is: how many packages of how many, and which. It compiles what notebook cells import, before the
// first cell waits for that in silence, and the kernel's tools.
//
// It imports nothing but the standard library, so that the command which binds a notebook to its checkout is there at once.
package gobuild

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"
)

// Build says what to compile. Dir and Packages are needed, the rest has defaults.
type Build struct {
	Dir      string          // where the go command works
	Packages []string        // import paths, or relative to Dir
	Output   string          // file or folder for the commands among them; "": commands are not linked, only what they import is compiled
	Env      []string        // of the go command; nil: this process's
	Prepare  func(*exec.Cmd) // called before each go command starts; nil: nothing

	Label    string    // what is being built, for the reader
	Log      io.Writer // progress; nil: none
	Terminal bool      // Log redraws a line after a carriage return (a terminal, a cell): else a line now and then
	Quiet    bool      // say nothing of a build that takes less than 2 s
}

const (
	redrawEvery = time.Second / 4
	quietFor    = 2 * time.Second
	lineEvery   = 4 * time.Second // no output for longer than 5 s is silence
	indent      = "       "
)

// inCache is what `go list` calls stale although it need not be compiled.
const inCache = "not installed but available in build cache"

// Run compiles. Packages that do not compile are in the error, with the compiler's messages; the others are compiled all the same.
func (b Build) Run(ctx context.Context) error {
	if len(b.Packages) == 0 {
		return nil
	}
	p := newProgress(b)
	defer p.close()
	packages, err := b.list(ctx, p)
	if err != nil {
		return p.end(ctx, err, "")
	}
	if p.total == 0 && b.Output == "" {
		return p.end(ctx, nil, "")
	}
	args := []string{"build", "-v"}
	if b.Output != "" {
		args = append(args, "-o", b.Output)
	}
	var messages []string
	err = b.goCommand(ctx, append(args, packages...), nil, func(line string) {
		switch {
		case p.download(line):
		case isPackagePath(line):
			p.compile(line)
		default:
			messages = append(messages, line)
		}
	})
	return p.end(ctx, err, strings.Join(messages, "\n"))
}

// list counts what has to be compiled, and names what is given to the go command: a command that is not linked is replaced by its imports.
func (b Build) list(ctx context.Context, p *progress) (packages []string, err error) {
	const format = "{{.DepOnly}}\t{{.Name}}\t{{.ImportPath}}\t{{or .Error (and .Stale (ne .StaleReason \"" + inCache + "\"))}}\t{{join .Imports \" \"}}"
	var out bytes.Buffer
	var messages []string
	err = b.goCommand(ctx, append([]string{"list", "-e", "-deps", "-f", format}, b.Packages...), &out, func(line string) {
		if !p.download(line) {
			messages = append(messages, line)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, strings.Join(messages, "\n"))
	}
	for line := range strings.Lines(out.String()) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(fields) != 5 {
			continue
		}
		depOnly, name, path, stale, imports := fields[0] == "true", fields[1], fields[2], fields[3] != "false", fields[4]
		isCommand := name == "main" && !depOnly
		if stale && !(isCommand && b.Output == "") {
			p.total++
		}
		switch {
		case depOnly:
		case isCommand && b.Output == "":
			for imported := range strings.FieldsSeq(imports) {
				if imported != "C" && imported != "unsafe" {
					packages = append(packages, imported)
				}
			}
		default:
			packages = append(packages, path)
		}
	}
	return packages, nil
}

// goCommand runs the go command; each line of its standard error goes to message.
func (b Build) goCommand(ctx context.Context, args []string, out io.Writer, message func(string)) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env, cmd.Stdout = b.Dir, b.Env, out
	cmd.WaitDelay = time.Second
	if b.Prepare != nil {
		b.Prepare(cmd)
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	scan := bufio.NewScanner(stderr)
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		message(scan.Text())
	}
	io.Copy(io.Discard, stderr) // behind a line that is too long
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("go %s: %w", args[0], err)
	}
	return nil
}

// isPackagePath tells the names that -v prints from the messages of compilers and linkers.
func isPackagePath(line string) bool {
	return line != "" && !strings.ContainsAny(line, " \t:#")
}
