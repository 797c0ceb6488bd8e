package safetensors_test

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/attune-lab/attune/pkg/hf/safetensors"
)

// TestNonFiniteFindsEveryPattern looks at every 16-bit float, alone in a tensor of ones at every place that a word can hold it.
func TestNonFiniteFindsEveryPattern(t *testing.T) {
	for dtype, bits := range map[string]struct{ exponent, fraction, one int }{"BF16": {8, 7, 0x3f80}, "F16": {5, 10, 0x3c00}} {
		for pattern := range 1 << 16 {
			n := 17 + pattern%5
			at := pattern % n
			var data []byte
			for i := range n {
				v := bits.one
				if i == at {
					v = pattern
				}
				data = binary.LittleEndian.AppendUint16(data, uint16(v))
			}
			nans, infinities, first := safetensors.Tensor{DType: dtype, Shape: []int{n}, Data: data}.NonFinite()
			v := ieeeValue(pattern, bits.exponent, bits.fraction)
			if got, want := nans == 1, math.IsNaN(v); got != want {
				t.Fatalf("%s %#x: %d NaN, value %v", dtype, pattern, nans, v)
			}
			if got, want := infinities == 1, math.IsInf(v, 0); got != want {
				t.Fatalf("%s %#x: %d infinities, value %v", dtype, pattern, infinities, v)
			}
			if finite := !math.IsNaN(v) && !math.IsInf(v, 0); finite != (first < 0) || !finite && first != at {
				t.Fatalf("%s %#x: first at %d, expected %d", dtype, pattern, first, at)
			}
		}
	}
	x := safetensors.FromFloat32s("x", []int{5}, []float32{1, float32(math.Inf(-1)), math.MaxFloat32, float32(math.NaN()), -0})
	if nans, infinities, first := x.NonFinite(); nans != 1 || infinities != 1 || first != 1 {
		t.Errorf("F32: %d NaN, %d infinities, first at %d", nans, infinities, first)
	}
	whole := safetensors.FromInt32s("i", []int{1}, []int32{-1})
	if nans, infinities, first := whole.NonFinite(); nans+infinities != 0 || first != -1 {
		t.Errorf("I32: %d NaN", nans)
	}
}
