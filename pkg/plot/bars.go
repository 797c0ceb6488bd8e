package plot

import (
	"fmt"
	"image"
	stddraw "image/draw"
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/attune-lab/attune/pkg/report"
)

// BarSeries is one bar in every group: one arm over all task groups, say. NaN leaves a gap.
type BarSeries struct {
	Name   string
	Values []float64 // one per group
	// Lo and Hi are the ends of each value's 95 % interval (not distances from it); both nil = no error bars,
	// NaN in either = none for that bar.
	Lo, Hi []float64
	// Labels are written over the bars instead of the values; nil = the values if ShowValues is set.
	Labels []string
}

// Bars is a figure of bars. Groups and Series are required.
type Bars struct {
	Size
	Groups     []string // names under the bars
	Series     []BarSeries
	Title      string
	XLabel     string
	YLabel     string
	References []Reference // dashed horizontal lines, e.g. chance level
	ShowValues bool        // write each value over its bar

	// YMin and YMax fix the y axis when YMax > YMin; it must then contain 0. Otherwise it spans 0 and the data.
	YMin, YMax float64
}

// PNG draws groups of bars from a zero line, with 95 % intervals as error bars, as a PNG. One series is one
// colour without a legend. No groups, no series and slices of unequal length are errors.
func (o Bars) PNG() ([]byte, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	size, err := o.Size.orDefault(defaultHeight)
	if err != nil {
		return nil, err
	}
	p := newPlot(o.XLabel, o.YLabel)
	p.X.Min, p.X.Max = -0.5, float64(len(o.Groups))-0.5
	o.setRange(p)
	o.setGroups(p, float64(size.Width))
	p.X.Tick.Length = 0
	p.X.Padding = px(5)     // between the lowest bar and the names
	p.X.LineStyle.Width = 0 // the zero line is the axis
	p.Add(gridLines{}, bars{&o}, references(o.References))

	c := newCanvas(size)
	top := c.title(o.Title)
	if len(o.Series) > 1 {
		top = c.legend(o.legend(), top)
	}
	p.Draw(c.area(side, side, 12, top+4))
	return c.png()
}

func (o *Bars) check() error {
	if len(o.Groups) == 0 || len(o.Series) == 0 {
		return fmt.Errorf("plot: bars %q have %d groups and %d series: want at least one of each",
			o.Title, len(o.Groups), len(o.Series))
	}
	n := len(o.Groups)
	for _, s := range o.Series {
		ok := len(s.Values) == n && (s.Labels == nil || len(s.Labels) == n)
		if s.Lo != nil || s.Hi != nil {
			ok = ok && len(s.Lo) == n && len(s.Hi) == n
		}
		if !ok {
			return fmt.Errorf("plot: bars %q: series %q has %d values, %d lo, %d hi and %d labels for %d groups: "+
				"want one of each per group (lo and hi, and labels, may be nil)",
				o.Title, s.Name, len(s.Values), len(s.Lo), len(s.Hi), len(s.Labels), n)
		}
		for i, v := range s.Values {
			if math.IsInf(v, 0) {
				return fmt.Errorf("plot: bars %q: series %q, group %q: the value is infinite", o.Title, s.Name, o.Groups[i])
			}
		}
	}
	if o.YMax > o.YMin && (o.YMin > 0 || o.YMax < 0) {
		return fmt.Errorf("plot: bars %q: the y axis [%v, %v] leaves out 0, where bars begin", o.Title, o.YMin, o.YMax)
	}
	return nil
}

func (o *Bars) setRange(p *plot.Plot) {
	if o.YMax > o.YMin {
		p.Y.Min, p.Y.Max = o.YMin, o.YMax
		return
	}
	rows := [][]float64{{0}, references(o.References).values()}
	for _, s := range o.Series {
		rows = append(rows, s.Values, s.Lo, s.Hi)
	}
	lo, hi, _ := span(rows...)
	lo, hi = widen(lo, hi)
	room := 0.04 * (hi - lo)
	if o.labelled() {
		room = 0.09 * (hi - lo)
	}
	if hi > 0 {
		hi += room
	}
	if lo < 0 {
		lo -= room
	}
	p.Y.Min, p.Y.Max = lo, hi
}

