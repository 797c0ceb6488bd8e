package notebook

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func published(t *testing.T, kind string, content map[string]any) *message {
	t.Helper()
	data, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	return &message{Header: header{Type: kind}, Content: data}
}

func TestStreamKeepsWhatATerminalWouldShow(t *testing.T) {
	for _, test := range []struct {
		pieces []string
		want   string
	}{
		{[]string{"a", "b\n", "c"}, "ab\nc"},
		{[]string{"\rstep 1", "\rstep 2", "\rdone\n", "next"}, "done\nnext"},
		{[]string{"step 1\r", "step 2\r"}, "step 2"},
		{[]string{"windows\r", "\nline\r\n"}, "windows\nline\n"},
		{[]string{"10 %\r", "\n"}, "10 %\n"},
		{[]string{"long line\rs\n"}, "s\n"},
	} {
		var s streamText
		for _, piece := range test.pieces {
			s.Write(piece)
		}
		if s.String() != test.want {
			t.Errorf("%q shows %q, expected %q", test.pieces, s.String(), test.want)
		}
	}
}

func TestOutputsAreCollectedAsJupyterDoes(t *testing.T) {
	c, first, second := newCollector(), &Cell{}, &Cell{}
	stream := func(name, text string) *message {
		return published(t, "stream", map[string]any{"name": name, "text": text})
	}
	html := func(kind, id, text string) *message {
		return published(t, kind, map[string]any{"data": map[string]any{"text/html": text}, "metadata": map[string]any{}, "transient": map[string]any{"display_id": id}})
	}
	for _, step := range []struct {
		cell *Cell
		msg  *message
	}{
		{first, stream("stdout", "a")},
		{first, stream("stdout", "b\n")},
		{first, stream("stderr", "c\n")},
		{first, stream("stdout", "d\n")},
		{first, html("display_data", "bar", "begun")},
		{first, stream("stdout", "e\n")},
		{second, stream("stdout", "gone")},
		{second, published(t, "clear_output", map[string]any{"wait": true})},
		{second, html("display_data", "bar", "again")},
		{second, html("update_display_data", "bar", "done\nat last")},
		{second, published(t, "execute_result", map[string]any{"data": map[string]any{"image/png": "AAAA\n"}, "execution_count": 7})},
		{second, published(t, "error", map[string]any{"ename": "E", "evalue": "v", "traceback": []string{"t"}})},
		{second, published(t, "status", map[string]any{"execution_state": "idle"})},
	} {
		if err := c.add(step.cell, step.msg); err != nil {
			t.Fatal(err)
		}
	}
	c.flush(first)
	c.flush(second)
	bundle := Output{"output_type": "display_data", "data": map[string]any{"text/html": []any{"done\n", "at last"}}, "metadata": map[string]any{}}
	want := []Output{
		{"output_type": "stream", "name": "stdout", "text": []any{"ab\n"}},
		{"output_type": "stream", "name": "stderr", "text": []any{"c\n"}},
		{"output_type": "stream", "name": "stdout", "text": []any{"d\n"}},
		bundle,
		{"output_type": "stream", "name": "stdout", "text": []any{"e\n"}},
	}
	if !reflect.DeepEqual(first.Outputs, want) {
		t.Errorf("the first cell has\n%v\nexpected\n%v", first.Outputs, want)
	}
	want = []Output{
		bundle,
		{"output_type": "execute_result", "data": map[string]any{"image/png": "AAAA\n"}, "metadata": map[string]any{}, "execution_count": 7},
		{"output_type": "error", "ename": "E", "evalue": "v", "traceback": []any{"t"}},
	}
	if !reflect.DeepEqual(second.Outputs, want) {
		t.Errorf("the second cell has\n%v\nexpected\n%v", second.Outputs, want)
	}
}

func TestJudgeTakesOnlyGoNBsOwnMarks(t *testing.T) {
	for _, test := range []struct {
		source, name, text string
		fails              bool
	}{
		{"!false", "stderr", "exit status 1\n", true},
		{"!sleep 9", "stderr", "^C\nsignal: interrupt\n", true},
		{"!crash", "stderr", "signal: segmentation fault (core dumped)\n", true},
		{"%%bash\nfalse", "stderr", "exit status 1\n", true},
		{"//gonb:!false", "stderr", "exit status 1\n", true},
		{"%what", "stderr", "\"%what\" unknown or not implemented yet.", true},
		{"!echo", "stdout", "exit status 1\n", false},
		{"!echo", "stderr", "it said: exit status 1\n", false},
		{"!echo", "stderr", "exit status 1\nand more\n", false},
		{"func main() {}", "stderr", "exit status 1\n", false},
		{"%%\nfmt.Fprintln(os.Stderr, \"exit status 1\")", "stderr", "exit status 1\n", false},
		{"a := x % 2\nb := !ok", "stderr", "exit status 1\n", false},
	} {
		j := newJudge(test.source)
		j.message(published(t, "stream", map[string]any{"name": test.name, "text": test.text}))
		reason, _ := j.verdict(&reply{Status: "ok"})
		if (reason != "") != test.fails {
			t.Errorf("%q with %q on %s: verdict %q", test.source, test.text, test.name, reason)
		}
	}
}

func TestScrubHidesTheMachine(t *testing.T) {
	home := filepath.Join(t.TempDir(), "ann")
	root := filepath.Join(home, "code", "attune")
	if err := os.MkdirAll(root, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", home)
	nb := code("x")
	nb.Cells[0].Outputs = []Output{
		{"output_type": "stream", "name": "stdout", "text": []any{
			root + "/pkg/a.go and " + home + "/notes\n",
			home + "\n", root + ".\n", home + "a/x " + root + "-2 " + root + ".git\n",
			"/tmp/attune-kernel-123/gonb_0a1b2c3d/main.go:3:1: bad\n",
		}},
		{"output_type": "display_data", "data": map[string]any{"text/html": "<a href=\"" + root + "/x\">", "image/png": home}},
		{"output_type": "error", "evalue": "in " + root, "traceback": []any{"(" + home + ")"}},
	}
	nb.Scrub(root)
	want := []Output{
		{"output_type": "stream", "name": "stdout", "text": []any{
			"./pkg/a.go and ~/notes\n", "~\n", "..\n", home + "a/x ~/code/attune-2 ~/code/attune.git\n", "gonb/main.go:3:1: bad\n",
		}},
		{"output_type": "display_data", "data": map[string]any{"text/html": "<a href=\"./x\">", "image/png": home}},
		{"output_type": "error", "evalue": "in .", "traceback": []any{"(~)"}},
	}
	if !reflect.DeepEqual(nb.Cells[0].Outputs, want) {
		t.Errorf("found\n%v\nexpected\n%v", nb.Cells[0].Outputs, want)
	}
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
	if got, want := show(false), "[1/2] Title "; got != want {
		t.Errorf("a silent cell: %q, expected %q", got, want)
	}
}
