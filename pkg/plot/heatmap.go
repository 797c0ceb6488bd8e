package plot

import (
	"fmt"
	"image"
	"image/color"
	stddraw "image/draw"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot/text"

	"github.com/attune-lab/attune/pkg/report"
)

// Heatmap is a heat map. Only Values is required.
type Heatmap struct {
	Size

	// Values is [rows, columns], row 0 at the top. NaN cells stay blank; infinities take the end colours.
	Values [][]float64
	// Causal leaves the cells above the diagonal blank: keys that a query cannot see are no zeros. Values must be square.
	Causal bool
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
	labelled    = 250             // rows up to which a figure grows so that each has its label
	rowHeight   = tickSize * 1.16 // of a labelled row
	maxWidth    = 1800            // up to which a figure widens so that each column has its token
)

// PNG draws a matrix as a PNG. Every cell covers the same whole number of device pixels, so a cell's
// colour is exact. Missing or ragged values, a wrong number of labels and more cells than pixels are errors.
func (o Heatmap) PNG() ([]byte, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.Causal {
		o.Values = past(o.Values)
	}
	colorOf, err := o.Palette.colorMap()
	if err != nil {
		return nil, err
	}
	lo, hi := o.scale()
	l := layOut(&o, lo, hi)
	size := o.Size
	size.Width = int(l.width)
	size, err = size.orDefault(l.height())
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
			return blank
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
	if o.Causal && rows != cols {
		return fmt.Errorf("plot: heat map %q: %d rows and %d columns: a causal map is square, queries by keys", o.Title, rows, cols)
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

// past is a copy of a square map whose entries above the diagonal are NaN.
func past(values [][]float64) [][]float64 {
	out := make([][]float64, len(values))
	for q, row := range values {
		out[q] = slices.Clone(row)
		for k := q + 1; k < len(row); k++ {
			out[q][k] = math.NaN()
		}
	}
	return out
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
	if math.IsNaN(v) {
		return "" // the cell is blank
	}
	if math.IsNaN(v) || math.IsInf(v, 0) || span >= 1e6 || span < 1e-4 {
		return report.Float(v)
	}
	decimals := max(1-int(math.Floor(math.Log10(span*0.999))), 0)
	return report.Minus(strconv.FormatFloat(v, 'f', decimals, 64))
}

// layout holds what a heat map needs around its cells, in logical pixels.
type layout struct {
	o                        *Heatmap
	width                    float64
	left, right, top, bottom float64
	rows, cols               []string
	rowSty, colSty           text.Style
	turned                   bool // column labels run upwards
	every                    int  // only every n-th column label is drawn
	ticks                    []float64
	tickLabels               []string
}

// layOut measures labels and decides the margins and how column labels are set.
func layOut(o *Heatmap, lo, hi float64) *layout {
	l := &layout{o: o, width: float64(o.Width), rowSty: style(tickSize, ink), colSty: style(tickSize, ink)}
	if o.Width == 0 {
		l.width = defaultWidth
	}
	limit := min(maxLabel, l.width/4)
	l.rows = clipAll(l.rowSty, labelsOr(o.RowLabels, len(o.Values)), limit)
	l.cols = clipAll(l.colSty, labelsOr(o.ColLabels, len(o.Values[0])), min(maxColLabel, limit))

	l.top = titleHeight(int(l.width), o.Title) + 2
	l.left = side + widest(l.rowSty, l.rows) + 8
	if o.YLabel != "" {
		l.left += labelSize * 1.5
	}
	l.setBar(lo, hi)
	l.right = barGap + barWidth + 8 + widest(l.rowSty, l.tickLabels) + side
	if o.ZLabel != "" {
		l.right += labelSize * 1.5
	}

	each := (l.width - l.left - l.right) / float64(len(l.cols))
	if o.Width == 0 && len(o.ColLabels) > 0 && !numbers(o.ColLabels) && each < rowHeight {
		l.width = min(math.Ceil(l.left+l.right+rowHeight*float64(len(l.cols))), maxWidth)
		each = (l.width - l.left - l.right) / float64(len(l.cols))
	}
	w := widest(l.colSty, l.cols) + 8
	l.bottom = 8 + tickSize*1.2
	switch {
	case w <= each:
		l.every = 1
	case len(o.ColLabels) == 0 || w < 3*tickSize && numbers(o.ColLabels):
		l.every = stride(w, each) // indices read well when thinned
	default:
		l.turned = true
		l.every = stride(tickSize*1.05, each)
		l.bottom = 8 + w
	}
	if o.XLabel != "" {
		l.bottom += labelSize * 1.6
	}
	l.bottom += 12
	return l
}

// setBar chooses the colour bar's ticks; an end that values exceed says so.
func (l *layout) setBar(lo, hi float64) {
	l.ticks, l.tickLabels = niceTicks(lo, hi, 6)
	vlo, vhi, ok := span(l.o.Values...)
	n := len(l.ticks)
	if !ok || n == 0 {
		return
	}
	if vlo < lo && l.ticks[0]-lo < 1e-9*(hi-lo) {
		l.tickLabels[0] = "≤ " + l.tickLabels[0]
	}
	if vhi > hi && hi-l.ticks[n-1] < 1e-9*(hi-lo) {
		l.tickLabels[n-1] = "≥ " + l.tickLabels[n-1]
	}
}

// height is the height a figure takes by itself: square cells, within what is legible and what fits a screen.
func (l *layout) height() int {
	rows := float64(len(l.rows))
	each := (l.width - l.left - l.right) / float64(len(l.cols))
	each = min(each, 40) // small maps stay small
	body := max(min(each*rows, cellLimit), 110)
	if rows <= labelled {
		body = max(body, rowHeight*rows)
	}
	return int(math.Ceil(l.top + body + l.bottom))
}

// cells fits whole device pixels per cell into what the margins leave.
func (l *layout) cells(size Size) (grid, error) {
	area := func(total, a, b float64) int { return int((total - a - b) * float64(size.Scale)) }
	w := area(float64(size.Width), l.left, l.right)
	h := area(float64(size.Height), l.top, l.bottom)
	rows, cols := len(l.rows), len(l.cols)
	if w < cols || h < rows {
		return grid{}, fmt.Errorf("plot: heat map %q: %d x %d cells do not fit into %d x %d pixels: "+
			"bin the values first or enlarge Width and Height (%d x %d at scale %d)",
			l.o.Title, rows, cols, max(h, 0), max(w, 0), size.Width, size.Height, size.Scale)
	}
	g := grid{w: w / cols, h: h / rows}
	origin := image.Pt(int(math.Round(l.left*float64(size.Scale))), int(math.Round(l.top*float64(size.Scale))))
	g.Rectangle = image.Rectangle{Min: origin, Max: origin.Add(image.Pt(g.w*cols, g.h*rows))}
	return g, nil
}

func (l *layout) drawLabels(c *canvas, g grid) {
	scale := float64(c.size.Scale)
	x0, y0 := float64(g.Min.X)/scale, float64(g.Min.Y)/scale
	x1, y1 := float64(g.Max.X)/scale, float64(g.Max.Y)/scale
	cw, ch := float64(g.w)/scale, float64(g.h)/scale

	rowSty := aligned(l.rowSty, text.XRight, text.YCenter)
	for i := 0; i < len(l.rows); i += stride(tickSize*1.05, ch) {
		c.text(rowSty, x0-6, y0+(float64(i)+0.5)*ch, l.rows[i])
	}
	colSty := aligned(l.colSty, text.XCenter, text.YTop)
	if l.turned {
		colSty = rotated(aligned(l.colSty, text.XRight, text.YCenter), math.Pi/2)
	}
	for j := 0; j < len(l.cols); j += l.every {
		c.text(colSty, x0+(float64(j)+0.5)*cw, y1+6, l.cols[j])
	}
	axis := style(labelSize, ink)
	if l.o.XLabel != "" {
		c.text(aligned(axis, text.XCenter, text.YTop), (x0+x1)/2, y1+l.bottom-labelSize*1.6-10, Visible(l.o.XLabel))
	}
	if l.o.YLabel != "" {
		c.text(rotated(aligned(axis, text.XCenter, text.YTop), math.Pi/2), side-4, (y0+y1)/2, Visible(l.o.YLabel))
	}
}

// drawBar draws the colour bar as high as the cells, with its numbers.
func (l *layout) drawBar(c *canvas, g grid, colorOf func(float64) color.NRGBA) {
	lo, hi := l.o.scale()
	scale := float64(c.size.Scale)
	x, top, bottom := float64(g.Max.X)/scale+barGap, float64(g.Min.Y)/scale, float64(g.Max.Y)/scale
	bar := c.device(x, top, x+barWidth, bottom)
	for y := bar.Min.Y; y < bar.Max.Y; y++ {
		t := 1 - (float64(y-bar.Min.Y)+0.5)/float64(bar.Dy())
		line := image.Rect(bar.Min.X, y, bar.Max.X, y+1)
		stddraw.Draw(c.img.Image(), line, image.NewUniform(colorOf(t)), image.Point{}, stddraw.Src)
	}
	c.frame(bar, edge)
	sty := aligned(style(tickSize, ink), text.XLeft, text.YCenter)
	for i, v := range l.ticks {
		y := bottom - (v-lo)/(hi-lo)*(bottom-top)
		tick := c.device(x+barWidth, y-0.5, x+barWidth+4, y+0.5)
		stddraw.Draw(c.img.Image(), tick, image.NewUniform(edge), image.Point{}, stddraw.Src)
		c.text(sty, x+barWidth+8, y, l.tickLabels[i])
	}
	if l.o.ZLabel != "" {
		sty := rotated(aligned(style(labelSize, ink), text.XCenter, text.YBottom), math.Pi/2)
		at := x + barWidth + 8 + widest(l.rowSty, l.tickLabels) + labelSize*1.5
		c.text(sty, at, (top+bottom)/2, Visible(l.o.ZLabel))
	}
}

// labelsOr returns the labels made visible, or the indices.
func labelsOr(labels []string, n int) []string {
	if len(labels) > 0 {
		return visibleAll(labels)
	}
	out := make([]string, n)
	for i := range out {
		out[i] = strconv.Itoa(i)
	}
	return out
}

func clipAll(sty text.Style, labels []string, limit float64) []string {
	for i, l := range labels {
		labels[i] = clip(sty, l, limit)
	}
	return labels
}

// numbers reports whether all labels are numbers: only those may be thinned without hiding what is between.
func numbers(labels []string) bool {
	for _, l := range labels {
		if _, err := strconv.ParseFloat(l, 64); err != nil {
			return false
		}
	}
	return true
}
