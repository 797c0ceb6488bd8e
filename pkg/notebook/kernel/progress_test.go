package kernel

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func published(t *testing.T, kind string, content map[string]any) *message {
	t.Helper()
	data, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	return &message{Header: header{Type: kind}, Content: data}
}

func TestProgressShowsLinesOnce(t *testing.T) {
	show := func(terminal bool, texts ...string) string {
		var b strings.Builder
		p := newProgress(&b, terminal)
		p.begin(1, 2, "Title")
		for _, text := range texts {
			p.message(published(t, "stream", map[string]any{"name": "stdout", "text": text}))
		}
		p.end(false)
		return b.String()[:strings.LastIndex(b.String(), "…")] // without the time
	}
	if got, want := show(false, "\r1", "\r2", "\r3\nlast"), "[1/2] Title …\n       3\n       last\n       "; got != want {
		t.Errorf("in a log: %q, expected %q", got, want)
	}
	if got, want := show(true, "\r1", "\r2\n"), "[1/2] Title …\n       1\r\033[K       2\n       "; got != want {
		t.Errorf("on a terminal: %q, expected %q", got, want)
	}
	if got, want := show(false, "\x1b]0;title\x07\x1b[31mred\x1b[0m \u202etfel\x1b[2J\n"), "[1/2] Title …\n       red tfel\n       "; got != want {
		t.Errorf("with escape sequences: %q, expected %q", got, want)
	}
	if got, want := show(true, "1\n2"), "[1/2] Title …\n       1\n       2\r\033[K       2\n       "; got != want {
		t.Errorf("an unfinished line: %q, expected %q", got, want)
	}
	if got := show(false, strings.Repeat("x", 3<<20), "\nnext\n"); len(got) > 1<<14 || !strings.HasSuffix(got, "…\n       next\n       ") {
		t.Errorf("a long line: %d bytes, %q", len(got), got[max(0, len(got)-80):])
	}
	if got := show(false, strings.Repeat("a line of text\n", 200_000)); len(got) > 2*maxShown || !strings.Contains(got, "not shown here") {
		t.Errorf("many lines: %d bytes", len(got))
	}
	if got, want := show(false), "[1/2] Title "; got != want {
		t.Errorf("a silent cell: %q, expected %q", got, want)
	}
}

func TestSilentCellsAreSeenToRun(t *testing.T) {
	show := func(terminal bool, printed string) string {
		var b strings.Builder
		p := newProgress(&b, terminal)
		p.begin(1, 2, "Title")
		p.text(printed)
		p.started, p.last = time.Now().Add(-12*time.Second), time.Now().Add(-12*time.Second)
		p.tick()
		p.tick()
		p.end(false)
		return b.String()
	}
	for _, test := range []struct {
		terminal      bool
		printed, want string
	}{
		{false, "", "[1/2] Title …\n       … running, 12.0 s\n       … 12.0 s\n"},
		{true, "", "[1/2] Title … 12.0 s\r\033[K[1/2] Title … 12.0 s\r\033[K[1/2] Title … 12.0 s\n"},
		{true, "a\n", "[1/2] Title …\n       a\n       … 12.0 s\r\033[K       … 12.0 s\r\033[K       … 12.0 s\n"},
		{true, "bar", "[1/2] Title …\n       bar\r\033[K       bar\n       … 12.0 s\n"},
	} {
		if got := show(test.terminal, test.printed); got != test.want {
			t.Errorf("terminal %v, printed %q: %q, expected %q", test.terminal, test.printed, got, test.want)
		}
	}
}
