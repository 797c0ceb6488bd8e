package plot

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/image/font/sfnt"
	"gonum.org/v1/plot/font"
)

// Signs that stand for white space in a label. The embedded font has neither ↵ nor ␣.
const (
	newlineSign = '¶'
	tabSign     = '→'
	spaceSign   = '·'
)

// Visible returns a label as the embedded font can show it, with nothing invisible left: a newline is ¶, a
// tab →, leading and trailing spaces and SentencePiece's ▁ are ·, other control characters are \xHH, invalid
// UTF-8 bytes too, and a character without a glyph is its code point (U+4E2D). An empty string stays empty.
func Visible(label string) string {
	inner := strings.Trim(label, " ")
	lead := len(label) - len(strings.TrimLeft(label, " "))
	trail := len(label) - len(inner) - lead
	if inner == "" {
		lead, trail = len(label), 0
	}
	var b strings.Builder
	b.WriteString(strings.Repeat(string(spaceSign), lead))
	for i, r := range inner {
		switch {
		case r == '\n':
			b.WriteRune(newlineSign)
		case r == '\t':
			b.WriteRune(tabSign)
		case r == '▁':
			b.WriteRune(spaceSign)
		case r == utf8.RuneError && !strings.HasPrefix(inner[i:], string(utf8.RuneError)):
			fmt.Fprintf(&b, `\x%02X`, inner[i])
		case unicode.IsControl(r):
			fmt.Fprintf(&b, `\x%02X`, r)
		case r == '\u00a0':
			b.WriteRune(spaceSign)
		case !hasGlyph(r):
			fmt.Fprintf(&b, "U+%04X", r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteString(strings.Repeat(string(spaceSign), trail))
	return b.String()
}

// visibleAll is Visible for each label.
func visibleAll(labels []string) []string {
	out := make([]string, len(labels))
	for i, l := range labels {
		out[i] = Visible(l)
	}
	return out
}

// hasGlyph reports whether the regular sans face, in which labels are set, can draw the character.
func hasGlyph(r rune) bool {
	if unicode.In(r, unicode.Cf, unicode.Mn) {
		return false // a glyph of no width would be as invisible as none
	}
	face := fonts.Lookup(font.Font{Typeface: "Liberation", Variant: "Sans"}, 12)
	var buf sfnt.Buffer
	i, err := face.Face.GlyphIndex(&buf, r)
	return err == nil && i != 0
}
