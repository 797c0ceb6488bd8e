package plot

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"testing"
)

func TestEncodeKeepsFewColoursAndRoundsMany(t *testing.T) {
	few, many := image.NewNRGBA(image.Rect(0, 0, 64, 64)), image.NewNRGBA(image.Rect(0, 0, 64, 64))
	for y := range 64 {
		for x := range 64 {
			few.SetNRGBA(x, y, color.NRGBA{uint8(x), 7, 200, 255})
			many.SetNRGBA(x, y, color.NRGBA{uint8(4 * x), uint8(4*x) + uint8(y%8), 128, 255}) // 512 colours along a ramp, as a heat map has them
		}
	}
	for name, c := range map[string]struct {
		img  image.Image
		most int
	}{"few": {few, 0}, "many": {many, 8}} {
		b, err := encode(c.img)
		if err != nil {
			t.Fatal(err)
		}
		back, err := png.Decode(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		worst := 0
		for y := range 64 {
			for x := range 64 {
				p, q := color.NRGBAModel.Convert(c.img.At(x, y)).(color.NRGBA), color.NRGBAModel.Convert(back.At(x, y)).(color.NRGBA)
				for _, d := range []int{int(p.R) - int(q.R), int(p.G) - int(q.G), int(p.B) - int(q.B)} {
					worst = max(worst, d, -d)
				}
			}
		}
		if worst > c.most {
			t.Errorf("%s: a channel is %d off, at most %d was expected", name, worst, c.most)
		}
	}
}
