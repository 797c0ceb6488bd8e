package plot

import (
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Reference is a dashed horizontal line with a name at its right end: chance level, a published number.
type Reference struct {
	Label string
	Y     float64
}

// newPlot is a gonum plot in this package's style.
func newPlot(xLabel, yLabel string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = color.Transparent
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.LineStyle = draw.LineStyle{Color: edge, Width: px(1)}
		a.Tick.LineStyle = draw.LineStyle{Color: edge, Width: px(1)}
		a.Tick.Length = px(4)
		a.Padding = px(2)
		a.Tick.Marker = ticker(7)
	}
	p.X.Label.Text, p.Y.Label.Text = Visible(xLabel), Visible(yLabel)
	p.X.Label.TextStyle = aligned(style(labelSize, ink), text.XCenter, text.YBottom)
	p.Y.Label.TextStyle = aligned(style(labelSize, ink), text.XCenter, text.YBottom) // gonum turns it
	p.X.Label.Padding, p.Y.Label.Padding = px(6), px(6)
	p.X.Tick.Label = aligned(style(tickSize, ink), text.XCenter, text.YTop)
	p.Y.Tick.Label = aligned(style(tickSize, ink), text.XRight, text.YCenter)
	return p
}

// gridLines draws a light line at each labelled tick of the y axis.
type gridLines struct{}

func (gridLines) Plot(c draw.Canvas, p *plot.Plot) {
	_, ty := p.Transforms(&c)
	for _, t := range p.Y.Tick.Marker.Ticks(p.Y.Min, p.Y.Max) {
		c.StrokeLine2(draw.LineStyle{Color: rule, Width: px(1)}, c.Min.X, ty(t.Value), c.Max.X, ty(t.Value))
	}
}

// references draws reference lines, their labels above the right end.
type references []Reference

func (rs references) Plot(c draw.Canvas, p *plot.Plot) {
	_, ty := p.Transforms(&c)
	sty := aligned(style(tickSize, muted), text.XRight, text.YBottom)
	line := draw.LineStyle{Color: muted, Width: px(1.2), Dashes: []vg.Length{px(5), px(4)}}
	for _, r := range rs {
		y := ty(r.Y)
		c.StrokeLine2(line, c.Min.X, y, c.Max.X, y)
		if r.Label == "" {
			continue
		}
		// On a plate, because bars and curves may run under the label.
		at := vg.Point{X: c.Max.X - px(6), Y: y + px(6)}
		box := sty.Rectangle(Visible(r.Label))
		x0, x1 := at.X+box.Min.X-px(4), at.X+box.Max.X+px(4)
		y0, y1 := at.Y+box.Min.Y-px(1), at.Y+box.Max.Y+px(1)
		c.FillPolygon(color.NRGBA{0xff, 0xff, 0xff, 0xd8}, []vg.Point{{X: x0, Y: y0}, {X: x1, Y: y0}, {X: x1, Y: y1}, {X: x0, Y: y1}})
		c.FillText(sty, at, Visible(r.Label))
	}
}

// values lists the references' positions, which the axis must cover.
func (rs references) values() []float64 {
	var ys []float64
	for _, r := range rs {
		ys = append(ys, r.Y)
	}
	return ys
}

// entry is one line of a legend: a swatch drawn by the figure, and a name.
type entry struct {
	name   string
	swatch func(c *canvas, x, y float64) // centred vertically on y, swatchWidth wide from x
}

const swatchWidth = 26.0

// legend sets the entries in rows below the title and returns the y below them. It never covers data.
func (c *canvas) legend(entries []entry, y float64) float64 {
	if len(entries) == 0 {
		return y
	}
	sty := aligned(style(tickSize+0.5, ink), text.XLeft, text.YCenter)
	const height, gap = 22.0, 22.0
	x := side
	for _, e := range entries {
		name := clip(sty, Visible(e.name), float64(c.size.Width)-2*side-swatchWidth-6)
		w := swatchWidth + 6 + width(sty, name)
		if x > side && x+w > float64(c.size.Width)-side {
			x, y = side, y+height
		}
		e.swatch(c, x, y+height/2+1)
		c.text(sty, x+swatchWidth+6, y+height/2, name)
		x += w + gap
	}
	return y + height + 8
}
