package kernel

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/attune-lab/attune/pkg/notebook"
	"github.com/attune-lab/attune/pkg/report"
)

const indent = "       "

const (
	maxShown    = 1 << 20 // bytes of one cell's output that are shown
	maxLogLine  = 2000    // characters of a line
	maxTermLine = 100     // of an unfinished line on a terminal, which must not wrap to be redrawn

	firstSilence   = 5 * time.Second // after which a log says that the cell still runs
	longestSilence = time.Minute
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

	mu      sync.Mutex // messages and the clock draw at the same time
	head    string     // the cell's first line
	last    time.Time  // when something was shown
	silence time.Duration
	clock   bool // the time so far stands at the end of the terminal's line
	stop    chan struct{}
}

func newProgress(w io.Writer, terminal bool) *progress {
	if w == nil {
		w = io.Discard
	}
	p := &progress{w: w, terminal: terminal, started: time.Now(), last: time.Now(), silence: firstSilence, stop: make(chan struct{})}
	p.screen.Emit = p.lines
	return p
}

func (p *progress) begin(number, total int, heading string) {
	p.head = fmt.Sprintf("[%d/%d] %s …", number, total, report.Clean(heading))
	fmt.Fprint(p.w, p.head)
	go func() {
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				p.tick()
			case <-p.stop:
				return
			}
		}
	}()
}

// tick shows that a silent cell still runs: on a terminal every second, in a log at growing distances.
func (p *progress) tick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	took := seconds(time.Since(p.started).Truncate(time.Second))
	if p.terminal {
		if p.drawn == "" { // an unfinished line is the program's own
			p.clear()
			if p.printed {
				fmt.Fprint(p.w, indent, "…")
			}
			fmt.Fprint(p.w, " ", took)
			p.clock = true
		}
		return
	}
	if time.Since(p.last) < p.silence {
		return
	}
	fmt.Fprint(p.w, p.lead(), "… running, ", took, "\n")
	p.last = time.Now()
	p.silence = min(2*p.silence, longestSilence)
}

// clear takes the time away again.
func (p *progress) clear() {
	if !p.clock {
		return
	}
	fmt.Fprint(p.w, "\r\033[K")
	if !p.printed {
		fmt.Fprint(p.w, p.head)
	}
	p.clock = false
}

func (p *progress) end(failed bool) {
	close(p.stop)
	p.mu.Lock()
	defer p.mu.Unlock()
	if line := p.screen.Pending(); line != "" {
		p.lines(line + "\n")
	}
	p.clear()
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
	p.mu.Lock()
	defer p.mu.Unlock()
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
			p.clear()
			p.last, p.silence = time.Now(), firstSilence
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
	p.clear()
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
