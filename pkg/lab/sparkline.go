package lab

import (
	"fmt"
	"math"
	"strings"

	"github.com/attune-lab/attune/pkg/report"
)

// barCount is how many bars a sparkline has.
const barCount = 16

// sparkline is a value over a stage, such as the loss over the steps, as a row of bars.
type sparkline struct {
	name, said string
	values     []float64
}

// point sets how many items are done, adds a value to the stage's sparkline, such as the loss at this step, and says what else there is to say now, such as a speed; "" says
// nothing. The stage's line shows both, the sparkline from its start to now. A stage has
// one sparkline. Values that are not finite are left out.
func (p *stage) point(done int, name string, value float64, say string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := &p.sparkline
	c.name, c.said = report.Clean(name), report.Clean(say)
	if !math.IsNaN(value) && !math.IsInf(value, 0) {
		c.values = append(c.values, value)
	}
	p.reach(done)
}

// line is the sparkline's part of the stage's line.
func (c *sparkline) line() string {
	s := ""
	if n := len(c.values); n > 0 {
		s = fmt.Sprintf(" · %s %.4g", c.name, c.values[n-1])
		if n > 1 {
			s += " " + bars(c.values, barCount)
		}
	}
	if c.said != "" {
		s += " · " + c.said
	}
	return s
}

// bars draws values in at most that many characters, each the mean of its share, from the lowest bar for the smallest to the highest for the largest.
func bars(values []float64, n int) string {
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
