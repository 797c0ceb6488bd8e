package plot

import (
	"math"
	"strings"
	"testing"
)

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "the": "the", " the": "·the", "a b ": "a b·", " ": "·", "  ": "··", "\n": "¶", "a\tb": "a→b",
		"▁on": "·on", "\x00": `\x00`, "\xff\xfe": `\xFF\xFE`, "中": "U+4E2D", "\u200b": "U+200B", "é": "é", "\u00a0x": "·x",
		"\ufffd": "U+FFFD", " \n ": "·¶·", "x ≥ 0.3": "x ≥ 0.3",
	} {
		if got := Visible(in); got != want && !(in == "\ufffd" && hasGlyph('\ufffd') && got == in) {
			t.Errorf("Visible(%q) = %q, want %q", in, got, want)
		}
	}
	for _, r := range []rune{newlineSign, tabSign, spaceSign, '…', '–', '−', '≤', '≥', '∞'} {
		if !hasGlyph(r) {
			t.Errorf("the embedded font has no %q, which labels use", r)
		}
	}
}

func TestNiceTicks(t *testing.T) {
	for _, c := range []struct {
		lo, hi float64
		want   string
	}{
		{0, 1, "0 0.2 0.4 0.6 0.8 1.0"},
		{-0.035, 0.035, "−0.02 0 0.02"},
		{0, 29, "0 5 10 15 20 25"},
		{12, 988, "200 400 600 800"},
		{0, 3e-6, "0 5e−07 1.0e−06 1.5e−06 2.0e−06 2.5e−06 3.0e−06"},
		{0, 5e7, "0 1e+07 2e+07 3e+07 4e+07 5e+07"},
	} {
		if _, labels := niceTicks(c.lo, c.hi, 6); strings.Join(labels, " ") != c.want {
			t.Errorf("ticks of [%v, %v]: %q, want %q", c.lo, c.hi, strings.Join(labels, " "), c.want)
		}
	}
	if values, _ := niceTicks(1e16, 1e16+4, 6); len(values) > 13 {
		t.Errorf("%d ticks beyond float precision", len(values))
	}
	if values, _ := niceTicks(-math.MaxFloat64, math.MaxFloat64, 6); len(values) > 13 {
		t.Errorf("%d ticks over everything", len(values))
	}
}

func TestAnnotationHasTheSpansDigits(t *testing.T) {
	for _, c := range []struct {
		v, span float64
		want    string
	}{{0.00316, 1, "0.00"}, {0.913, 0.9, "0.91"}, {-0.0213, 0.04, "−0.021"}, {12.3, 90, "12"}, {math.NaN(), 1, ""}, {3e-7, 1e-6, "3.00e−07"}} {
		if got := annotation(c.v, c.span); got != c.want {
			t.Errorf("annotation(%v, %v) = %q, want %q", c.v, c.span, got, c.want)
		}
	}
}
