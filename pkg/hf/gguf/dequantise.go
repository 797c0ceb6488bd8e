package gguf

import (
	"encoding/binary"
	"math"
	"runtime"
	"sync"

	"github.com/attune-lab/attune/pkg/hf/safetensors"
)

// Float32s returns the tensor's elements, dequantised as the gguf package for Python does it, bit for bit.
func (t Tensor) Float32s() []float32 {
	out := make([]float32, t.Len())
	t.dequantise(out)
	return out
}

// piece is the number of elements that one goroutine dequantises at a time: a multiple of every block.
const piece = 1 << 18

// dequantise writes the elements, on all processors where there are many.
func (t Tensor) dequantise(out []float32) {
	info := t.Type.info()
	if len(out) <= piece {
		info.decode(out, t.data)
		return
	}
	var wait sync.WaitGroup
	free := make(chan struct{}, runtime.GOMAXPROCS(0))
	for at := 0; at < len(out); at += piece {
		end := min(at+piece, len(out))
		free <- struct{}{}
		wait.Go(func() {
			info.decode(out[at:end], t.data[at/info.block*info.bytes:end/info.block*info.bytes])
			<-free
		})
	}
	wait.Wait()
}

// half reads an IEEE 754 half.
func half(b []byte) float32 { return safetensors.DecodeFloat16(binary.LittleEndian.Uint16(b)) }

func decodeF32(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
	}
}

func decodeF16(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = half(src[2*i:])
	}
}

func decodeBF16(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(src[2*i:])) << 16)
	}
}

// The blocks of 32 hold a scale d, in some types a minimum m, and the numbers q: the low halves of their bytes are the first 16 elements, the high
// halves the others. The element is d*q or d*q + m, each operation rounded to float32: the conversions below forbid a fused multiply-add.

func decodeQ4_0(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[32:], src[18:] {
		d, q, out := half(src), src[2:18], dst[:32]
		for i, b := range q {
			out[i] = d * float32(int(b&15)-8)
			out[i+16] = d * float32(int(b>>4)-8)
		}
	}
}

func decodeQ4_1(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[32:], src[20:] {
		d, m, q, out := half(src), half(src[2:]), src[4:20], dst[:32]
		for i, b := range q {
			out[i] = float32(d*float32(b&15)) + m
			out[i+16] = float32(d*float32(b>>4)) + m
		}
	}
}

// decodeQ5_0 and decodeQ5_1 have each number's fifth bit in a word of 32.
func decodeQ5_0(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[32:], src[22:] {
		d, high, q, out := half(src), binary.LittleEndian.Uint32(src[2:]), src[6:22], dst[:32]
		for i, b := range q {
			out[i] = d * float32(int(b&15|byte(high>>i&1)<<4)-16)
			out[i+16] = d * float32(int(b>>4|byte(high>>(i+16)&1)<<4)-16)
		}
	}
}

func decodeQ5_1(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[32:], src[24:] {
		d, m, high, q, out := half(src), half(src[2:]), binary.LittleEndian.Uint32(src[4:]), src[8:24], dst[:32]
		for i, b := range q {
			out[i] = float32(d*float32(b&15|byte(high>>i&1)<<4)) + m
			out[i+16] = float32(d*float32(b>>4|byte(high>>(i+16)&1)<<4)) + m
		}
	}
}

func decodeQ8_0(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[32:], src[34:] {
		d, q, out := half(src), src[2:34], dst[:32]
		for i, b := range q {
			out[i] = float32(int8(b)) * d
		}
	}
}

// fp4 are twice the values of the four-bit float e2m1.
var fp4 = [16]float32{0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12}

// decodeMXFP4 has a power of two as its scale (OCP Microscaling Formats 1.0), here halved because fp4 holds doubles.
func decodeMXFP4(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[32:], src[17:] {
		bits := uint32(0x00200000) << src[0] // subnormal
		if src[0] >= 2 {
			bits = uint32(src[0]-1) << 23
		}
		d, q, out := math.Float32frombits(bits), src[1:17], dst[:32]
		for i, b := range q {
			out[i] = d * fp4[b&15]
			out[i+16] = d * fp4[b>>4]
		}
	}
}
