package corpus

import (
	"strings"
	"unicode"
)

// words are the letters and digits of a text in lower case, at everything else cut: what is left of two copies of a text whose layout and
// punctuation differ.
func words(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}
