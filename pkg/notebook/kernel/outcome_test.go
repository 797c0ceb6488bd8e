package kernel

import "testing"

func TestOutcomeTakesOnlyGoNBsOwnMarks(t *testing.T) {
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
		o := newOutcome(test.source)
		o.message(published(t, "stream", map[string]any{"name": test.name, "text": test.text}))
		reason, _ := o.reasonAfter(&reply{Status: "ok"})
		if (reason != "") != test.fails {
			t.Errorf("%q with %q on %s: reason %q", test.source, test.text, test.name, reason)
		}
	}
}
