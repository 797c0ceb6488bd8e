package tokenizer

import "unicode/utf8"

// replacement stands for bytes that are no UTF-8.
const replacement = "\uFFFD"

// nextChar looks at the front of b. It returns the number of bytes that belong together and whether they are a character; if they are
// not, they are the longest beginning of one that goes wrong, which a decoder replaces by one U+FFFD (The Unicode Standard, section
// 3.9, "U+FFFD Substitution of Maximal Subparts", as Rust and browsers do; Go's range replaces byte by byte). n is 0
// if b is empty or ends inside a character that could still become complete.
func nextChar(b []byte) (n int, ok bool) {
	if len(b) == 0 {
		return 0, true
	}
	if r, width := utf8.DecodeRune(b); r != utf8.RuneError || width > 1 {
		return width, true
	}
	// The second byte is bound more tightly by some first ones: no overlong forms, no surrogates, nothing above U+10FFFF.
	low, high, length := byte(0x80), byte(0xBF), 0
	switch first := b[0]; {
	case first >= 0xC2 && first <= 0xDF:
		length = 2
	case first >= 0xE0 && first <= 0xEF:
		length = 3
		if first == 0xE0 {
			low = 0xA0
		} else if first == 0xED {
			high = 0x9F
		}
	case first >= 0xF0 && first <= 0xF4:
		length = 4
		if first == 0xF0 {
			low = 0x90
		} else if first == 0xF4 {
			high = 0x8F
		}
	}
	for n = 1; n < length; n++ {
		if n == len(b) {
			return 0, false
		}
		if b[n] < low || b[n] > high {
			return n, false
		}
		low, high = 0x80, 0xBF
	}
	return 1, false
}
