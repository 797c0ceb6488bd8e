package plot

import (
	"encoding/base64"
	"fmt"
	"html"
	"io"
	"math"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/janpfeifer/gonb/gonbui"
)

// ProgressMode is how progress becomes visible.
type ProgressMode int

const (
	// ProgressAuto chooses: Redraw on a terminal, Notebook in a GoNB cell someone looks at, Lines elsewhere - in
	// pipes, logs and under the recipe runner, which sets ATTUNE_RUN_DIR and passes a cell's lines on.
	ProgressAuto ProgressMode = iota
	// ProgressRedraw rewrites one line with a carriage return.
	ProgressRedraw
	// ProgressLines prints whole lines, at most one per 10 % (per 10 s when the total is unknown).
	ProgressLines
	// ProgressNotebook replaces one output block of the cell, so that a saved notebook keeps only its last state;
	// carriage returns would pile up there, since nbconvert does not interpret them.
	ProgressNotebook
)

const (
	redrawEvery = 250 * time.Millisecond
	lineEvery   = 10 * time.Second // without a total
	lineShares  = 10               // with a total: one line per tenth
)

// ProgressOptions says where progress goes. The zero value is standard output in ProgressAuto.
type ProgressOptions struct {
	Writer io.Writer        // nil = os.Stdout
	Mode   ProgressMode     // how
	Now    func() time.Time // nil = time.Now
}

// Progress reports how far a long stage is: count, share, speed and the time left. Safe for concurrent use.
type Progress struct {
	mu      sync.Mutex
	o       ProgressOptions
	label   string
	total   int
	done    int
	start   time.Time
	drawn   time.Time // when the line was last written
	tenths  int       // tenths of the total already written as lines
	shown   int       // width of the line on the terminal
	ended   bool
	display string // id of the notebook's output block
	spark   spark
}

// NewProgress starts a stage of total items (0 or less = unknown) on standard output.
func NewProgress(label string, total int) *Progress { return ProgressOptions{}.Start(label, total) }

// Start starts a stage of total items (0 or less = unknown).
func (o ProgressOptions) Start(label string, total int) *Progress {
	if o.Writer == nil {
		o.Writer = os.Stdout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Mode == ProgressAuto {
		o.Mode = autoMode(o.Writer)
	}
	p := &Progress{o: o, label: Visible(label), total: max(total, 0)}
	if o.Mode == ProgressNotebook {
		p.display = "progress_" + gonbui.UniqueID()
	}
	p.start = o.Now()
	p.drawn = p.start
	if o.Mode != ProgressLines {
		p.write(p.line())
	}
	return p
}

func autoMode(w io.Writer) ProgressMode {
	f, ok := w.(*os.File)
	if !ok {
		return ProgressLines
	}
	if gonbui.IsNotebook && f == os.Stdout {
		if os.Getenv("ATTUNE_RUN_DIR") == "" && gonbui.Open() == nil {
			return ProgressNotebook
		}
		return ProgressLines
	}
	if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		return ProgressRedraw
	}
	return ProgressLines
}

// Add counts n more items as done.
func (p *Progress) Add(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reach(p.done + n)
}

// reach counts so many items as done, and draws if it is time to.
func (p *Progress) reach(done int) {
	if p.ended {
		return
	}
	p.done = done
	now := p.o.Now()
	switch {
	case p.o.Mode != ProgressLines:
		if now.Sub(p.drawn) < redrawEvery {
			return
		}
	case p.total > 0:
		tenths := p.done * lineShares / p.total
		if tenths <= p.tenths || p.done >= p.total { // the last line is Done's
			return
		}
		p.tenths = tenths
	case now.Sub(p.drawn) < lineEvery:
		return
	}
	p.drawn = now
	p.write(p.line())
}

// Done ends the stage and writes its last line: what was counted, how long it took and how fast it was. An
// incomplete count is shown as it is. Further calls do nothing.
func (p *Progress) Done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	p.ended = true
	elapsed := p.o.Now().Sub(p.start)
	p.write(fmt.Sprintf("%s: %s%s · %s%s", p.label, p.count(), p.speed(elapsed), short(elapsed), p.spark.line()))
	switch p.o.Mode {
	case ProgressRedraw:
		fmt.Fprintln(p.o.Writer)
	case ProgressNotebook:
		gonbui.Sync()
	}
}