func (o *Bars) labelled() bool {
	for _, s := range o.Series {
		if s.Labels != nil {
			return true
		}
	}
	return o.ShowValues
}

// setGroups puts the groups' names under them: wrapped at spaces, and upright where they still do not fit.
func (o *Bars) setGroups(p *plot.Plot, total float64) {
	sty := style(tickSize, ink)
	each := (total - 90) / float64(len(o.Groups))
	ticks := make(plot.ConstantTicks, len(o.Groups))
	fits := true
	for i, g := range o.Groups {
		lines := wrap(sty, Visible(g), each-8)
		fits = fits && widest(sty, lines) <= each-4
		ticks[i] = plot.Tick{Value: float64(i), Label: strings.Join(lines, "\n")}
	}
	if !fits {
		for i, g := range o.Groups {
			ticks[i].Label = clip(sty, Visible(g), maxLabel)
		}
		p.X.Tick.Label = rotated(aligned(sty, text.XRight, text.YCenter), math.Pi/2)
	}
	p.X.Tick.Marker = ticks
}

func (o *Bars) legend() []entry {
	var entries []entry
	for i, s := range o.Series {
		entries = append(entries, entry{s.Name, func(c *canvas, x, y float64) {
			r := c.device(x+swatchWidth-14, y-7, x+swatchWidth, y+7)
			stddraw.Draw(c.img.Image(), r, image.NewUniform(seriesColor(i)), image.Point{}, stddraw.Src)
		}})
	}
	return entries
}

// bars draws every bar, its error bar and its label, and the zero line over them.
type bars struct{ *Bars }

func (b bars) Plot(c draw.Canvas, p *plot.Plot) {
	tx, ty := p.Transforms(&c)
	n := float64(len(b.Series))
	share := min(0.8, 0.4+0.12*n) / n // of a group's width, per bar
	for k, s := range b.Series {
		for g, v := range s.Values {
			if math.IsNaN(v) {
				continue
			}
			mid := float64(g) + (float64(k)-(n-1)/2)*share
			x0, x1 := tx(mid-share*0.46), tx(mid+share*0.46)
			c.FillPolygon(seriesColor(k), c.ClipPolygonY([]vg.Point{
				{X: x0, Y: ty(0)}, {X: x1, Y: ty(0)}, {X: x1, Y: ty(v)}, {X: x0, Y: ty(v)}}))
			far := v
			if s.Lo != nil && !math.IsNaN(s.Lo[g]+s.Hi[g]) {
				b.whisker(c, tx(mid), ty(s.Lo[g]), ty(s.Hi[g]), min((x1-x0)/4, px(7)))
				far = s.Hi[g]
				if v < 0 {
					far = s.Lo[g]
				}
			}
			b.label(c, s, g, tx(mid), ty(far))
		}
	}
	c.StrokeLine2(draw.LineStyle{Color: ink, Width: px(1.2)}, c.Min.X, ty(0), c.Max.X, ty(0))
}

func (b bars) whisker(c draw.Canvas, x, lo, hi, half vg.Length) {
	c.StrokeLines(draw.LineStyle{Color: ink, Width: px(1.4)}, c.ClipLinesY(
		[]vg.Point{{X: x, Y: lo}, {X: x, Y: hi}},
		[]vg.Point{{X: x - half, Y: lo}, {X: x + half, Y: lo}},
		[]vg.Point{{X: x - half, Y: hi}, {X: x + half, Y: hi}})...)
}

// label writes over a bar, or under one that points down.
func (b bars) label(c draw.Canvas, s BarSeries, g int, x, y vg.Length) {
	txt := ""
	switch {
	case s.Labels != nil:
		txt = Visible(s.Labels[g])
	case b.ShowValues:
		txt = report.Float(s.Values[g])
	}
	sty := aligned(style(tickSize, ink), text.XCenter, text.YBottom)
	at := y + px(4)
	if s.Values[g] < 0 {
		sty.YAlign, at = text.YTop, y-px(4)
	}
	c.FillText(sty, vg.Point{X: x, Y: at}, txt)
}
