package gobuild

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// progress shows a build:
//
//	compiling what the cells import … 45 of 312 packages, 12.3 s: gonum.org/v1/gonum/mat
type progress struct {
	label    string
	w        io.Writer
	terminal bool
	started  time.Time
	stop     chan struct{}
	stopped  sync.WaitGroup

	mu         sync.Mutex // what follows is read by the goroutine that draws
	total      int        // packages to compile
	compiled   int
	downloaded int    // modules
	current    string // what was compiled or downloaded last
	width      int    // of the line as it was drawn last
	lines      int    // printed so far
	quiet      bool   // nothing was said yet
}

func newProgress(b Build) *progress {
	p := &progress{label: b.Label, w: b.Log, terminal: b.Terminal, started: time.Now(), stop: make(chan struct{})}
	if p.w == nil {
		p.w = io.Discard
	}
	if p.label == "" {
		p.label = "building " + strings.Join(b.Packages, " ")
	}
	if p.quiet = b.Quiet; !p.quiet {
		p.begin()
	}
	p.stopped.Go(p.draw)
	return p
}

func (p *progress) begin() {
	fmt.Fprintf(p.w, "%s …", p.label)
	p.width = utf8.RuneCountInString(p.label) + 2
	p.quiet = false
}

// draw shows that something happens, until the build ends.
func (p *progress) draw() {
	every := lineEvery
	if p.terminal {
		every = redrawEvery
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-ticker.C:
			p.mu.Lock()
			state := p.state()
			if p.quiet && time.Since(p.started) >= quietFor {
				p.begin()
			}
			switch {
			case p.quiet:
			case p.terminal:
				p.redraw(fmt.Sprintf("%s … %s", p.label, state))
			default:
				fmt.Fprintf(p.w, "\n%s… %s", indent, state)
				p.lines++
			}
			p.mu.Unlock()
		}
	}
}

// state is how far the build is.
func (p *progress) state() string {
	took := seconds(time.Since(p.started))
	text := took
	switch {
	case p.compiled > 0 && p.total >= p.compiled:
		text = fmt.Sprintf("%d of %d packages, %s", p.compiled, p.total, took)
	case p.compiled > 0:
		text = fmt.Sprintf("%d packages, %s", p.compiled, took)
	case p.total > 0:
		text = fmt.Sprintf("0 of %d packages, %s", p.total, took)
	case p.downloaded > 0:
		text = fmt.Sprintf("%d modules downloaded, %s", p.downloaded, took)
	}
	if p.current != "" {
		text += ": " + p.current
	}
	return text
}

// redraw replaces the line. Spaces erase what stood behind it: notebooks know no other way.
func (p *progress) redraw(line string) {
	const widest = 79 // a wrapped line cannot be replaced
	if runes := []rune(line); len(runes) > widest {
		line = string(runes[:widest-1]) + "…"
	}
	width := utf8.RuneCountInString(line)
	fmt.Fprintf(p.w, "\r%s%s", line, strings.Repeat(" ", max(p.width-width, 0)))
	p.width = width
}

func (p *progress) compile(path string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.compiled++
	p.current = path
}

// download reports whether the go command's line names a module that it downloads.
func (p *progress) download(line string) bool {
	module, ok := strings.CutPrefix(line, "go: downloading ")
	if ok {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.downloaded++
		p.current = module
	}
	return ok
}

// end closes the line with what was done, and returns what went wrong.
func (p *progress) end(ctx context.Context, err error, messages string) error {
	p.close()
	took := seconds(time.Since(p.started))
	what := fmt.Sprintf("nothing to do, %s", took)
	switch {
	case ctx.Err() != nil:
		what = "stopped after " + took
		err = fmt.Errorf("%s: interrupted: %w", p.label, context.Cause(ctx))
	case err != nil:
		what = "FAILED after " + took
		err = fmt.Errorf("%s: %w\n%s", p.label, err, messages)
	case p.compiled > 0:
		what = fmt.Sprintf("%d packages, %s", p.compiled, took)
	}
	switch {
	case p.quiet:
	case p.terminal:
		p.redraw(fmt.Sprintf("%s … %s", p.label, what))
		fmt.Fprintln(p.w)
	case p.lines > 0:
		fmt.Fprintf(p.w, "\n%s… %s\n", indent, what)
	default:
		fmt.Fprintf(p.w, " %s\n", what)
	}
	return err
}

// close ends the drawing; it may be called again.
func (p *progress) close() {
	select {
	case <-p.stop:
	default:
		close(p.stop)
	}
	p.stopped.Wait()
}

func seconds(d time.Duration) string {
	if d >= 2*time.Minute {
		return d.Round(time.Second).String()
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
