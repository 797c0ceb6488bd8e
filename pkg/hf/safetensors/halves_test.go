package safetensors_test

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/attune-lab/attune/pkg/hf/safetensors"
)

// allPatterns is every 16-bit pattern as a tensor of this dtype.
func allPatterns(dtype string) safetensors.Tensor {
	var data []byte
	for bits := range 1 << 16 {
		data = binary.LittleEndian.AppendUint16(data, uint16(bits))
	}
	return safetensors.Tensor{Name: dtype, DType: dtype, Shape: []int{1 << 16}, Data: data}
}

// ieeeValue is the textbook value of a small binary float:
// (-1)^s * 2^(e-bias) * (1 + m/2^M), with e = 0 subnormal and e all ones infinity (m = 0) or NaN.
func ieeeValue(bits, exponentBits, fractionBits int) float64 {
	fraction := bits & (1<<fractionBits - 1)
	exponent := bits >> fractionBits & (1<<exponentBits - 1)
	sign := 1 - 2*float64(bits>>(fractionBits+exponentBits)&1)
	bias := 1<<(exponentBits-1) - 1
	switch exponent {
	case 1<<exponentBits - 1:
		if fraction != 0 {
			return math.NaN()
		}
		return math.Inf(int(sign))
	case 0:
		return math.Copysign(math.Ldexp(float64(fraction), 1-bias-fractionBits), sign)
	}
	return sign * math.Ldexp(1+float64(fraction)/float64(int(1)<<fractionBits), exponent-bias)
}

func TestHalvesAreExactForEveryPattern(t *testing.T) {
	for _, format := range []struct {
		dtype                      string
		exponentBits, fractionBits int
	}{{"F16", 5, 10}, {"BF16", 8, 7}} {
		values, err := allPatterns(format.dtype).Float32s()
		if err != nil {
			t.Fatal(err)
		}
		for bits, got := range values {
			want := ieeeValue(bits, format.exponentBits, format.fractionBits)
			if math.IsNaN(want) {
				if got == got {
					t.Fatalf("%s %#04x: got %g, want NaN", format.dtype, bits, got)
				}
				continue
			}
			// Float64bits, so that -0 and 0 differ.
			if math.Float64bits(float64(got)) != math.Float64bits(want) {
				t.Fatalf("%s %#04x: got %g, want %g", format.dtype, bits, got, want)
			}
		}
	}
}

func TestBFloat16RoundsToNearestEven(t *testing.T) {
	// Every bfloat16 comes back as itself.
	values, err := allPatterns("BF16").Float32s()
	if err != nil {
		t.Fatal(err)
	}
	back := safetensors.FromBFloat16("x", []int{len(values)}, values)
	for bits, v := range values {
		got := binary.LittleEndian.Uint16(back.Data[2*bits:])
		if v != v {
			if f, _ := (safetensors.Tensor{DType: "BF16", Shape: []int{1}, Data: back.Data[2*bits : 2*bits+2]}).Float32s(); f[0] == f[0] {
				t.Fatalf("NaN %#04x became %#04x", bits, got)
			}
			continue
		}
		if int(got) != bits {
			t.Fatalf("%#04x became %#04x", bits, got)
		}
	}
	for _, test := range []struct {
		in   uint32
		want uint16
	}{
		{0x3f80_7fff, 0x3f80}, // below half: down
		{0x3f80_8000, 0x3f80}, // tie, even below: down
		{0x3f81_8000, 0x3f82}, // tie, odd below: up
		{0x3f80_8001, 0x3f81}, // above half: up
		{0x7f7f_ffff, 0x7f80}, // the largest float32 rounds to infinity
		{0xff7f_ffff, 0xff80},
		{0x0000_8001, 0x0001}, // subnormals round too
		{0x7f80_0001, 0x7fc0}, // a NaN whose payload would be cut away stays a NaN
		{0x7fff_ffff, 0x7fff}, // and one whose payload would carry into the sign
	} {
		tensor := safetensors.FromBFloat16("x", []int{1}, []float32{math.Float32frombits(test.in)})
		if got := binary.LittleEndian.Uint16(tensor.Data); got != test.want {
			t.Errorf("%#08x: got %#04x, want %#04x", test.in, got, test.want)
		}
	}
}
