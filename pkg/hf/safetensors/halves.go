package safetensors

import "math"

// fromBFloat16 widens a bfloat16: it is the upper half of a float32, so that every value, infinity and NaN is exact.
func fromBFloat16(bits uint16) float32 {
	return math.Float32frombits(uint32(bits) << 16)
}

// toBFloat16 rounds to the nearest bfloat16, ties to even.
func toBFloat16(v float32) uint16 {
	bits := math.Float32bits(v)
	if v != v {
		// Rounding could carry a NaN's payload into infinity: cut it and set the quiet bit instead.
		return uint16(bits>>16) | 0x40
	}
	// Half of the last kept place, less one where that place is even: the carry then rounds ties to even.
	return uint16((bits + 0x7fff + bits>>16&1) >> 16)
}

// fromFloat16 widens an IEEE 754 half (1 sign, 5 exponent, 10 fraction bits); every half is a float32.
func fromFloat16(bits uint16) float32 {
	sign := uint32(bits&0x8000) << 16
	exponent := uint32(bits>>10) & 0x1f
	fraction := uint32(bits) & 0x3ff
	switch exponent {
	case 0x1f: // infinity or NaN, payload kept
		return math.Float32frombits(sign | 0x7f800000 | fraction<<13)
	case 0: // zero or subnormal: fraction * 2^-24, a normal float32
		value := float32(fraction) * 0x1p-24
		return math.Float32frombits(math.Float32bits(value) | sign)
	}
	// Rebias the exponent from 15 to 127.
	return math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
}

// DecodeFloat16 is the value of an IEEE 754 half by its bits; every half is a float32. Other formats of weights keep their scales in halves.
func DecodeFloat16(bits uint16) float32 { return fromFloat16(bits) }
