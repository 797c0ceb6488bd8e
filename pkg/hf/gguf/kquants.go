package gguf

// The K types have blocks of 256 elements: a scale d (and a minimum) for the block, and for each group of 16 or 32 a small factor of it.

// decodeQ2_K: 16 bytes of factors (low half of the scale, high half of the minimum, a group of 16 each), 64 of two-bit numbers, d, minimum.
func decodeQ2_K(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[superBlock:], src[84:] {
		d, least := half(src[80:]), half(src[82:])
		for group := range 16 {
			scale, floor := d*float32(src[group]&15), least*float32(src[group]>>4)
			q, shift := twoBits(src[16:80], group)
			for i, out := 0, dst[group*16:][:16]; i < 16; i++ {
				out[i] = float32(scale*float32(q[i]>>shift&3)) - floor
			}
		}
	}
}

// twoBits says where the 16 two-bit numbers of a group are: half of the elements lie in the first 32 bytes, and of these 32 consecutive ones share
// a pair of bits.
func twoBits(src []byte, group int) (q []byte, shift int) {
	return src[group/8*32+group%2*16:][:16], group % 8 / 2 * 2
}

// decodeQ3_K: 32 bytes with a third bit for each element, 64 of two-bit numbers, 12 of six-bit factors, d. The number is the two bits, less 4 where the
// third is not set.
func decodeQ3_K(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[superBlock:], src[110:] {
		third, packed, d := src[:32], src[96:108], half(src[108:])
		for group := range 16 {
			low := packed[group%8] >> (group / 8 * 4) & 15
			high := packed[8+group%4] >> (group / 4 * 2) & 3
			scale := d * float32(int(low|high<<4)-32)
			q, shift := twoBits(src[32:96], group)
			mask := third[group%2*16:][:16]
			for i, out := 0, dst[group*16:][:16]; i < 16; i++ {
				n := int(q[i] >> shift & 3)
				if mask[i]>>(group/2)&1 == 0 {
					n -= 4
				}
				out[i] = scale * float32(n)
			}
		}
	}
}

// scaleAndMin unpacks the six-bit factors of group j of 8 from 12 bytes.
func scaleAndMin(packed []byte, j int) (scale, least byte) {
	if j < 4 {
		return packed[j] & 63, packed[j+4] & 63
	}
	return packed[j+4]&15 | packed[j-4]>>6<<4, packed[j+4]>>4 | packed[j]>>6<<4
}

// decodeQ4_K: d, minimum, 12 bytes of factors for groups of 32, 128 of four-bit numbers, those of two groups in 32 bytes.
func decodeQ4_K(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[superBlock:], src[144:] {
		d, least, q := half(src), half(src[2:]), src[16:144]
		for group := range 8 {
			s, m := scaleAndMin(src[4:16], group)
			scale, floor := d*float32(s), least*float32(m)
			in, shift := q[group/2*32:][:32], group%2*4
			for i, out := 0, dst[group*32:][:32]; i < 32; i++ {
				out[i] = float32(scale*float32(in[i]>>shift&15)) - floor
			}
		}
	}
}

// decodeQ5_K is Q4_K with 32 bytes of fifth bits, one bit of each byte for a group.
func decodeQ5_K(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[superBlock:], src[176:] {
		d, least, fifth, q := half(src), half(src[2:]), src[16:48], src[48:176]
		for group := range 8 {
			s, m := scaleAndMin(src[4:16], group)
			scale, floor := d*float32(s), least*float32(m)
			in, shift := q[group/2*32:][:32], group%2*4
			for i, out := 0, dst[group*32:][:32]; i < 32; i++ {
				out[i] = float32(scale*float32(in[i]>>shift&15|fifth[i]>>group&1<<4)) - floor
			}
		}
	}
}

// decodeQ6_K: 128 bytes of the lower four bits, 64 of the upper two, 16 signed factors for groups of 16, d.
func decodeQ6_K(dst []float32, src []byte) {
	for ; len(dst) > 0; dst, src = dst[superBlock:], src[210:] {
		low, high, factors, d := src[:128], src[128:192], src[192:208], half(src[208:])
		for group := range 16 {
			scale := d * float32(int8(factors[group]))
			// Half of the elements: 64 lower bytes, whose low halves are the first 64 elements, and 32 upper ones.
			in := low[group/8*64+group%4*16:][:16]
			top, shift := high[group/8*32+group%2*16:][:16], group%8/2*2
			for i, out := 0, dst[group*16:][:16]; i < 16; i++ {
				n := in[i] >> (group % 8 / 4 * 4) & 15
				out[i] = scale * float32(int(n|top[i]>>shift&3<<4)-32)
			}
		}
	}
}
