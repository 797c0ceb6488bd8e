package plot

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"math"
	"strings"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/font/liberation"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// Size is a figure's size. The zero value is 900 logical pixels wide, as high as the figure needs, drawn
// with 2 device pixels per logical pixel.
type Size struct {
	Width  int // logical pixels (1/96 inch); 0 = 900
	Height int // logical pixels; 0 = 560, and for a heat map what its rows need
	Scale  int // device pixels per logical pixel; 0 = 2
}

const (
	defaultWidth  = 900
	defaultHeight = 560
	defaultScale  = 2
	minSide       = 160  // below this not even the margins fit
	maxSide       = 8000 // a figure, not a poster: 8000 x 8000 at scale 1 is 256 MB of pixels
)

// orDefault fills in zeros; height is the figure's own default.
func (s Size) orDefault(height int) (Size, error) {
	if s.Width == 0 {
		s.Width = defaultWidth
	}
	if s.Height == 0 {
		s.Height = height
	}
	if s.Scale == 0 {
		s.Scale = defaultScale
	}
	w, h := s.Width*s.Scale, s.Height*s.Scale
	if s.Width < minSide || s.Height < minSide || s.Scale < 1 || s.Scale > 8 || w > maxSide || h > maxSide {
		return s, fmt.Errorf("plot: size %dx%d at scale %d: want sides of %d or more logical pixels, "+
			"a scale of 1 to 8 and at most %d device pixels a side", s.Width, s.Height, s.Scale, minSide, maxSide)
	}
	return s, nil
}

// Lengths inside this package are logical pixels from the top left corner, y downwards, as in an image;
// gonum's are points (3/4 of a logical pixel) from the bottom left corner.
const pointsPerPixel = 72.0 / 96.0

func px(v float64) vg.Length { return vg.Length(v * pointsPerPixel) }

// canvas is a white figure to draw on.
type canvas struct {
	size Size
	img  *vgimg.Canvas
	draw draw.Canvas
}

func newCanvas(size Size) *canvas {
	img := vgimg.NewWith(
		vgimg.UseWH(px(float64(size.Width)), px(float64(size.Height))),
		vgimg.UseDPI(96*size.Scale),
		vgimg.UseBackgroundColor(color.White),
	)
	return &canvas{size: size, img: img, draw: draw.New(img)}
}

// at converts a position to gonum's.
func (c *canvas) at(x, y float64) vg.Point {
	return vg.Point{X: px(x), Y: px(float64(c.size.Height) - y)}
}

// area is the part of the canvas between the given margins.
func (c *canvas) area(left, right, bottom, top float64) draw.Canvas {
	return draw.Crop(c.draw, px(left), -px(right), px(bottom), -px(top))
}

// text writes one line of text at x, y with the given style and returns nothing to lay out by: measure first.
func (c *canvas) text(sty text.Style, x, y float64, s string) {
	c.draw.FillText(sty, c.at(x, y), s)
}

// device is the rectangle of device pixels of a rectangle of logical ones.
func (c *canvas) device(x0, y0, x1, y1 float64) image.Rectangle {
	s := float64(c.size.Scale)
	return image.Rect(int(math.Round(x0*s)), int(math.Round(y0*s)), int(math.Round(x1*s)), int(math.Round(y1*s)))
}

// frame outlines a rectangle of device pixels from the outside, one logical pixel wide.
func (c *canvas) frame(r image.Rectangle, col color.Color) {
	img := c.img.Image()
	w := c.size.Scale
	for y := r.Min.Y - w; y < r.Max.Y+w; y++ {
		for x := r.Min.X - w; x < r.Max.X+w; x++ {
			if !image.Pt(x, y).In(r) {
				img.Set(x, y, col)
			}
		}
	}
}

// png encodes the figure and records its resolution, so that a page can show it at its logical size.
func (c *canvas) png() ([]byte, error) {
	b, err := encode(c.img.Image())
	if err != nil {
		return nil, fmt.Errorf("plot: encode PNG: %w", err)
	}
	return withResolution(b, 96*c.size.Scale), nil
}

