package kernel

import (
	"bytes"
	"fmt"
	"go/scanner"
	"go/token"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/notebook"
)

// A headless run differs from Jupyter in three things that GoNB has no switch for. Its kernel keeps the standard input of cells open, so a cell that reads would
// wait for ever; os.Exit(0) looks to it like the end of the program, although what stands behind it never ran; and it looks modules up in the network. So the
// runner sends cells with a few words more than the notebook holds:
//
//   - A Go file beside GoNB's main.go ("if the user created separate Go files in TempDir, those are left as is", goexec/parser.go) empties standard
//     input before anything else is initialised.
//   - main of a Go cell begins with a deferred call, on a line that is there anyhow, so that line numbers stay. It leaves a file, and os.Exit does not.
//   - A shell line begins with `exec </dev/null;`.
//   - The cell that binds the cells to the checkout ends with `%noautoget` where all that they import is built: GoNB's `go get` before each cell asks the network
//     whether versions were retracted, in a third of a second.

const (
	headlessFile = "attune_headless.go" // before main.go in the order of names, so that its variables come first
	endFunction  = "attuneCellEnds"
	endCall      = "defer " + endFunction + "(); "
	noInput      = "exec </dev/null; "
	noLookUp     = "\n%noautoget"
	bindCommand  = env.Module + "/recipes/bind"
)

// headlessSource is the Go file; %q is the file that the end of main leaves.
const headlessSource = `package main

import "os"

var _ = func() bool {
	if null, err := os.Open(os.DevNull); err == nil {
		os.Stdin = null
	}
	return true
}()

func ` + endFunction + `() {
	os.WriteFile(%s, nil, 0o600)
}
`

// exitZero is why a cell failed whose program ended with status 0 before its end.
const exitZero = "the cell's program ended itself with exit status 0 before the end of the cell: call os.Exit only with a status other than 0, or leave it out"

// headless prepares cells for a run without anybody at the keyboard.
type headless struct {
	folder string // GoNB's folder for the cells' code; "" when it was not found
	mark   string // the file that the end of main leaves
	built  bool   // what cells import is built
}

func newHeadless(temp string, built bool) headless {
	h := headless{mark: filepath.Join(temp, "cell-ended"), built: built}
	if folders, _ := filepath.Glob(filepath.Join(temp, "gonb_*")); len(folders) == 1 {
		h.folder = folders[0]
	}
	return h
}

// prepare returns what is sent for a cell, and whether the end of its main will leave its mark.
func (h headless) prepare(source string) (sent string, marked bool, err error) {
	if notebook.IsShellCell(source) || strings.HasPrefix(source, "%%writefile") {
		return source, false, nil
	}
	sent = withoutInput(source)
	if h.built && strings.Contains(source, bindCommand) {
		sent += noLookUp
	}
	if h.folder == "" {
		return sent, false, nil
	}
	if err := os.Remove(h.mark); err != nil && !os.IsNotExist(err) {
		return "", false, err
	}
	path := filepath.Join(h.folder, headlessFile)
	if _, err := os.Stat(path); err != nil { // once, and after a cell that cleared the folder
		if err := env.WriteBytes(path, 0o600, fmt.Appendf(nil, headlessSource, strconv.Quote(h.mark))); err != nil {
			return "", false, err
		}
	}
	sent, marked = withEndMark(sent)
	return sent, marked, nil
}

// asWritten takes what prepare added out of a message's content, which may quote the cell.
func asWritten(content []byte) []byte {
	for _, added := range []string{endCall, noInput, noLookUp, strings.Replace(noLookUp, "\n", `\n`, 1), strings.Replace(noInput, "<", `\u003c`, 1)} {
		content = bytes.ReplaceAll(content, []byte(added), nil)
	}
	return content
}

// ended reports whether main of the cell that ran last came to its end.
func (h headless) ended() bool {
	_, err := os.Stat(h.mark)
	return err == nil
}

// withoutInput gives shell lines an empty standard input. Windows' shell knows no exec.
func withoutInput(source string) string {
	if runtime.GOOS == "windows" {
		return source
	}
	lines := strings.Split(source, "\n")
	for i, line := range lines {
		if i > 0 && strings.HasSuffix(lines[i-1], `\`) || !notebook.IsMagic(line) {
			continue
		}
		prefix := len(line) - len(strings.TrimPrefix(line, "//gonb:"))
		if line[prefix] != '!' {
			continue
		}
		command := strings.TrimLeft(line[prefix+1:], " \t")
		inFolder := strings.HasPrefix(command, "*")
		if inFolder {
			command = command[1:]
		}
		if strings.TrimSpace(command) == "" {
			continue
		}
		lines[i] = line[:prefix] + "!" + map[bool]string{true: "*"}[inFolder] + noInput + command
	}
	return strings.Join(lines, "\n")
}

// withEndMark puts the deferred call at the beginning of the cell's main: behind a line `%%` or `%main`, or into a func main. A cell without one only
// declares, and is left as it is.
func withEndMark(source string) (string, bool) {
	lines := strings.Split(source, "\n")
	for i, line := range lines {
		if !beginsMain(line) {
			continue
		}
		for j := i + 1; j < len(lines); j++ {
			continues := strings.HasSuffix(lines[j-1], `\`) && j-1 > i // of a magic
			if strings.TrimSpace(lines[j]) == "" || notebook.IsMagic(lines[j]) || continues {
				continue
			}
			lines[j] = endCall + lines[j]
			return strings.Join(lines, "\n"), true
		}
		return source, false // an empty main
	}
	if at := mainBody(notebook.WithoutMagics(source)); at >= 0 {
		return source[:at] + " " + strings.TrimSuffix(endCall, " ") + source[at:], true
	}
	return source, false
}

// beginsMain reports whether GoNB begins func main with this line (goexec/composer.go).
func beginsMain(line string) bool {
	line = strings.TrimPrefix(line, "//gonb:")
	return strings.HasPrefix(line, "%main") || line == "%%" || strings.HasPrefix(line, "%% ") || strings.HasPrefix(line, "%%\t")
}

// mainBody is the offset behind the brace that opens func main, -1 when there is no func main.
func mainBody(source string) int {
	var s scanner.Scanner
	file := token.NewFileSet().AddFile("cell", -1, len(source))
	s.Init(file, []byte(source), func(token.Position, string) {}, 0)
	want := []struct {
		tok     token.Token
		literal string
	}{{token.FUNC, ""}, {token.IDENT, "main"}, {token.LPAREN, ""}, {token.RPAREN, ""}, {token.LBRACE, ""}}
	for seen, depth := 0, 0; ; {
		pos, tok, literal := s.Scan()
		switch tok {
		case token.EOF:
			return -1
		case token.LBRACE:
			depth++
		case token.RBRACE:
			depth--
		}
		if w := want[seen]; tok == w.tok && (w.literal == "" || literal == w.literal) && (seen > 0 || depth == 0) {
			if seen++; seen == len(want) {
				return file.Offset(pos) + 1
			}
		} else {
			seen = 0
		}
	}
}
