package kernel

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/attune-lab/attune/pkg/notebook"
	"github.com/attune-lab/attune/pkg/report"
)

const indent = "       "

const (
	maxShown    = 1 << 20 // bytes of one cell's output that are shown
	maxLogLine  = 2000    // characters of a line
	maxTermLine = 100     // of an unfinished line on a terminal, which must not wrap to be redrawn
)

// progress shows one cell on a terminal or in a log:
//
//	[3/12] Train the model … 4.2 s
//
// and, when the cell prints something, its output indented below the heading and the time below that. Lines that a program
// redraws with carriage returns are redrawn on a terminal; elsewhere only their last state is printed. Nothing that a cell prints acts on the
// terminal: escape sequences and the like are taken out.
type progress struct {
	w        io.Writer
	terminal bool
	started  time.Time
	screen   notebook.Stream
	printed  bool   // output was shown since begin: the heading's line is closed
	drawn    string // the unfinished line as it is on the terminal, "" if it is not
	bytes    int    // shown so far
	long     bool   // within a line of which enough was shown
}

func newProgress(w io.Writer, terminal bool) *progress {
	if w == nil {
		w = io.Discard
	}
	p := &progress{w: w, terminal: terminal, started: time.Now()}
	p.screen.Emit = p.lines
	return p
}

func (p *progress) begin(number, total int, heading string) {
	fmt.Fprintf(p.w, "[%d/%d] %s …", number, total, report.Clean(heading))
}

func (p *progress) end(failed bool) {
	if line := p.screen.Pending(); line != "" {
		p.lines(line + "\n")
	}
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
	if p.bytes > maxShown {
		return
	}
	p.screen.Write(text)
	if p.terminal {
		p.draw(shorten(report.Clean(p.screen.Pending()), maxTermLine))
	}
}

// lines prints finished lines, and pieces of very long ones.
func (p *progress) lines(text string) {
	for line := range strings.Lines(text) {
		line, whole := strings.CutSuffix(line, "\n")
		if !p.long && p.bytes <= maxShown {
			p.draw("")
			p.bytes += len(line) + 1
			fmt.Fprint(p.w, p.lead(), shorten(report.Clean(line), maxLogLine), "\n")
			if p.bytes > maxShown {
				fmt.Fprintf(p.w, "%s(the cell prints more than %d kB: the rest is not shown here)\n", indent, maxShown>>10)
			}
		}
		p.long = !whole
	}
}

// draw shows the unfinished line in place of its earlier state.
func (p *progress) draw(line string) {
	if line == p.drawn {
		return
	}
	if p.drawn != "" {
		fmt.Fprint(p.w, "\r\033[K") // back to the first column, erase to the end
	}
	if line != "" {
		fmt.Fprint(p.w, p.lead(), line)
	}
	p.drawn = line
}

// lead closes the heading's line before the first output, and indents.
func (p *progress) lead() string {
	if p.printed {
		return indent
	}
	p.printed = true
	return "\n" + indent
}

// shorten cuts a line to at most n characters, the last one an ellipsis.
func shorten(line string, n int) string {
	if len(line) <= n {
		return line
	}
	if runes := []rune(line); len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	return line
}

func seconds(d time.Duration) string {
	if d >= 2*time.Minute {
		return d.Round(time.Second).String()
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