// withResolution inserts a pHYs chunk (PNG specification, 11.3.5.3) after the header of an encoded PNG;
// image/png writes none.
func withResolution(encoded []byte, dpi int) []byte {
	const header = 8 + 4 + 4 + 13 + 4 // signature, then IHDR: length, type, data, checksum
	perMetre := uint32(math.Round(float64(dpi) / 0.0254))
	chunk := make([]byte, 0, 21)
	chunk = binary.BigEndian.AppendUint32(chunk, 9)
	chunk = append(chunk, "pHYs"...)
	chunk = binary.BigEndian.AppendUint32(chunk, perMetre)
	chunk = binary.BigEndian.AppendUint32(chunk, perMetre)
	chunk = append(chunk, 1) // the unit is the metre
	chunk = binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(chunk[4:]))
	out := make([]byte, 0, len(encoded)+len(chunk))
	out = append(out, encoded[:header]...)
	out = append(out, chunk...)
	return append(out, encoded[header:]...)
}

var (
	ink   = color.NRGBA{0x22, 0x22, 0x22, 0xff} // text
	muted = color.NRGBA{0x66, 0x66, 0x66, 0xff} // ticks and secondary text
	rule  = color.NRGBA{0xdd, 0xdd, 0xdd, 0xff} // grid lines
	edge  = color.NRGBA{0x99, 0x99, 0x99, 0xff} // axis lines and frames
)

var fonts = font.NewCache(liberation.Collection())

const (
	titleSize = 17.0 // logical pixels, as are the next two
	labelSize = 14.0
	tickSize  = 12.5
)

// style is Liberation Sans of the given size in logical pixels.
func style(size float64, col color.Color) text.Style {
	return text.Style{
		Color:   col,
		Font:    font.Font{Typeface: "Liberation", Variant: "Sans", Size: px(size)},
		Handler: text.Plain{Fonts: fonts},
	}
}

func bold(s text.Style) text.Style {
	s.Font.Weight = xfont.WeightBold
	return s
}

func aligned(s text.Style, x text.XAlignment, y text.YAlignment) text.Style {
	s.XAlign, s.YAlign = x, y
	return s
}

func rotated(s text.Style, angle float64) text.Style {
	s.Rotation = angle
	return s
}

// width measures a line of text in logical pixels.
func width(s text.Style, line string) float64 { return float64(s.Width(line)) / pointsPerPixel }

// widest is the width of the widest of the lines.
func widest(s text.Style, lines []string) float64 {
	var w float64
	for _, l := range lines {
		w = max(w, width(s, l))
	}
	return w
}

// wrap breaks a text at spaces into lines no wider than limit; a single word may be wider.
func wrap(s text.Style, txt string, limit float64) []string {
	var lines []string
	for _, word := range strings.Fields(txt) {
		if n := len(lines); n > 0 && width(s, lines[n-1]+" "+word) <= limit {
			lines[n-1] += " " + word
			continue
		}
		lines = append(lines, word)
	}
	return lines
}

// clip shortens a line with an ellipsis until it is no wider than limit.
func clip(s text.Style, line string, limit float64) string {
	if width(s, line) <= limit {
		return line
	}
	r := []rune(line)
	for len(r) > 1 && width(s, string(r)+"…") > limit {
		r = r[:len(r)-1]
	}
	return string(r) + "…"
}

// title draws the title, wrapped, at the top left and returns the y below it.
func (c *canvas) title(txt string) float64 {
	sty := bold(style(titleSize, ink))
	y := 16.0
	for _, line := range wrap(sty, Visible(txt), float64(c.size.Width)-2*side) {
		c.text(aligned(sty, text.XLeft, text.YTop), side, y, line)
		y += titleSize * 1.3
	}
	if y > 16 {
		y += 8
	}
	return y
}

// titleHeight is what title will return, to size a figure before it exists.
func titleHeight(width int, txt string) float64 {
	lines := wrap(bold(style(titleSize, ink)), Visible(txt), float64(width)-2*side)
	if len(lines) == 0 {
		return 16
	}
	return 24 + float64(len(lines))*titleSize*1.3
}

// side is the margin at the figure's left and right edge.
const side = 16.0
