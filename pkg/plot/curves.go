package plot

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Series is one curve. NaN in Y interrupts it.
type Series struct {
	Name string
	X, Y []float64
	// Lo and Hi bound a band around the curve (a 95 % interval); both nil = none.
	Lo, Hi []float64
}

// Curves is a figure of curves. Only Series is required.
type Curves struct {
	Size
	Series     []Series
	Title      string
	XLabel     string
	YLabel     string
	References []Reference // dashed horizontal lines, e.g. chance level

	// YMin and YMax fix the y axis when YMax > YMin; otherwise it spans the data, bands and references.
	YMin, YMax float64
}

// markersUpTo is the number of points up to which each one gets a dot: beyond it dots hide the curve.
const markersUpTo = 40

// PNG draws curves over numeric x as a PNG, with a legend when there are several.
// No series, a series without a finite point and slices of unequal length are errors.
func (o Curves) PNG() ([]byte, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	size, err := o.Size.orDefault(defaultHeight)
	if err != nil {
		return nil, err
	}
	p := newPlot(o.XLabel, o.YLabel)
	o.setRange(p)
	p.Add(gridLines{})
	for i, s := range o.Series {
		p.Add(curveBand{s, seriesColor(i)})
	}
	p.Add(references(o.References))
	for i, s := range o.Series {
		p.Add(curveLine{s, curveStyle(i)})
	}
	c := newCanvas(size)
	top := c.title(o.Title)
	if len(o.Series) > 1 {
		top = c.legend(o.legend(), top)
	}
	p.Draw(c.area(side, side+8, 12, top+4))
	return c.png()
}

func (o *Curves) check() error {
	if len(o.Series) == 0 {
		return fmt.Errorf("plot: curves %q have no series: want at least one", o.Title)
	}
	for _, s := range o.Series {
		if len(s.X) != len(s.Y) || (s.Lo != nil || s.Hi != nil) && (len(s.Lo) != len(s.X) || len(s.Hi) != len(s.X)) {
			return fmt.Errorf("plot: curves %q: series %q has %d x, %d y, %d lo and %d hi values: want equally many "+
				"(lo and hi may both be nil)", o.Title, s.Name, len(s.X), len(s.Y), len(s.Lo), len(s.Hi))
		}
		if len(s.segments()) == 0 {
			return fmt.Errorf("plot: curves %q: series %q has no point with finite x and y", o.Title, s.Name)
		}
	}
	return nil
}

func (o *Curves) setRange(p *plot.Plot) {
	var xs, ys [][]float64
	for _, s := range o.Series {
		xs = append(xs, s.X)
		ys = append(ys, s.Y, s.Lo, s.Hi)
	}
	xlo, xhi, _ := span(xs...)
	p.X.Min, p.X.Max = widen(xlo, xhi)
	if o.YMax > o.YMin {
		p.Y.Min, p.Y.Max = o.YMin, o.YMax
		return
	}
	ylo, yhi, _ := span(append(ys, references(o.References).values())...)
	ylo, yhi = widen(ylo, yhi)
	room := 0.04 * (yhi - ylo)
	p.Y.Min, p.Y.Max = ylo-room, yhi+room
	if ylo >= 0 && p.Y.Min < 0 {
		p.Y.Min = 0 // a share or a loss does not get a negative axis
	}
}

func (o *Curves) legend() []entry {
	var entries []entry
	for i, s := range o.Series {
		sty := curveStyle(i)
		entries = append(entries, entry{s.Name, func(c *canvas, x, y float64) {
			c.draw.StrokeLines(sty, []vg.Point{c.at(x, y), c.at(x+swatchWidth, y)})
		}})
	}
	return entries
}

func curveStyle(i int) draw.LineStyle {
	sty := draw.LineStyle{Color: seriesColor(i), Width: px(2)}
	if i >= len(seriesColors) {
		sty.Dashes = []vg.Length{px(7), px(4)}
	}
	return sty
}

// segments splits the series at its gaps into runs of indices of finite points.
func (s *Series) segments() [][]int {
	var runs [][]int
	open := false
	for i := range s.X {
		if math.IsNaN(s.X[i]+s.Y[i]) || math.IsInf(s.X[i], 0) || math.IsInf(s.Y[i], 0) {
			open = false
			continue
		}
		if !open {
			runs, open = append(runs, nil), true
		}
		runs[len(runs)-1] = append(runs[len(runs)-1], i)
	}
	return runs
}

type curveLine struct {
	Series
	sty draw.LineStyle
}

func (l curveLine) Plot(c draw.Canvas, p *plot.Plot) {
	tx, ty := p.Transforms(&c)
	dot := draw.GlyphStyle{Color: l.sty.Color, Radius: px(3), Shape: draw.CircleGlyph{}}
	for _, run := range l.segments() {
		pts := make([]vg.Point, len(run))
		for k, i := range run {
			pts[k] = vg.Point{X: tx(l.X[i]), Y: ty(l.Y[i])}
		}
		c.StrokeLines(l.sty, c.ClipLinesXY(pts)...)
		if len(l.X) <= markersUpTo || len(run) == 1 {
			for _, pt := range pts {
				c.DrawGlyph(dot, pt)
			}
		}
	}
}

type curveBand struct {
	Series
	color color.NRGBA
}

func (b curveBand) Plot(c draw.Canvas, p *plot.Plot) {
	if b.Lo == nil {
		return
	}
	tx, ty := p.Transforms(&c)
	band := Series{X: b.X, Y: make([]float64, len(b.X))}
	for i := range b.X {
		band.Y[i] = b.Y[i] + b.Lo[i] + b.Hi[i] // finite only where all three are
	}
	for _, run := range band.segments() {
		var up, down []vg.Point
		for _, i := range run {
			up = append(up, vg.Point{X: tx(b.X[i]), Y: ty(b.Hi[i])})
			down = append([]vg.Point{{X: tx(b.X[i]), Y: ty(b.Lo[i])}}, down...)
		}
		c.FillPolygon(withAlpha(b.color, 0x30), c.ClipPolygonXY(append(up, down...)))
	}
}
