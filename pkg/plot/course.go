package plot

import (
	"encoding/base64"
	"fmt"
	"math"
	"strings"
	"time"
)

const (
	drawEvery = 2 * time.Second // of the curve in a notebook
	barCount  = 16              // bars of a course in a line
)

// course is how a value went while a stage ran: a loss over the steps.
type course struct {
	name   string
	said   string
	series Series
	png    string // as it was last drawn, an HTML image
	drawn  time.Time
}

// Point counts so many items as done, adds a value to the stage's course, such as the loss at this step, and says what else there is to say now, such as a speed; "" says
// nothing. The stage's line shows both, the course as a row of bars from its start to now; in a notebook that someone looks at the curve grows under the line. A stage has
// one course. Values that are not finite are left out.
func (p *Progress) Point(done int, name string, value float64, say string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := &p.course
	c.name, c.said = Visible(name), Visible(say)
	if !math.IsNaN(value) && !math.IsInf(value, 0) {
		c.series.X, c.series.Y = append(c.series.X, float64(done)), append(c.series.Y, value)
	}
	p.reach(done)
}

// line is the course's part of the stage's line.
func (c *course) line() string {
	s := ""
	if n := len(c.series.Y); n > 0 {
		s = fmt.Sprintf(" · %s %.4g", c.name, c.series.Y[n-1])
		if n > 1 {
			s += " " + sparkline(c.series.Y, barCount)
		}
	}
	if c.said != "" {
		s += " · " + c.said
	}
	return s
}

// figure is the course as a curve, "" for one of fewer than two points. It is drawn anew at most every drawEvery, and at the end.
func (c *course) figure(label string, now time.Time, last bool) string {
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
