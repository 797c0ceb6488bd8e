package lab

import (
	"encoding/base64"
	"fmt"
	"html"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/janpfeifer/gonb/gonbui"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/report"
	"github.com/attune-lab/attune/pkg/worker/client"
)

// progressMode is how progress becomes visible.
type progressMode int

const (
	// progressAuto chooses: Redraw on a terminal, Notebook in a GoNB cell someone looks at, Lines elsewhere - in
	// pipes, logs and under the recipe runner, which sets ATTUNE_RUN_DIR and passes a cell's lines on.
	progressAuto progressMode = iota
	// progressRedraw rewrites one line with a carriage return.
	progressRedraw
	// progressLines prints whole lines, at most one per 10 % (per 10 s when the total is unknown).
	progressLines
	// progressNotebook replaces one output block of the cell, so that a saved notebook keeps only its last state;
	// carriage returns would pile up there, since nbconvert does not interpret them.
	progressNotebook
)

const (
	redrawEvery = 250 * time.Millisecond
	lineEvery   = 10 * time.Second // without a total
	lineShares  = 10               // with a total: one line per tenth
)

// stageOptions says where progress goes. The zero value is standard output in progressAuto.
type stageOptions struct {
	Writer io.Writer        // nil = os.Stdout
	Mode   progressMode     // how
	Now    func() time.Time // nil = time.Now
}

// stage reports how far a long stage is: count, share, speed and the time left. Safe for concurrent use.
type stage struct {
	mu        sync.Mutex
	o         stageOptions
	label     string
	total     int
	done      int
	start     time.Time
	drawn     time.Time // when the line was last written
	tenths    int       // tenths of the total already written as lines
	shown     int       // width of the line on the terminal
	ended     bool
	display   string // id of the notebook's output block
	sparkline sparkline
	curve     []byte // the sparkline as a picture, PNG
	note      string // what goes on beside
	first     int    // what was done when the stage began, which says nothing of its speed
}

// start starts a stage of total items (0 or less = unknown).
func (o stageOptions) start(label string, total int) *stage {
	if o.Writer == nil {
		o.Writer = os.Stdout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Mode == progressAuto {
		o.Mode = autoMode(o.Writer)
	}
	p := &stage{o: o, label: strings.Join(strings.Fields(report.Clean(label)), " "), total: max(total, 0)}
	if o.Mode == progressNotebook {
		p.display = "progress_" + gonbui.UniqueID()
	}
	p.start = o.Now()
	p.drawn = p.start
	if o.Mode != progressLines {
		p.write(p.line())
	}
	return p
}

func autoMode(w io.Writer) progressMode {
	f, ok := w.(*os.File)
	if !ok {
		return progressLines
	}
	if gonbui.IsNotebook && f == os.Stdout {
		if os.Getenv(env.RunDir) == "" && gonbui.Open() == nil {
			return progressNotebook
		}
		return progressLines
	}
	if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		return progressRedraw
	}
	return progressLines
}

// at sets how many items are done.
func (p *stage) at(done int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reach(done)
}

// image is the sparkline as it was last drawn.
func (p *stage) image() string {
	if p.curve == nil {
		return ""
	}
	return `<img alt="` + html.EscapeString(p.sparkline.name) + `" src="data:image/png;base64,` + base64.StdEncoding.EncodeToString(p.curve) + `">`
}

// reach sets how many items are done, and draws if it is time to.
func (p *stage) reach(done int) {
	if p.ended {
		return
	}
	p.done = done
	now := p.o.Now()
	switch {
	case p.o.Mode != progressLines:
		if now.Sub(p.drawn) < redrawEvery {
			return
		}
	case p.total > 0:
		tenths := p.done * lineShares / p.total
		if tenths <= p.tenths || p.done >= p.total { // the last line is end's
			return
		}
		p.tenths = tenths
	case now.Sub(p.drawn) < lineEvery:
		return
	}
	p.drawn = now
	p.write(p.line())
}

// end ends the stage and writes its last line: what was counted, how long it took and how fast it was. An
// incomplete count is shown as it is. Further calls do nothing.
func (p *stage) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	p.ended = true
	elapsed := p.o.Now().Sub(p.start)
	p.write(fmt.Sprintf("%s: %s%s · %s%s", p.label, p.count(), p.speed(elapsed), short(elapsed), p.sparkline.line()))
	switch p.o.Mode {
	case progressRedraw:
		fmt.Fprintln(p.o.Writer)
	case progressNotebook:
		gonbui.Sync()
	}
}

