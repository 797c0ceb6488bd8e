package notebook

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// shown is what a terminal shows of the output.
func shown(pieces ...string) string {
	var b strings.Builder
	s := Stream{Emit: func(text string) { b.WriteString(text) }}
	for _, piece := range pieces {
		s.Write(piece)
	}
	return b.String() + s.Pending()
}

func TestStreamKeepsWhatATerminalShows(t *testing.T) {
	for _, test := range []struct {
		pieces []string
		want   string
	}{
		{[]string{"a", "b\n", "c"}, "ab\nc"},
		{[]string{"\rstep 1", "\rstep 2", "\rdone\n", "next"}, "done 2\nnext"}, // neither erases
		{[]string{"\r\x1b[Kstep 1", "\r\x1b", "[Kdone\n"}, "done\n"},
		{[]string{"step 1\r", "step 2\r"}, "step 2"},
		{[]string{"windows\r", "\nline\r\n"}, "windows\nline\n"},
		{[]string{"10 %\r", "\n"}, "10 %\n"},
		{[]string{"long line\rs\n"}, "song line\n"},
		{[]string{"abc\b\bX\n", "\b\bx"}, "aXc\nx"},
		{[]string{"größe\rG\n"}, "Größe\n"},
		{[]string{"abc\x1b[1Gx\x1b[2Cy\x1b[3Dz"}, "xzcy"},
		{[]string{"abc\x1b[2K\x1b[1Gd\nabc\b\x1b[1Kd"}, "d\n  d"},
		{[]string{"\x1b[31mred\x1b[0m\n"}, "\x1b[31mred\x1b[0m\n"},                           // colours stay
		{[]string{"\x1b]0;title\x07a\x1b]8;;http://x\x1b\\b\x1b(Bc\x1b[2Ad\x1b7e"}, "abcde"}, // the rest goes
		{[]string{"x\x1b]" + strings.Repeat("y", 400) + "\n"}, "x" + strings.Repeat("y", 400-maxEscape+1) + "\n"},
		{[]string{"a\x1b]no end\nb\x1b[3\nc"}, "a\nb\nc"},
		{[]string{"tab\there\n"}, "tab\there\n"},
	} {
		if got := shown(test.pieces...); got != test.want {
			t.Errorf("%q shows %q, expected %q", test.pieces, got, test.want)
		}
		var letters []string // the same, byte by byte of ASCII
		all := strings.Join(test.pieces, "")
		for i := range len(all) {
			letters = append(letters, all[i:i+1])
		}
		if got := shown(letters...); strings.IndexFunc(all, func(r rune) bool { return r >= 0x80 }) < 0 && got != test.want {
			t.Errorf("%q, byte by byte, shows %q, expected %q", test.pieces, got, test.want)
		}
	}
}

func TestStreamOfTheSharedCase(t *testing.T) {
	path := filepath.Join("..", "..", "..", "shared", "cases", "stream-carriage-return", "stdout.bin")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Skipf("needs %s, which is absent", path)
	}
	if got := shown(string(text)); got != "ab345\nthat sentence\naXc\n" {
		t.Errorf("found %q", got)
	}
}

// TestLongOutputIsCutInLinearTime: 10 MB without a newline, and of lines. Quadratic time would be minutes.
func TestLongOutputIsCutInLinearTime(t *testing.T) {
	for name, piece := range map[string]string{"no newline": strings.Repeat("x", 32<<10), "lines": strings.Repeat("a line of text\n", 2048), "redrawn": strings.Repeat("\rstep", 6000)} {
		c, cell := NewCollector(), &Cell{}
		started := time.Now()
		const pieces = 300
		for range pieces {
			c.stream(cell, "stdout", piece)
		}
		c.stream(cell, "stderr", "\nthe last words\n")
		c.Append(cell, ErrorOutput("E", "v", nil))
		c.Flush(cell)
		if took := time.Since(started); took > time.Minute {
			t.Errorf("%s: %d MB took %s", name, pieces*len(piece)>>20, took)
		}
		var text string
		for _, output := range cell.Outputs[:len(cell.Outputs)-1] {
			lines, _ := JoinLines(output["text"])
			text += lines
		}
		if name == "redrawn" {
			if text != "step\nthe last words\n" {
				t.Errorf("%s: kept %.60q", name, text)
			}
			continue
		}
		if len(text) < maxText || len(text) > maxText+maxTail+64<<10 {
			t.Errorf("%s: %d bytes are kept", name, len(text))
		}
		if !strings.Contains(text, " bytes of output left out here") || !strings.HasSuffix(text, "\nthe last words\n") {
			t.Errorf("%s: the text ends in %q", name, text[len(text)-200:])
		}
	}
}

func TestTooManyOutputsAndDisplaysAreLeftOut(t *testing.T) {
	c, cell := NewCollector(), &Cell{}
	for range 20_000 {
		c.stream(cell, "stdout", "o")
		c.stream(cell, "stderr", "e")
	}
	if len(cell.Outputs) > 5000 {
		t.Errorf("%d outputs are kept", len(cell.Outputs))
	}
	c, cell = NewCollector(), &Cell{}
	picture := publish("display_data", map[string]any{"data": map[string]any{"image/png": strings.Repeat("A", 3<<20)}, "metadata": map[string]any{}})
	for range 30 {
		if err := c.Add(cell, picture.kind, picture.content); err != nil {
			t.Fatal(err)
		}
	}
	c.Flush(cell)
	text, _ := JoinLines(cell.Outputs[len(cell.Outputs)-1]["text"])
	if len(cell.Outputs) != 22 || !strings.Contains(text, "9 displays left out") {
		t.Errorf("%d outputs, the last one says %q", len(cell.Outputs), text)
	}
}
