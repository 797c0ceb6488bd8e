package plot

import (
	"fmt"
	"image"
	"image/color"
	stddraw "image/draw"
	"math"
	"strconv"

	"gonum.org/v1/plot/text"

	"github.com/attune-lab/attune/pkg/report"
)

// Heatmap is a heat map. Only Values is required.
type Heatmap struct {
	Size

	// Values is [rows, columns], row 0 at the top. NaN cells are drawn grey; infinities take the end colours.
	Values [][]float64
	// RowLabels and ColLabels name the rows and columns; empty = their indices. They may be tokens: see Visible.
	RowLabels, ColLabels []string

	Title  string
	XLabel string // below the columns
	YLabel string // left of the rows
	ZLabel string // beside the colour bar: what a value is, with its unit

	// Min and Max fix the range of the colours when Max > Min, so that two figures compare; values outside take
	// the end colours. Otherwise the range is that of the finite values (symmetric about 0 for Diverging).
	Min, Max float64
	// Palette is Sequential by default.
	Palette Palette
	// Annotate writes the value into every cell if the cells are large enough for it.
	Annotate bool
}

const (
	barWidth    = 16.0  // the colour bar
	barGap      = 22.0  // between cells and colour bar
	maxLabel    = 170.0 // a row's label
	maxColLabel = 110.0
	gapFrom     = 10.0 // cells at least this large are set apart by a thin white line
	cellLimit   = 640.0
)

// PNG draws a matrix as a PNG. Every cell covers the same whole number of device pixels, so a cell's
// colour is exact. Missing or ragged values, a wrong number of labels and more cells than pixels are errors.
func (o Heatmap) PNG() ([]byte, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	colorOf, err := o.Palette.colorMap()
	if err != nil {
		return nil, err
	}
	lo, hi := o.scale()
	l := layOut(&o, lo, hi)
	size, err := o.Size.orDefault(l.height())
	if err != nil {
		return nil, err
	}
	cells, err := l.cells(size)
	if err != nil {
		return nil, err
	}
	c := newCanvas(size)
	c.title(o.Title)
	norm := func(v float64) color.NRGBA {
		if math.IsNaN(v) {
			return nanColor
		}
		return colorOf((v - lo) / (hi - lo))
	}
	c.drawCells(o.Values, cells, norm)
	if o.Annotate {
		c.annotate(o.Values, cells, hi-lo, norm)
	}
	l.drawLabels(c, cells)
	l.drawBar(c, cells, colorOf)
	return c.png()
}

func (o *Heatmap) check() error {
	rows := len(o.Values)
	if rows == 0 || len(o.Values[0]) == 0 {
		return fmt.Errorf("plot: heat map %q has no values: want at least one row and one column", o.Title)
	}
	cols := len(o.Values[0])
	for i, row := range o.Values {
		if len(row) != cols {
			return fmt.Errorf("plot: heat map %q: row %d has %d values, row 0 has %d: rows must be equally long",
				o.Title, i, len(row), cols)
		}
	}
	if n := len(o.RowLabels); n != 0 && n != rows {
		return fmt.Errorf("plot: heat map %q: %d row labels for %d rows", o.Title, n, rows)
	}
	if n := len(o.ColLabels); n != 0 && n != cols {
		return fmt.Errorf("plot: heat map %q: %d column labels for %d columns", o.Title, n, cols)
	}
	if math.IsNaN(o.Min-o.Max) || math.IsInf(o.Min-o.Max, 0) || o.Max < o.Min {
		return fmt.Errorf("plot: heat map %q: range [%v, %v]: want Max > Min, or both 0 for the range of the values",
			o.Title, o.Min, o.Max)
	}
	return nil
}

// scale is the range the colours span.
func (o *Heatmap) scale() (lo, hi float64) {
	if o.Max > o.Min {
		return o.Min, o.Max
	}
	lo, hi, ok := span(o.Values...)
	if !ok {
		return 0, 1 // nothing but NaN
	}
	if o.Palette == Diverging {
		m := max(math.Abs(lo), math.Abs(hi))
		if m == 0 {
			m = 1
		}
		return -m, m
	}
	return widen(lo, hi)
}

// grid is where the cells are, in device pixels: each is w x h, the first at Min.
type grid struct {
	image.Rectangle
	w, h int
}

func (g grid) cell(row, col int) image.Rectangle {
	p := g.Min.Add(image.Pt(col*g.w, row*g.h))
	return image.Rectangle{Min: p, Max: p.Add(image.Pt(g.w, g.h))}
}

func (c *canvas) drawCells(values [][]float64, g grid, colorOf func(float64) color.NRGBA) {
	gap := 0
	if float64(min(g.w, g.h)) >= gapFrom*float64(c.size.Scale) {
		gap = c.size.Scale / 2
	}
	for i, row := range values {
		for j, v := range row {
			r := g.cell(i, j)
			r.Max = r.Max.Sub(image.Pt(gap, gap))
			stddraw.Draw(c.img.Image(), r, image.NewUniform(colorOf(v)), image.Point{}, stddraw.Src)
		}
	}
	c.frame(g.Rectangle, edge)
}

// annotate writes values into cells that are large enough for all of them; otherwise colour has to do.
func (c *canvas) annotate(values [][]float64, g grid, span float64, colorOf func(float64) color.NRGBA) {
	scale := float64(c.size.Scale)
	sty := aligned(style(tickSize, ink), text.XCenter, text.YCenter)
	for _, row := range values {
		for _, v := range row {
			if width(sty, annotation(v, span))+6 > float64(g.w)/scale || tickSize+4 > float64(g.h)/scale {
				return
			}
		}
	}
	for i, row := range values {
		for j, v := range row {
			sty.Color = readable(colorOf(v))
			r := g.cell(i, j)
			c.text(sty, float64(r.Min.X+r.Max.X)/2/scale, float64(r.Min.Y+r.Max.Y)/2/scale, annotation(v, span))
		}
	}
}

// annotation writes a value with two significant digits of the colours' span: what two cells differ by.
func annotation(v, span float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) || span >= 1e6 || span < 1e-4 {
		return report.Float(v)
	}
	decimals := max(1-int(math.Floor(math.Log10(span*0.999))), 0)
	return report.Minus(strconv.FormatFloat(v, 'f', decimals, 64))
}
