package kernel

import (
	"fmt"
	"io"
	"strings"
	"time"
)

const indent = "       "

// progress shows one cell on a terminal or in a log:
//
//	[3/12] Train the model … 4.2 s
//
// and, when the cell prints something, its output indented below the heading and the time below that. Lines that a program
// redraws with carriage returns are redrawn on a terminal; elsewhere only their last state is printed.
type progress struct {
	w        io.Writer
	terminal bool
	started  time.Time
	printed  bool   // output was shown since begin: the heading's line is closed
	line     string // the unfinished line of output
	shown    bool   // the unfinished line is on the terminal
	back     bool   // a carriage return came last
}

func newProgress(w io.Writer, terminal bool) *progress {
	if w == nil {
		w = io.Discard
	}
	return &progress{w: w, terminal: terminal, started: time.Now()}
}

func (p *progress) begin(number, total int, heading string) {
	fmt.Fprintf(p.w, "[%d/%d] %s …", number, total, heading)
}

func (p *progress) end(failed bool) {
	p.finishLine()
	word := ""
	if failed {
		word = " FAILED after"
	}
	lead := ""
	if p.printed {
		lead = indent + "…"
	}
	fmt.Fprintf(p.w, "%s%s %s\n", lead, word, seconds(time.Since(p.started)))
}

// message shows what a message of the kernel prints or displays.
func (p *progress) message(msg *message) {
	switch msg.Header.Type {
	case "stream":
		var content struct{ Text string }
		if msg.decode(&content) == nil {
			p.text(content.Text)
		}
	case "display_data", "execute_result":
		var bundle struct{ Data map[string]any }
		if msg.decode(&bundle) != nil {
			return
		}
		if picture, ok := bundle.Data["image/png"].(string); ok {
			p.text(fmt.Sprintf("(figure, PNG, %d kB)\n", (len(picture)*3/4+512)/1024))
		} else if text, ok := bundle.Data["text/plain"].(string); ok {
			p.text(strings.TrimRight(text, "\n") + "\n")
		}
	}
}

func (p *progress) text(text string) {
	for text != "" {
		i := strings.IndexAny(text, "\r\n")
		piece := text
		if i >= 0 {
			piece = text[:i]
		}
		if piece != "" {
			if p.back {
				p.line, p.back = "", false
			}
			p.line += piece
		}
		if i < 0 {
			break
		}
		if text[i] == '\n' {
			p.printLine("\n")
			p.line, p.back = "", false
		} else {
			p.back = true
		}
		text = text[i+1:]
	}
	if p.terminal && p.line != "" {
		p.printLine("")
	}
}

// printLine writes the line as it stands; on a terminal over its earlier state.
func (p *progress) printLine(end string) {
	if !p.printed {
		fmt.Fprintln(p.w)
		p.printed = true
	}
	if p.shown {
		fmt.Fprint(p.w, "\r\033[K") // back to the first column, erase to the end
	}
	fmt.Fprint(p.w, indent, p.line, end)
	p.shown = end == ""
}

func (p *progress) finishLine() {
	if p.line != "" {
		p.printLine("\n")
		p.line = ""
	}
}

func seconds(d time.Duration) string {
	if d >= 2*time.Minute {
		return d.Round(time.Second).String()
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
