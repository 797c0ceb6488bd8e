package plot

import (
	"bytes"
	"cmp"
	"image"
	"image/color"
	"image/png"
	"maps"
	"math"
	"slices"
)

// paletteSize is how many colours a PNG with a palette has.
const paletteSize = 256

// frequent is how many of them are the picture's most frequent: background, lines, text.
const frequent = 64

// encode writes a picture as a PNG with a palette, a third of the size of one with full colours: notebooks and notes carry many. The colours that cover most are kept exactly; the
// others, in the smoothed edges of letters and in maps of very many cells, take the nearest of them.
func encode(img image.Image) ([]byte, error) {
	bounds := img.Bounds()
	var pixels []color.NRGBA
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			pixels = append(pixels, color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA))
		}
	}
	count := map[color.NRGBA]int{}
	for _, p := range pixels {
		count[p]++
	}
	colours := slices.SortedFunc(maps.Keys(count), func(a, b color.NRGBA) int {
		return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(packed(a), packed(b)))
	})
	kept, nearest := choose(colours)
	out := image.NewPaletted(bounds, nil)
	index := make(map[color.NRGBA]uint8, len(colours))
	for _, c := range kept {
		out.Palette = append(out.Palette, c)
	}
	for i, c := range colours {
		index[c] = nearest[i]
	}
	for i, p := range pixels {
		out.Pix[i] = index[p]
	}
	var b bytes.Buffer
	err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, out)
	return b.Bytes(), err
}

// choose picks a palette from colours by falling frequency: the most frequent, and then always the colour that is farthest from what was picked, so that none is far from all.
// nearest is each colour's place in the palette.
func choose(colours []color.NRGBA) (kept []color.NRGBA, nearest []uint8) {
	nearest = make([]uint8, len(colours))
	far := make([]int, len(colours)) // squared distance to what was picked
	for i := range far {
		far[i] = math.MaxInt
	}
	for len(kept) < min(paletteSize, len(colours)) {
		pick := len(kept) // the next by frequency
		if pick >= frequent {
			pick = 0
			for i, d := range far {
				if d > far[pick] {
					pick = i
				}
			}
		}
		kept = append(kept, colours[pick])
		for i, c := range colours {
			if d := distance(c, colours[pick]); d < far[i] {
				far[i], nearest[i] = d, uint8(len(kept)-1)
			}
		}
	}
	return kept, nearest
}

// distance of two colours, squared.
func distance(a, b color.NRGBA) int {
	sum := 0
	for _, d := range [4]int{int(a.R) - int(b.R), int(a.G) - int(b.G), int(a.B) - int(b.B), int(a.A) - int(b.A)} {
		sum += d * d
	}
	return sum
}

func packed(c color.NRGBA) uint32 {
	return uint32(c.R)<<24 | uint32(c.G)<<16 | uint32(c.B)<<8 | uint32(c.A)
}
