package tokenizer

import (
	"sync"
	"unicode/utf8"
)

// gpt2Pattern cuts text for GPT-2 and for every ByteLevel pre-tokenizer with use_regex
// (https://github.com/openai/gpt-2/blob/master/src/encoder.py).
const gpt2Pattern = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

var gpt2Finder = sync.OnceValue(func() finder { return mustCompile(gpt2Pattern) })

// mustCompile compiles an expression of this package's own.
func mustCompile(source string) finder {
	p, err := compile(source)
	if err != nil {
		panic(err)
	}
	return p
}

// byteChars maps each byte to the character that stands for it in a byte-level vocabulary, and charBytes back. Printable
// bytes of Latin-1 stand for themselves, the others for the characters from U+0100 on, in order (GPT-2's bytes_to_unicode): a space is Ġ.
var byteChars, charBytes = func() (chars [256]rune, bytes map[rune]byte) {
	bytes = make(map[rune]byte, 256)
	next := rune(0x100)
	for b := range 256 {
		r := rune(b)
		printable := r >= '!' && r <= '~' || r >= 0xA1 && r <= 0xAC || r >= 0xAE && r <= 0xFF
		if !printable {
			r = next
			next++
		}
		chars[b] = r
		bytes[r] = byte(b)
	}
	return chars, bytes
}()

// bytesOf returns the bytes a byte-level vocabulary entry stands for; ok is false if it has a character
// that stands for no byte.
func bytesOf(entry string) (raw string, ok bool) {
	buffer := make([]byte, 0, len(entry))
	for _, r := range entry {
		b, ok := charBytes[r]
		if !ok {
			return "", false
		}
		buffer = append(buffer, b)
	}
	return string(buffer), true
}

// charsOf is the inverse of bytesOf.
func charsOf(raw string) string {
	buffer := make([]byte, 0, 2*len(raw))
	for i := range len(raw) {
		buffer = utf8.AppendRune(buffer, byteChars[raw[i]])
	}
	return string(buffer)
}
