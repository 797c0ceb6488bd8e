package kernel

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/attune-lab/attune/pkg/notebook"
)

// What GoNB v0.11.5 reports, and what it does not:
//
//   - Go code, also in a %test cell: a compile error, a panic, os.Exit and a failing test make the execute_reply an
//     error (goexec.State.Execute returns the exit error since v0.11). The reply is exact, so a program may
//     print anything.
//   - A shell line (`!false`), a `%%bash`, `%%sh` or `%%script` cell: the reply is "ok" whatever happens. jpyexec.Executor.Exec,
//     after the command has ended and all its output is sent, publishes the exit error as a message of its own on stderr:
//     exactly "exit status N\n" or "signal: NAME\n", after "^C\n" when interrupted.
//   - An unknown command (`%nonsense`): the reply is "ok", and stderr gets `"%nonsense" unknown or not implemented yet.`
//
// So the marks on stderr are judged only in cells that have such lines, and only when they are a whole message: a Go program
// that prints "exit status 1" is not taken for a failed one. Whether a shell runs is decided by its lines, not by %% and %main, which wrap Go code.
var (
	exitMark    = regexp.MustCompile(`^(?:\^C\n)?((?:exit status \d+|signal: [a-z0-9 ]+)(?: \(core dumped\))?)\n$`)
	unknownMark = regexp.MustCompile(`^"%.*" unknown or not implemented yet\.$`)
)

// outcome watches a cell's messages for failures that the reply does not tell.
type outcome struct {
	shell    bool // the cell has lines that a shell runs
	commands bool // the cell has lines of GoNB's own commands
	reason   string
	stderr   tail
}

func newOutcome(source string) *outcome {
	o := &outcome{shell: notebook.IsShellCell(source), stderr: tail{limit: 64 << 10}}
	for line := range strings.Lines(source) {
		line = strings.TrimRight(line, "\r\n")
		if !notebook.IsMagic(line) {
			continue
		}
		line = strings.TrimPrefix(line, "//gonb:")
		o.shell = o.shell || strings.HasPrefix(line, "!")
		o.commands = o.commands || strings.HasPrefix(line, "%")
	}
	return o
}

// message looks at one message of the IOPub channel.
func (o *outcome) message(msg *message) {
	if msg.Header.Type != "stream" {
		return
	}
	var content struct{ Name, Text string }
	if msg.decode(&content) != nil || content.Name != "stderr" {
		return
	}
	o.stderr.Write([]byte(content.Text))
	if o.reason != "" {
		return
	}
	if mark := exitMark.FindStringSubmatch(content.Text); o.shell && mark != nil {
		o.reason = "a command in the cell failed: " + mark[1]
	} else if o.commands && unknownMark.MatchString(content.Text) {
		o.reason = "GoNB does not know a command in the cell: " + content.Text
	}
}

// reasonAfter is why the cell failed, "" when it did not.
func (o *outcome) reasonAfter(answer *reply) (reason string, trace []string) {
	if answer.Status == "ok" {
		return o.reason, nil
	}
	for _, text := range answer.Traceback {
		if strings.TrimSpace(text) != strings.TrimSpace(answer.Value) {
			trace = append(trace, text)
		}
	}
	value := strings.TrimSpace(answer.Value)
	if mark := exitMark.FindStringSubmatch(value + "\n"); mark != nil {
		return "the cell's program failed: " + mark[1], nil
	}
	return strings.TrimSpace(answer.Name + ": " + value), trace
}

// CellError is a cell that failed: which one, how it begins, why, and what it wrote to standard error.
type CellError struct {
	Notebook      string // path of the notebook
	Number, Total int    // the cell among those that are executed, from 1
	Heading       string
	Source        string
	Reason        string
	Trace         []string // compiler messages
	Stderr        string   // the end of it
	Err           error    // context.DeadlineExceeded, context.Canceled or ErrDied; nil when the cell itself failed
}

const (
	shownLines  = 6  // of a failed cell's source
	shownStderr = 40 // lines of its standard error, the last ones
)

func (e *CellError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: cell %d of %d (%s) failed: %s\n", e.Notebook, e.Number, e.Total, e.Heading, strings.TrimSpace(e.Reason))
	lines := strings.Split(strings.TrimSpace(e.Source), "\n")
	b.WriteString("the cell:\n")
	for i, line := range lines {
		if i == shownLines {
			fmt.Fprintf(&b, "    … %d more lines\n", len(lines)-i)
			break
		}
		fmt.Fprintf(&b, "    %s\n", line)
	}
	for _, text := range e.Trace {
		b.WriteString(indentText(text))
	}
	if stderr := strings.TrimSpace(e.Stderr); stderr != "" {
		b.WriteString("its standard error:\n")
		lines := strings.Split(stderr, "\n")
		if skipped := len(lines) - shownStderr; skipped > 0 {
			fmt.Fprintf(&b, "    … %d earlier lines, in the saved notebook\n", skipped)
			lines = lines[skipped:]
		}
		b.WriteString(indentText(strings.Join(lines, "\n")))
	}
	return strings.TrimRight(b.String(), "\n")
}

// Unwrap gives the reason that is not the cell's fault.
func (e *CellError) Unwrap() error { return e.Err }

func indentText(text string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.TrimRight(text, "\n")) {
		b.WriteString("    " + line)
	}
	b.WriteByte('\n')
	return b.String()
}
