package lab

import (
	"math"
	"strings"
	"testing"
	"time"
)

// clock advances by hand.
type clock struct{ t time.Time }

func (c *clock) now() time.Time          { return c.t }
func (c *clock) advance(d time.Duration) { c.t = c.t.Add(d) }

func TestProgressPrintsSparseLinesWithoutATerminal(t *testing.T) {
	var b strings.Builder
	c := &clock{time.Unix(0, 0)}
	p := stageOptions{Writer: &b, Now: c.now}.start("scoring", 200)
	for i := range 200 {
		c.advance(100 * time.Millisecond)
		p.at(i + 1)
	}
	p.end()
	p.end()
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
	p := stageOptions{Writer: &b, Now: c.now, Mode: progressRedraw}.start("training", 1000)
	for i := range 1000 {
		c.advance(10 * time.Millisecond)
		p.at(i + 1)
	}
	p.end()
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
	p := stageOptions{Writer: &b, Now: c.now}.start("steps", 20)
	for i := 2; i <= 20; i += 2 {
		c.advance(2 * time.Second)
		if i > 2 {
			p.point(i, "loss", 8/float64(i), "900 tokens/s")
		} else {
			p.point(i, "loss", math.NaN(), "")
		}
	}
	p.end()
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
	if p.beside("", []byte("png")); !strings.HasPrefix(p.image(), `<img alt="loss" src="data:image/png;base64,`) {
		t.Errorf("the curve is %.60q", p.image())
	}
}

func TestProgressWithoutATotalAndWhenStoppedEarly(t *testing.T) {
	var b strings.Builder
	c := &clock{time.Unix(0, 0)}
	p := stageOptions{Writer: &b, Now: c.now}.start("reading", 0)
	for i := range 25 {
		c.advance(time.Second)
		p.at(3 * (i + 1))
	}
	p.end()
	want := "reading: 30 · 3.0/s\nreading: 60 · 3.0/s\nreading: 75 · 3.0/s · 25 s\n"
	if b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
	b.Reset()
	p = stageOptions{Writer: &b, Now: c.now}.start("evil\nlabel", 10)
	c.advance(20 * time.Second)
	p.at(5)
	p.end()
	p.at(10)
	if want := "evil label: 5/10 (50 %) · 4.0 s each · 20 s left\nevil label: 5/10 · 4.0 s each · 20 s\n"; b.String() != want {
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
