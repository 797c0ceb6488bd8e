package safetensors

import (
	"encoding/binary"
	"math"
)

// lanes finds the exponents of several floats in a word: mask has the exponent's bits of each, and adding carry to an exponent of all ones, and to no other, sets
// the bit above it, which is the sign's.
type lanes struct{ mask, carry, sign uint64 }

var floatLanes = map[string]lanes{
	"F32":  {0x7f800000_7f800000, 0x00800000_00800000, 0x80000000_80000000},
	"BF16": {0x7f80_7f80_7f80_7f80, 0x0080_0080_0080_0080, 0x8000_8000_8000_8000},
	"F16":  {0x7c00_7c00_7c00_7c00, 0x0400_0400_0400_0400, 0x8000_8000_8000_8000},
	"F64":  {0x7ff0000000000000, 0x0010000000000000, 0x8000000000000000},
}

// allFinite reports whether no element is a NaN or infinite, eight bytes at a time; false also where it cannot tell.
func (t Tensor) allFinite() bool {
	l, ok := floatLanes[t.DType]
	if !ok {
		return false
	}
	data, found := t.Data, uint64(0)
	for len(data) >= 32 {
		a, b := binary.LittleEndian.Uint64(data), binary.LittleEndian.Uint64(data[8:])
		c, d := binary.LittleEndian.Uint64(data[16:]), binary.LittleEndian.Uint64(data[24:])
		found |= ((a & l.mask) + l.carry) | ((b & l.mask) + l.carry) | ((c & l.mask) + l.carry) | ((d & l.mask) + l.carry)
		data = data[32:]
	}
	var rest [32]byte
	copy(rest[:], data)
	for i := 0; i < len(rest); i += 8 {
		found |= (binary.LittleEndian.Uint64(rest[i:]) & l.mask) + l.carry
	}
	return found&l.sign == 0
}

// NonFinite counts the elements of a tensor of floats that are NaN or infinite, and says where the first is. Other dtypes have none.
func (t Tensor) NonFinite() (nans, infinities, first int) {
	first = -1
	if _, float := floatLanes[t.DType]; !float || t.check() != nil || t.allFinite() {
		return 0, 0, first
	}
	size := dtypeSizes[t.DType]
	for i := range t.Len() {
		v := math.NaN()
		switch data := t.Data[i*size:]; t.DType {
		case "F32":
			v = float64(math.Float32frombits(binary.LittleEndian.Uint32(data)))
		case "BF16":
			v = float64(fromBFloat16(binary.LittleEndian.Uint16(data)))
		case "F16":
			v = float64(fromFloat16(binary.LittleEndian.Uint16(data)))
		case "F64":
			v = math.Float64frombits(binary.LittleEndian.Uint64(data))
		}
		switch {
		case math.IsNaN(v):
			nans++
		case math.IsInf(v, 0):
			infinities++
		default:
			continue
		}
		if first < 0 {
			first = i
		}
	}
	return nans, infinities, first
}
