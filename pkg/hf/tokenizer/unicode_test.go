package tokenizer

import (
	"testing"

	"golang.org/x/text/unicode/norm"
)

// TestNormalFormsAreThoseOfUnicode9: what tokenizers 0.23.3 gives for marks and letters that are newer than its tables. Go's know them: U+1AC4 would stand before
// the caron, and the acute would join the e across it.
func TestNormalFormsAreThoseOfUnicode9(t *testing.T) {
	for _, test := range []struct {
		form       norm.Form
		text, want string
	}{
		{norm.NFD, "\u021e\u1ac4c", "H\u030c\u1ac4c"},
		{norm.NFC, "\u021e\u1ac4c", "\u021e\u1ac4c"},
		{norm.NFC, "e\u1ac4\u0301", "e\u1ac4\u0301"},
		{norm.NFC, "a\u0315\u1abf\u0316\u0315\u0316", "a\u0315\u1abf\u0316\u0316\u0315"},
		{norm.NFKD, "a\u0315\u1abf\u0316\u0315\u0316", "a\u0315\u1abf\u0316\u0316\u0315"},
		{norm.NFC, "\U00011935\U00011930", "\U00011935\U00011930"},
		{norm.NFD, "\U00011938", "\U00011938"},
		{norm.NFKC, "\u32ff\u2460", "\u32ff1"},
	} {
		if got := unicodeForm(test.form).normalize(piece{text: test.text}).text; got != test.want {
			t.Errorf("form %d of %+q: %+q, expected %+q", test.form, test.text, got, test.want)
		}
	}
}
