package report

import (
	"regexp"
	"strings"
	"unicode"
)

// escapes are the sequences by which text acts on a terminal (ECMA-48): CSI, the strings OSC, DCS, SOS, PM and APC, and two-character escapes.
var escapes = regexp.MustCompile("(?:\x1b\\[|\u009b)[0-?]*[ -/]*[@-~]?|(?:\x1b[\\]PX^_]|[\u009d\u0090\u0098\u009e\u009f])[^\x07\x1b\u009c\n]*(?:\x07|\x1b\\\\|\u009c)?|\x1b[ -/]*[0-~]?")

// Clean is text from elsewhere - a model, a file, the network - without what acts on a terminal or reorders a page: escape sequences, control
// characters but newline and tab, and the marks that change the direction of writing (Unicode TR 9; they hide what a text says). Invalid UTF-8
// becomes U+FFFD.
func Clean(s string) string {
	s = escapes.ReplaceAllString(strings.ToValidUTF8(s, "\ufffd"), "")
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, s)
}
