package plot

import (
	"fmt"
	"image/color"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/image/font/sfnt"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/attune-lab/attune/pkg/report"
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

// niceStep is the step of 1, 2 or 5 times a power of ten that cuts a range into at most n parts.
func niceStep(span float64, n int) float64 {
	raw := span / float64(max(n, 1))
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 5} {
		if raw <= m*power*(1+1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// niceTicks are the multiples of a nice step inside [lo, hi], and their labels with as many decimals as the
// step needs.
func niceTicks(lo, hi float64, n int) ([]float64, []string) {
	step := niceStep(hi-lo, n)
	first := math.Ceil(lo/step - 1e-9)
	last := math.Floor(hi/step + 1e-9)
	var values []float64
	var labels []string
	for i := 0; i <= 2*n; i++ { // counted, because k+1 == k beyond 2^53
		k := first + float64(i)
		if !(k <= last) {
			break
		}
		values = append(values, k*step)
		labels = append(labels, tickLabel(k*step, step))
	}
	return values, labels
}

// tickLabel writes a tick with the decimals of its step, and in scientific notation outside 1e-4..1e6.
func tickLabel(v, step float64) string {
	var s string
	switch a := math.Abs(v); {
	case a < step/2:
		return "0"
	case a >= 1e6 || step < 1e-4:
		digits := max(int(math.Round(math.Floor(math.Log10(a))-math.Floor(math.Log10(step)))), 0)
		s = strconv.FormatFloat(v, 'e', digits, 64)
	default:
		s = strconv.FormatFloat(v, 'f', max(int(-math.Floor(math.Log10(step)+1e-9)), 0), 64)
	}
	return report.Minus(s)
}

// ticker gives gonum's axes the same ticks.
func ticker(n int) plot.Ticker {
	return plot.TickerFunc(func(lo, hi float64) []plot.Tick {
		values, labels := niceTicks(lo, hi, n)
		ticks := make([]plot.Tick, len(values))
		for i := range values {
			ticks[i] = plot.Tick{Value: values[i], Label: labels[i]}
		}
		return ticks
	})
}

// stride thins n labels that need `need` pixels each to what fits into `each` pixels per label: the smallest
// of 1, 2, 4, 5, 8, 10, 16, 20, 25, 32, 50, 64, 100, then doublings.
func stride(need, each float64) int {
	if each <= 0 {
		return math.MaxInt32
	}
	for _, s := range []int{1, 2, 4, 5, 8, 10, 16, 20, 25, 32, 50, 64, 100} {
		if float64(s)*each >= need {
			return s
		}
	}
	s := 200
	for float64(s)*each < need {
		s *= 2
	}
	return s
}

// span is the range of the finite values; ok is false without any.
func span(rows ...[]float64) (lo, hi float64, ok bool) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, row := range rows {
		for _, v := range row {
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				lo, hi = min(lo, v), max(hi, v)
			}
		}
	}
	return lo, hi, lo <= hi
}

// widen gives a range without extent one.
func widen(lo, hi float64) (float64, float64) {
	if hi-lo > 1e-12*max(math.Abs(lo), math.Abs(hi)) {
		return lo, hi
	}
	d := max(math.Abs(lo)*0.1, 0.5)
	return lo - d, hi + d
}

// Signs that stand for white space in a label. The embedded font has neither ↵ nor ␣.
const (
	newlineSign = '¶'
	tabSign     = '→'
	spaceSign   = '·'
)

// Visible returns a label as the embedded font can show it, with nothing invisible left: a newline is ¶, a
// tab →, leading and trailing spaces and SentencePiece's ▁ are ·, other control characters are \xHH, invalid
// UTF-8 bytes too, and a character without a glyph is its code point (U+4E2D). An empty string stays empty.
func Visible(label string) string {
	inner := strings.Trim(label, " ")
	lead := len(label) - len(strings.TrimLeft(label, " "))
	trail := len(label) - len(inner) - lead
	if inner == "" {
		lead, trail = len(label), 0
	}
	var b strings.Builder
	b.WriteString(strings.Repeat(string(spaceSign), lead))
	for i, r := range inner {
		switch {
		case r == '\n':
			b.WriteRune(newlineSign)
		case r == '\t':
			b.WriteRune(tabSign)
		case r == '▁':
			b.WriteRune(spaceSign)
		case r == utf8.RuneError && !strings.HasPrefix(inner[i:], string(utf8.RuneError)):
			fmt.Fprintf(&b, `\x%02X`, inner[i])
		case unicode.IsControl(r):
			fmt.Fprintf(&b, `\x%02X`, r)
		case r == '\u00a0':
			b.WriteRune(spaceSign)
		case !hasGlyph(r):
			fmt.Fprintf(&b, "U+%04X", r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteString(strings.Repeat(string(spaceSign), trail))
	return b.String()
}

// visibleAll is Visible for each label.
func visibleAll(labels []string) []string {
	out := make([]string, len(labels))
	for i, l := range labels {
		out[i] = Visible(l)
	}
	return out
}

// hasGlyph reports whether the regular sans face, in which labels are set, can draw the character.
func hasGlyph(r rune) bool {
	if unicode.In(r, unicode.Cf, unicode.Mn) {
		return false // a glyph of no width would be as invisible as none
	}
	face := fonts.Lookup(font.Font{Typeface: "Liberation", Variant: "Sans"}, 12)
	var buf sfnt.Buffer
	i, err := face.Face.GlyphIndex(&buf, r)
	return err == nil && i != 0
}
