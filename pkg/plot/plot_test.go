package plot_test

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/plot"
)

func decode(t *testing.T, b []byte) image.Image {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatalf("not a PNG: %v", err)
	}
	return img
}

// count returns how many pixels have exactly the colour.
func count(img image.Image, c color.Color) int {
	want := color.NRGBAModel.Convert(c)
	n := 0
	for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y++ {
		for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x++ {
			if color.NRGBAModel.Convert(img.At(x, y)) == want {
				n++
			}
		}
	}
	return n
}

// box is the smallest rectangle around the areas of exactly the colour; single pixels, such as those at the
// smoothed edges of letters, are no area.
func box(img image.Image, c color.Color) image.Rectangle {
	want := color.NRGBAModel.Convert(c)
	const side = 6
	area := func(x, y int) bool {
		for dy := range side {
			for dx := range side {
				if color.NRGBAModel.Convert(img.At(x+dx, y+dy)) != want {
					return false
				}
			}
		}
		return true
	}
	var r image.Rectangle
	for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y++ {
		for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x++ {
			if area(x, y) {
				r = r.Union(image.Rect(x, y, x+side, y+side))
			}
		}
	}
	return r
}

func TestEveryFigureDecodesAndIsDeterministic(t *testing.T) {
	for name, draw := range samples() {
		t.Run(name, func(t *testing.T) {
			a, err := draw()
			if err != nil {
				t.Fatal(err)
			}
			b, err := draw()
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(a, b) {
				t.Error("two calls with the same options gave different bytes")
			}
			if w := decode(t, a).Bounds().Dx(); w != 1800 {
				t.Errorf("width %d, want 900 logical pixels at scale 2", w)
			}
		})
	}
}

func TestSizeIsInLogicalPixels(t *testing.T) {
	for _, c := range []struct {
		size plot.Size
		w, h int
	}{
		{plot.Size{}, 1800, 1120},
		{plot.Size{Width: 400, Height: 300, Scale: 1}, 400, 300},
		{plot.Size{Width: 401, Height: 301, Scale: 3}, 1203, 903},
	} {
		b, err := plot.Curves{Size: c.size, Series: []plot.Series{{X: []float64{0, 1}, Y: []float64{1, 2}}}}.PNG()
		if err != nil {
			t.Fatal(err)
		}
		if got := decode(t, b).Bounds(); got.Dx() != c.w || got.Dy() != c.h {
			t.Errorf("%+v gave %dx%d, want %dx%d", c.size, got.Dx(), got.Dy(), c.w, c.h)
		}
		i := bytes.Index(b, []byte("pHYs"))
		if i < 0 {
			t.Fatal("no pHYs chunk: a page cannot know the logical size")
		}
	}
}

func TestHeatmapColoursAreThePalettesEnds(t *testing.T) {
	b, err := plot.Heatmap{Size: plot.Size{Width: 400, Height: 300, Scale: 1},
		Values: [][]float64{{0, 1}, {math.NaN(), 0.5}}}.PNG()
	if err != nil {
		t.Fatal(err)
	}
	img := decode(t, b)
	lo, hi := color.NRGBA{71, 1, 85, 255}, color.NRGBA{252, 231, 33, 255} // ends of the polynomial
	nan := color.NRGBA{255, 255, 255, 255}
	// A cell covers far more pixels than the line of the colour bar that may share its colour.
	for _, c := range []color.NRGBA{lo, hi} {
		if n := count(img, c); n < 2000 {
			t.Errorf("colour %v fills %d pixels, want a cell's worth", c, n)
		}
	}
	// Row 0 is at the top, column 0 on the left: the blank cell is below the low one.
	n, at := box(img, lo), func(x, y int) color.Color { return color.NRGBAModel.Convert(img.At(x, y)) }
	mid := image.Pt((n.Min.X+n.Max.X)/2, (n.Min.Y+n.Max.Y)/2)
	w, h := n.Dx()+1, n.Dy()+1
	if got := at(mid.X, mid.Y+h); got != nan {
		t.Errorf("cell (1, 0) is %v, want it blank", got)
	}
	if got := at(mid.X+w, mid.Y); got != hi {
		t.Errorf("cell (0, 1) is %v, want %v", got, hi)
	}
	if got := at(mid.X+w, mid.Y+h).(color.NRGBA); got.G < 120 || got.R > 60 || got == nan {
		t.Errorf("cell (1, 1) is %v, want the green middle of the palette", got)
	}
}

func TestHeatmapFixedRangeClampsAndMakesFiguresComparable(t *testing.T) {
	size := plot.Size{Width: 400, Height: 300, Scale: 1}
	hi := color.NRGBA{252, 231, 33, 255}
	fixed, err := plot.Heatmap{Size: size, Values: [][]float64{{0.1, 0.2}}, Min: 0, Max: 1}.PNG()
	if err != nil {
		t.Fatal(err)
	}
	if n := count(decode(t, fixed), hi); n > 100 {
		t.Errorf("with a fixed range 0.2 of 1 must not be the brightest colour, but %d pixels are", n)
	}
	over, err := plot.Heatmap{Size: size, Values: [][]float64{{0, 7, math.Inf(1)}}, Min: 0, Max: 1}.PNG()
	if err != nil {
		t.Fatal(err)
	}
	if n := count(decode(t, over), hi); n < 4000 {
		t.Errorf("values beyond the range fill %d pixels with the end colour, want two cells' worth", n)
	}
}