// line describes a running stage.
func (p *stage) line() string {
	elapsed := p.o.Now().Sub(p.start)
	s := fmt.Sprintf("%s: %s", p.label, p.count())
	if p.total > 0 {
		s += fmt.Sprintf(" (%d %%)", 100*p.done/p.total)
	}
	s += p.speed(elapsed)
	if p.done > p.first && p.done < p.total && elapsed > 0 {
		left := time.Duration(float64(elapsed) / float64(p.done-p.first) * float64(p.total-p.done))
		s += fmt.Sprintf(" · %s left", short(left))
	}
	if p.note != "" {
		s += " · " + p.note
	}
	return s + p.sparkline.line()
}

func (p *stage) count() string {
	if p.total > 0 {
		return fmt.Sprintf("%d/%d", p.done, p.total)
	}
	return fmt.Sprint(p.done)
}

func (p *stage) speed(elapsed time.Duration) string {
	if p.done == p.first || elapsed <= 0 {
		return ""
	}
	perSecond := float64(p.done-p.first) / elapsed.Seconds()
	switch {
	case perSecond >= 100:
		return fmt.Sprintf(" · %.0f/s", perSecond)
	case perSecond >= 1:
		return fmt.Sprintf(" · %.1f/s", perSecond)
	}
	return fmt.Sprintf(" · %.1f s each", 1/perSecond)
}

// write puts a line where the mode says. A failing writer loses progress lines, never the work they report.
func (p *stage) write(line string) {
	switch p.o.Mode {
	case progressRedraw:
		n := utf8.RuneCountInString(line)
		fmt.Fprint(p.o.Writer, "\r", line, strings.Repeat(" ", max(p.shown-n, 0)))
		p.shown = n
	case progressNotebook:
		gonbui.UpdateHTML(p.display, "<pre>"+html.EscapeString(line)+"</pre>"+p.image())
	default:
		fmt.Fprintln(p.o.Writer, line)
	}
}

// short writes a duration with the precision a reader wants: 0.4 s, 12 s, 3 min 5 s, 2 h 10 min.
func short(d time.Duration) string {
	s := int(d.Seconds() + 0.5)
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d min %d s", s/60, s%60)
	}
	return fmt.Sprintf("%d h %d min", s/3600, s%3600/60)
}

// progress shows the stages of one request, one after the other.
type progress struct {
	stage   *stage
	name    string
	ticking chan struct{}
}

func newProgress() *progress { return &progress{} }

// show takes in one event.
func (p *progress) show(e *client.Progress) {
	if p.stage == nil || e.Stage != p.name {
		p.done()
		p.stage, p.name = stageOptions{}.start(e.Stage, e.Total), e.Stage
		p.stage.done, p.stage.first = e.Done, e.Done
		p.ticking = p.stage.tick()
	}
	p.stage.beside(e.Note, e.Curve)
	if e.Point != nil {
		p.stage.point(e.Done, e.Point.Name, e.Point.Value, e.Point.Speed)
	} else {
		p.stage.at(e.Done)
	}
}

// done ends the stage that runs.
func (p *progress) done() {
	if p.stage != nil {
		close(p.ticking)
		p.stage.end()
	}
	p.stage = nil
}

// stillEvery is the longest that a stage which counts nothing leaves its line alone.
const stillEvery = 4 * time.Second

// tick says that the stage continues where nothing was counted for a while, so that no line stands still.
func (p *stage) tick() chan struct{} {
	stop := make(chan struct{})
	go func() {
		t := time.NewTicker(stillEvery / 8) // a tick just short of it costs no second line's time
		defer t.Stop()
		for {
			select {
			case <-stop:
				return
			case <-t.C:
				p.mu.Lock()
				if !p.ended && p.o.Now().Sub(p.drawn) >= stillEvery {
					p.drawn = p.o.Now()
					p.write(p.line() + " · " + short(p.o.Now().Sub(p.start)))
				}
				p.mu.Unlock()
			}
		}
	}()
	return stop
}

// beside keeps what is shown with the line: a note, and the picture of the sparkline where there is a new one.
func (p *stage) beside(note string, png []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.note = report.Clean(note)
	if png != nil {
		p.curve = png
	}
}
