package kernel

import (
	"strings"
	"testing"
)

func TestCellsAreSentWithAnEndMarkAndWithoutInput(t *testing.T) {
	for _, test := range []struct{ source, sent string }{
		{"%%\nfmt.Println(1)", "%%\ndefer attuneCellEnds(); fmt.Println(1)"},
		{"import \"fmt\"\n%main -n 3\n\n// comment\nfmt.Println(1)", "import \"fmt\"\n%main -n 3\n\ndefer attuneCellEnds(); // comment\nfmt.Println(1)"},
		{"%%\n!ls \\\n  -l\nx()", "%%\n!exec </dev/null; ls \\\n  -l\ndefer attuneCellEnds(); x()"},
		{"//gonb:%%\nx()", "//gonb:%%\ndefer attuneCellEnds(); x()"},
		{"func f() { main() }\nfunc main() {\n\tf()\n}", "func f() { main() }\nfunc main() { defer attuneCellEnds();\n\tf()\n}"},
		{"!echo a\nfunc main() { }", "!exec </dev/null; echo a\nfunc main() { defer attuneCellEnds(); }"},
		{"const a = 1", "const a = 1"},
		{"%%", "%%"},
		{"var s = `func main() {`", "var s = `func main() {`"},
		{"func (t T) main() {}", "func (t T) main() {}"},
		{"! *cat", "!*exec </dev/null; cat"},
		{"//gonb:!cat", "//gonb:!exec </dev/null; cat"},
		{"!\n!*\n! ", "!\n!*\n! "},
		{"%%bash\nread x", "%%bash\nread x"},
		{"%%writefile a.go\nfunc main() {}", "%%writefile a.go\nfunc main() {}"},
	} {
		h := headless{folder: t.TempDir(), mark: "unused"}
		sent, marked, err := h.prepare(test.source)
		if err != nil || sent != test.sent || marked != strings.Contains(sent, "defer attune") {
			t.Errorf("%q is sent as\n%q, marked %v, %v; expected\n%q", test.source, sent, marked, err, test.sent)
		}
	}
	for built, want := range map[bool]string{true: "!*exec </dev/null; " + bind[2:] + "\n%noautoget", false: "!*exec </dev/null; " + bind[2:]} {
		if sent, _, err := (headless{built: built}).prepare(bind); sent != want || err != nil {
			t.Errorf("built %v: the cell that binds is sent as %q, %v; expected %q", built, sent, err, want)
		}
	}
	source := "%%\nx"
	if sent, marked, err := (headless{}).prepare(source); sent != source || marked || err != nil {
		t.Errorf("without GoNB's folder %q is sent, %v", sent, err)
	}
}