func TestDivergingIsNeutralAtZero(t *testing.T) {
	b, err := plot.Heatmap{Size: plot.Size{Width: 400, Height: 300, Scale: 1},
		Values: [][]float64{{-1, 0, 4}}, Palette: plot.Diverging}.PNG()
	if err != nil {
		t.Fatal(err)
	}
	img := decode(t, b)
	if n := count(img, color.NRGBA{221, 221, 221, 255}); n < 1000 {
		t.Errorf("%d neutral pixels: zero must be neutral even when the values are not centred", n)
	}
}

func TestHeatmapWithoutAnyNumberIsBlank(t *testing.T) {
	nan := math.NaN()
	b, err := plot.Heatmap{Values: [][]float64{{nan, nan}}}.PNG()
	if err != nil {
		t.Fatal(err)
	}
	if n := count(decode(t, b), color.NRGBA{71, 1, 85, 255}); n > 1000 {
		t.Errorf("%d pixels have the colour of the lowest value, want blank cells", n)
	}
}

func TestACausalMapLeavesTheFutureBlank(t *testing.T) {
	values := [][]float64{{1, 0, 0}, {0.5, 0.5, 0}, {0.2, 0.3, 0.5}}
	size := plot.Size{Width: 400, Height: 300, Scale: 1}
	lowest := func(causal bool) int {
		b, err := plot.Heatmap{Size: size, Values: values, Causal: causal, Min: 0, Max: 1}.PNG()
		if err != nil {
			t.Fatal(err)
		}
		return count(decode(t, b), color.NRGBA{71, 1, 85, 255})
	}
	if with, without := lowest(true), lowest(false); with > 200 || without < 5000 {
		t.Errorf("zeros fill %d pixels of a causal map, %d of another", with, without)
	}
	if values[0][1] != 0 {
		t.Error("the caller's values were changed")
	}
}

// Every label is a figure's own row of pixels that are not white, left of the cells.
func TestEveryRowHasItsLabel(t *testing.T) {
	for _, rows := range []int{3, 45, 64, 120} {
		values, names := make([][]float64, rows), make([]string, rows)
		for i := range values {
			values[i], names[i] = []float64{1, 2, 3}, "HHH"
		}
		b, err := plot.Heatmap{Values: values, RowLabels: names}.PNG()
		if err != nil {
			t.Fatal(err)
		}
		img := decode(t, b)
		lines, inked := 0, false
		for y := range img.Bounds().Dy() {
			ink := false
			for x := 32; x < 50; x++ { // inside the first letter
				r, _, _, _ := img.At(x, y).RGBA()
				ink = ink || r < 0x8000
			}
			if ink && !inked {
				lines++
			}
			inked = ink
		}
		if lines != rows {
			t.Errorf("%d rows have %d labels", rows, lines)
		}
	}
}

func TestAFigureWidensUntilEachTokenHasItsColumn(t *testing.T) {
	tokens := make([]string, 90)
	for i := range tokens {
		tokens[i] = "token"
	}
	b, err := plot.Heatmap{Values: [][]float64{make([]float64, 90)}, ColLabels: tokens}.PNG()
	if err != nil {
		t.Fatal(err)
	}
	if w := decode(t, b).Bounds().Dx() / 2; w < 90*14 || w > 1800 {
		t.Errorf("%d logical pixels for 90 tokens", w)
	}
}

func TestConstantValuesStillDraw(t *testing.T) {
	for _, v := range []float64{0, 1, -3, 1e300, 1e-300, 1e16} {
		if _, err := (plot.Heatmap{Values: [][]float64{{v, v}, {v, v}}}).PNG(); err != nil {
			t.Errorf("heat map of %v: %v", v, err)
		}
		if _, err := (plot.Curves{Series: []plot.Series{{X: []float64{v, v}, Y: []float64{v, v}}}}).PNG(); err != nil {
			t.Errorf("curve of %v: %v", v, err)
		}
		if _, err := (plot.Bars{Groups: []string{"a"}, Series: []plot.BarSeries{{Values: []float64{v}}}}).PNG(); err != nil {
			t.Errorf("bar of %v: %v", v, err)
		}
	}
}

func TestBarsReachTheirValuesFromTheZeroLine(t *testing.T) {
	b, err := plot.Bars{Size: plot.Size{Width: 400, Height: 400, Scale: 1}, YMin: -2, YMax: 2,
		Groups: []string{"up", "down"}, Series: []plot.BarSeries{{Values: []float64{2, -1}}}}.PNG()
	if err != nil {
		t.Fatal(err)
	}
	img := decode(t, b)
	blue := color.NRGBA{0x00, 0x72, 0xb2, 255}
	all := box(img, blue)
	down := box(img.(interface {
		SubImage(image.Rectangle) image.Image
	}).SubImage(image.Rect(all.Min.X+all.Dx()*3/4, 0, 400, 400)), blue)
	up := all.Dy() - down.Dy()
	if ratio := float64(up) / float64(down.Dy()); math.Abs(ratio-2) > 0.06 { // edges are one pixel each
		t.Errorf("the bars of 2 and -1 are %d and %d pixels high", up, down.Dy())
	}
}

