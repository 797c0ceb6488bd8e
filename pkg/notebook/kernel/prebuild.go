package kernel

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Prebuild compiles the packages that cells import, in the environment of the kernel, so that the first cell does not wait for
// a minute without a word. Packages that do not compile are reported in the error; the cell that imports them fails as well.
func Prebuild(ctx context.Context, root string, packages, env []string, log io.Writer, terminal bool) error {
	if len(packages) == 0 {
		return nil
	}
	label := "building the packages that the cells import"
	args := append([]string{"build", "-v", "-o", os.DevNull}, packages...)
	return goBuild(ctx, root, env, log, terminal, label, args)
}

const quietReport = 15 * time.Second // between reports in a log; on a terminal the line is redrawn four times a second

// goBuild runs `go build -v`, which prints the name of each package it compiles, and shows how far it is.
func goBuild(ctx context.Context, root string, env []string, log io.Writer, terminal bool, label string, args []string) error {
	if log == nil {
		log = io.Discard
	}
	scratch, err := newScratch() // the go command's own temporary files go with it
	if err != nil {
		return err
	}
	defer scratch.close()
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env = root, scratch.environment(env)
	cmd.WaitDelay = time.Second
	ownGroup(cmd)
	cmd.Cancel = func() error { killGroup(cmd.Process.Pid); return nil } // its compilers, too
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	started := time.Now()
	fmt.Fprintf(log, "%s …", label)
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(log)
		return fmt.Errorf("%s: %w", label, err)
	}
	lines := make(chan string)
	go func() {
		defer close(lines)
		for scan := bufio.NewScanner(stderr); scan.Scan(); {
			lines <- scan.Text()
		}
	}()
	every := quietReport
	if terminal {
		every = time.Second / 4
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	compiled, reported := 0, false
	var messages []string
	for open := true; open; {
		select {
		case line, ok := <-lines:
			switch {
			case !ok:
				open = false
			case isPackagePath(line):
				compiled++
			default:
				messages = append(messages, line)
			}
		case <-ticker.C:
			if terminal {
				fmt.Fprintf(log, "\r\033[K%s … %d packages, %s", label, compiled, seconds(time.Since(started)))
			} else {
				fmt.Fprintf(log, "\n%s… %d packages after %s", indent, compiled, seconds(time.Since(started)))
				reported = true
			}
		}
	}
	err = cmd.Wait()
	switch {
	case terminal:
		fmt.Fprintf(log, "\r\033[K%s …", label)
	case reported:
		fmt.Fprintf(log, "\n%s…", indent)
	}
	took := seconds(time.Since(started))
	if ctx.Err() != nil {
		fmt.Fprintf(log, " stopped after %s\n", took)
		return fmt.Errorf("%s: %w", label, stopReason(ctx))
	}
	if err != nil {
		fmt.Fprintf(log, " FAILED after %s\n", took)
		return fmt.Errorf("%s: go %s: %w\n%s", label, args[0], err, strings.Join(messages, "\n"))
	}
	if compiled == 0 {
		fmt.Fprintf(log, " nothing to do, %s\n", took)
	} else {
		fmt.Fprintf(log, " %d packages, %s\n", compiled, took)
	}
	return nil
}

// isPackagePath tells the names that -v prints from the messages of compilers and linkers.
func isPackagePath(line string) bool {
	return line != "" && !strings.ContainsAny(line, " \t:#")
}