// line describes a running stage.
func (p *Progress) line() string {
	elapsed := p.o.Now().Sub(p.start)
	s := fmt.Sprintf("%s: %s", p.label, p.count())
	if p.total > 0 {
		s += fmt.Sprintf(" (%d %%)", 100*p.done/p.total)
	}
	s += p.speed(elapsed)
	if p.done > 0 && p.done < p.total && elapsed > 0 {
		left := time.Duration(float64(elapsed) / float64(p.done) * float64(p.total-p.done))
		s += fmt.Sprintf(" · %s left", short(left))
	}
	return s + p.spark.line()
}

func (p *Progress) count() string {
	if p.total > 0 {
		return fmt.Sprintf("%d/%d", p.done, p.total)
	}
	return fmt.Sprint(p.done)
}

func (p *Progress) speed(elapsed time.Duration) string {
	if p.done == 0 || elapsed <= 0 {
		return ""
	}
	perSecond := float64(p.done) / elapsed.Seconds()
	switch {
	case perSecond >= 100:
		return fmt.Sprintf(" · %.0f/s", perSecond)
	case perSecond >= 1:
		return fmt.Sprintf(" · %.1f/s", perSecond)
	}
	return fmt.Sprintf(" · %.1f s each", 1/perSecond)
}

// write puts a line where the mode says. A failing writer loses progress lines, never the work they report.
func (p *Progress) write(line string) {
	switch p.o.Mode {
	case ProgressRedraw:
		n := utf8.RuneCountInString(line)
		fmt.Fprint(p.o.Writer, "\r", line, strings.Repeat(" ", max(p.shown-n, 0)))
		p.shown = n
	case ProgressNotebook:
		gonbui.UpdateHTML(p.display, "<pre>"+html.EscapeString(line)+"</pre>"+p.spark.figure(p.label, p.o.Now(), p.ended))
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

const (
	drawEvery = 2 * time.Second // of the curve in a notebook
	barCount  = 16              // bars of a sparkline
)

// spark is the history of a value while a stage ran, such as the loss over the steps: a sparkline in the stage's line, a curve under it in a notebook.
type spark struct {
	name   string
	text   string
	series Series
	png    string // as it was last drawn, an HTML image
	drawn  time.Time
}

// Point sets the number of items done, records a value at this point, such as the loss, and shows text, such as a speed; "" shows none. The stage's
// line ends in the value, its sparkline from the start to now, and the text; in a notebook that someone looks at the curve grows under the line. A
// stage records one value. Values that are not finite are left out.
func (p *Progress) Point(done int, name string, value float64, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := &p.spark
	c.name, c.text = Visible(name), Visible(text)
	if !math.IsNaN(value) && !math.IsInf(value, 0) {
		c.series.X, c.series.Y = append(c.series.X, float64(done)), append(c.series.Y, value)
	}
	p.reach(done)
}

// line is what the sparkline adds to the stage's line.
func (c *spark) line() string {
	s := ""
	if n := len(c.series.Y); n > 0 {
		s = fmt.Sprintf(" · %s %.4g", c.name, c.series.Y[n-1])
		if n > 1 {
			s += " " + sparkline(c.series.Y, barCount)
		}
	}
	if c.text != "" {
		s += " · " + c.text
	}
	return s
}

// figure is the curve as an HTML image, "" for fewer than two points. It is drawn anew at most every drawEvery, and at the end.
func (c *spark) figure(label string, now time.Time, last bool) string {
	if len(c.series.Y) < 2 {
		return ""
	}
	if c.png == "" || last || now.Sub(c.drawn) >= drawEvery {
		c.series.Name = c.name
		if png, err := (Curves{Series: []Series{c.series}, XLabel: label, YLabel: c.name}).PNG(); err == nil { // a picture less, not a run
			c.png, c.drawn = `<img alt="`+c.name+`" src="data:image/png;base64,`+base64.StdEncoding.EncodeToString(png)+`">`, now
		}
	}
	return c.png
}

// sparkline draws values in at most so many characters, each the mean of its share, from the lowest bar for the smallest to the highest for the largest.
func sparkline(values []float64, n int) string {
	n = min(n, len(values))
	means := make([]float64, n)
	low, high := math.Inf(1), math.Inf(-1)
	for i := range means {
		part := values[i*len(values)/n : (i+1)*len(values)/n]
		for _, v := range part {
			means[i] += v / float64(len(part))
		}
		low, high = min(low, means[i]), max(high, means[i])
	}
	var s strings.Builder
	levels := []rune("▁▂▃▄▅▆▇█")
	for _, m := range means {
		level := 0
		if high > low {
			level = int((m - low) / (high - low) * float64(len(levels)-1))
		}
		s.WriteRune(levels[level])
	}
	return s.String()
}