func TestCurveBandAndGap(t *testing.T) {
	draw := func(s plot.Series) image.Image {
		b, err := plot.Curves{Size: plot.Size{Width: 400, Height: 300, Scale: 1}, YMin: 0, YMax: 4, Series: []plot.Series{s}}.PNG()
		if err != nil {
			t.Fatal(err)
		}
		return decode(t, b)
	}
	x := []float64{0, 1, 2, 3}
	blue := color.NRGBA{0x00, 0x72, 0xb2, 255}
	plain := count(draw(plot.Series{X: x, Y: []float64{2, 2, 2, 2}}), blue)
	gap := count(draw(plot.Series{X: x, Y: []float64{2, math.NaN(), 2, 2}}), blue)
	if gap > plain/2 {
		t.Errorf("a NaN leaves %d of %d pixels of a line: its two neighbouring segments must go", gap, plain)
	}
	img := draw(plot.Series{X: x, Y: []float64{2, 2, 2, 2}, Lo: []float64{1, 1, 1, 1}, Hi: []float64{3, 3, 3, 3}})
	tinted := 0
	for y := range 300 {
		c := color.NRGBAModel.Convert(img.At(250, y)).(color.NRGBA)
		if c.R > 150 && c.R < 240 && c.B > c.R {
			tinted++
		}
	}
	if tinted < 90 {
		t.Errorf("a band over half of the axis tints %d pixels of a column", tinted)
	}
}

func TestBadInputIsAnError(t *testing.T) {
	heat := func(o plot.Heatmap) error { _, err := o.PNG(); return err }
	curves := func(o plot.Curves) error { _, err := o.PNG(); return err }
	bars := func(o plot.Bars) error { _, err := o.PNG(); return err }
	one := [][]float64{{1}}
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"no values":        {heat(plot.Heatmap{Title: "x"}), `"x" has no values`},
		"no columns":       {heat(plot.Heatmap{Values: [][]float64{{}}}), "no values"},
		"not square":       {heat(plot.Heatmap{Values: [][]float64{{1, 2}}, Causal: true}), "a causal map is square"},
		"ragged":           {heat(plot.Heatmap{Values: [][]float64{{1, 2}, {3}}}), "row 1 has 1 values"},
		"row labels":       {heat(plot.Heatmap{Values: one, RowLabels: []string{"a", "b"}}), "2 row labels for 1 rows"},
		"column labels":    {heat(plot.Heatmap{Values: one, ColLabels: []string{"a", "b"}}), "2 column labels"},
		"range":            {heat(plot.Heatmap{Values: one, Min: 1, Max: 0}), "want Max > Min"},
		"palette":          {heat(plot.Heatmap{Values: one, Palette: 9}), "unknown palette 9"},
		"too many cells":   {heat(plot.Heatmap{Values: [][]float64{make([]float64, 5000)}}), "bin the values"},
		"too small":        {heat(plot.Heatmap{Size: plot.Size{Width: 20}, Values: one}), "size 20x"},
		"too large":        {heat(plot.Heatmap{Size: plot.Size{Width: 9000}, Values: one}), "at most 8000"},
		"negative":         {heat(plot.Heatmap{Size: plot.Size{Width: -5}, Values: one}), "size -5x"},
		"no series":        {curves(plot.Curves{}), "no series"},
		"lengths":          {curves(plot.Curves{Series: []plot.Series{{Name: "a", X: []float64{1}, Y: []float64{1, 2}}}}), `"a" has 1 x, 2 y`},
		"half a band":      {curves(plot.Curves{Series: []plot.Series{{X: []float64{1}, Y: []float64{1}, Lo: []float64{1}}}}), "1 lo and 0 hi"},
		"nothing finite":   {curves(plot.Curves{Series: []plot.Series{{X: []float64{1}, Y: []float64{math.NaN()}}}}), "no point"},
		"no groups":        {bars(plot.Bars{Series: []plot.BarSeries{{}}}), "0 groups"},
		"values per group": {bars(plot.Bars{Groups: []string{"a"}, Series: []plot.BarSeries{{Name: "s", Values: []float64{1, 2}}}}), "2 values"},
		"infinite bar":     {bars(plot.Bars{Groups: []string{"a"}, Series: []plot.BarSeries{{Values: []float64{math.Inf(1)}}}}), "infinite"},
		"axis without 0":   {bars(plot.Bars{Groups: []string{"a"}, Series: []plot.BarSeries{{Values: []float64{1}}}, YMin: 0.5, YMax: 2}), "leaves out 0"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%s: error %v, want one that says %q", name, c.err, c.want)
		}
	}
}
