package plot

import (
	"fmt"
	"image"
	"image/color"
	stddraw "image/draw"
	"math"
	"strconv"

	"gonum.org/v1/plot/text"
)

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
	each = min(max(each, tickSize*1.15), 40) // every row labelled if possible; small maps stay small
	body := max(min(each*rows, cellLimit), 110)
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
