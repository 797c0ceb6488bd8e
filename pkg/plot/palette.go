package plot

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot/palette"
	"gonum.org/v1/plot/palette/moreland"
)

// Palette chooses the colours of a heat map.
type Palette int

const (
	// Sequential runs from dark violet (low) over green to yellow (high): viridis. The zero value.
	Sequential Palette = iota
	// Diverging runs from blue over white to red and is centred on zero: for differences.
	Diverging
)

// blank fills cells without a value: it is the paper, which neither palette contains.
var blank = color.NRGBA{0xff, 0xff, 0xff, 0xff}

// colorMap returns the colour of a position t in [0, 1].
func (p Palette) colorMap() (func(t float64) color.NRGBA, error) {
	switch p {
	case Sequential:
		return viridis, nil
	case Diverging:
		return divergingMap(moreland.SmoothBlueRed()), nil
	}
	return nil, fmt.Errorf("plot: unknown palette %d: want plot.Sequential or plot.Diverging", int(p))
}

// viridisPoly holds, per power of t, the coefficients of red, green and blue of M. Zucker's polynomial fit of
// viridis (https://www.shadertoy.com/view/WlfXRN, public domain), exact to about two parts in a hundred.
var viridisPoly = [7][3]float64{
	{0.2777273272234177, 0.005407344544966578, 0.3340998053353061},
	{0.1050930431085774, 1.404613529898575, 1.384590162594685},
	{-0.3308618287255563, 0.214847559468213, 0.09509516302823659},
	{-4.634230498983486, -5.799100973351585, -19.33244095627987},
	{6.228269936347081, 14.17993336680509, 56.69055260068105},
	{4.776384997670288, -13.74514537774601, -65.35303263337234},
	{-5.435455855934631, 4.645852612178535, 26.3124352495832},
}

func viridis(t float64) color.NRGBA {
	t = min(max(t, 0), 1)
	var rgb [3]uint8
	for c := range rgb {
		v := 0.0
		for i := len(viridisPoly) - 1; i >= 0; i-- {
			v = v*t + viridisPoly[i][c]
		}
		rgb[c] = uint8(math.Round(255 * min(max(v, 0), 1)))
	}
	return color.NRGBA{rgb[0], rgb[1], rgb[2], 0xff}
}

func divergingMap(m palette.ColorMap) func(float64) color.NRGBA {
	m.SetMin(0)
	m.SetMax(1)
	return func(t float64) color.NRGBA {
		c, err := m.At(min(max(t, 0), 1))
		if err != nil { // only NaN is left, and callers do not ask for it
			return blank
		}
		return color.NRGBAModel.Convert(c).(color.NRGBA)
	}
}

// readable returns white or near-black, whichever contrasts more with the background (WCAG relative luminance).
func readable(background color.NRGBA) color.Color {
	linear := func(v uint8) float64 { return math.Pow(float64(v)/255, 2.2) }
	l := 0.2126*linear(background.R) + 0.7152*linear(background.G) + 0.0722*linear(background.B)
	if l > 0.18 {
		return ink
	}
	return color.White
}

// seriesColors are those of Okabe and Ito (2008), without the yellow that vanishes on white, and then of Tol's muted scheme.
var seriesColors = []color.NRGBA{
	{0x00, 0x72, 0xb2, 0xff}, // blue
	{0xd5, 0x5e, 0x00, 0xff}, // vermilion
	{0x00, 0x9e, 0x73, 0xff}, // bluish green
	{0xcc, 0x79, 0xa7, 0xff}, // reddish purple
	{0xe6, 0x9f, 0x00, 0xff}, // orange
	{0x56, 0xb4, 0xe9, 0xff}, // sky blue
	{0x55, 0x55, 0x55, 0xff}, // grey
	{0x88, 0x22, 0x55, 0xff}, // wine
	{0x44, 0xaa, 0x99, 0xff}, // teal
	{0x99, 0x99, 0x33, 0xff}, // olive
	{0x33, 0x22, 0x88, 0xff}, // indigo
}

// seriesColor is the colour of the i-th series; after eleven they repeat, with another dash.
func seriesColor(i int) color.NRGBA { return seriesColors[i%len(seriesColors)] }

func withAlpha(c color.NRGBA, alpha uint8) color.NRGBA {
	c.A = alpha
	return c
}
