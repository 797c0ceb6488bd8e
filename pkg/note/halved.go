package note

import (
	"bytes"
	"image"
	"image/png"

	"golang.org/x/image/draw"
)

// halved is a picture at half its resolution.
func halved(b []byte) ([]byte, error) {
	from, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	r := from.Bounds()
	to := image.NewNRGBA(image.Rect(0, 0, (r.Dx()+1)/2, (r.Dy()+1)/2))
	draw.BiLinear.Scale(to, to.Bounds(), from, r, draw.Src, nil)
	var out bytes.Buffer
	err = (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, to)
	return out.Bytes(), err
}
