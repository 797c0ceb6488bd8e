package plot

import (
	"math"
	"strings"
	"testing"
	"time"
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

// clock advances by hand.
type clock struct{ t time.Time }

func (c *clock) now() time.Time          { return c.t }
func (c *clock) advance(d time.Duration) { c.t = c.t.Add(d) }

func TestProgressPrintsSparseLinesWithoutATerminal(t *testing.T) {
	var b strings.Builder
	c := &clock{time.Unix(0, 0)}
	p := ProgressOptions{Writer: &b, Now: c.now}.Start("scoring", 200)
	for range 200 {
		c.advance(100 * time.Millisecond)
		p.Add(1)
	}
	p.Done()
	p.Done()
	lines := strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
	if len(lines) != 10 {
		t.Errorf("%d lines for 200 items, want one per tenth:\n%s", len(lines), b.String())
	}
	if want := "scoring: 20/200 (10 %) · 10.0/s · 18 s left"; lines[0] != want {
		t.Errorf("first line %q, want %q", lines[0], want)
	}
	if want := "scoring: 200/200 · 10.0/s · 20 s"; lines[len(lines)-1] != want {
		t.Errorf("last line %q, want %q", lines[len(lines)-1], want)
	}
	if strings.Contains(b.String(), "\r") {
		t.Error("a carriage return in a log")
	}
}

func TestProgressRedrawsOneLineAtMostFourTimesASecond(t *testing.T) {
	var b strings.Builder
	c := &clock{time.Unix(0, 0)}
	p := ProgressOptions{Writer: &b, Now: c.now, Mode: ProgressRedraw}.Start("training", 1000)
	for range 1000 {
		c.advance(10 * time.Millisecond)
		p.Add(1)
	}
	p.Done()
	out := b.String()
	if n := strings.Count(out, "\r"); n > 42 || n < 38 {
		t.Errorf("%d redraws in 10 s, want about 40", n)
	}
	if strings.Count(out, "\n") != 1 || !strings.HasSuffix(out, "\n") {
		t.Error("the line must end once, when the stage ends")
	}
	last := out[strings.LastIndex(out, "\r")+1:]
	if !strings.HasPrefix(last, "training: 1000/1000 · 100/s · 10 s ") {
		t.Errorf("last state %q: blanks must cover the longer line before", last)
	}
}

func TestProgressShowsASparkline(t *testing.T) {
	c := &clock{time.Unix(0, 0)}
	var b strings.Builder
	p := ProgressOptions{Writer: &b, Now: c.now}.Start("steps", 20)
	for i := 2; i <= 20; i += 2 {
		c.advance(2 * time.Second)
		if i > 2 {
			p.Point(i, "loss", 8/float64(i), "900 tokens/s")
		} else {
			p.Point(i, "loss", math.NaN(), "")
		}
	}
	p.Done()
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	for line, want := range map[int]string{
		0:              "steps: 2/20 (10 %) · 1.0/s · 18 s left",
		1:              "· 16 s left · loss 2 · 900 tokens/s",
		len(lines) - 1: "steps: 20/20 · 1.0/s · 20 s · loss 0.4 █▅▃▂▂▁▁▁▁ · 900 tokens/s",
	} {
		if !strings.HasSuffix(lines[line], want) {
			t.Errorf("line %d is %q, expected it to end in %q", line, lines[line], want)
		}
	}
	if img := p.spark.figure("steps", c.now(), true); !strings.HasPrefix(img, `<img alt="loss" src="data:image/png;base64,`) {
		t.Errorf("the curve is %.60q", img)
	}
}

func TestProgressWithoutATotalAndWhenStoppedEarly(t *testing.T) {
	var b strings.Builder
	c := &clock{time.Unix(0, 0)}
	p := ProgressOptions{Writer: &b, Now: c.now}.Start("reading", 0)
	for range 25 {
		c.advance(time.Second)
		p.Add(3)
	}
	p.Done()
	want := "reading: 30 · 3.0/s\nreading: 60 · 3.0/s\nreading: 75 · 3.0/s · 25 s\n"
	if b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
	b.Reset()
	p = ProgressOptions{Writer: &b, Now: c.now}.Start("evil\nlabel", 10)
	c.advance(20 * time.Second)
	p.Add(5)
	p.Done()
	p.Add(5)
	if want := "evil¶label: 5/10 (50 %) · 4.0 s each · 20 s left\nevil¶label: 5/10 · 4.0 s each · 20 s\n"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

func TestShortDurations(t *testing.T) {
	for d, want := range map[time.Duration]string{
		400 * time.Millisecond: "0.4 s", 12400 * time.Millisecond: "12 s", 185 * time.Second: "3 min 5 s", 130 * time.Minute: "2 h 10 min",
	} {
		if got := short(d); got != want {
			t.Errorf("short(%v) = %q, want %q", d, got, want)
		}
	}
}
