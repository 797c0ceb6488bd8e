package note

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestPathsInsideTextBecomePortable(t *testing.T) {
	root, dir := repository(t)
	t.Setenv("HOME", "/home/somebody")
	r := open(t, nil)
	for in, want := range map[string]string{
		"see " + root + "/a/b.json, then":           "see a/b.json, then",
		"in " + root + ".":                          "in ..",
		root + "2/x":                                "…/" + filepath.Base(root) + "2/x", // a longer name: not the repository
		"file://" + root + "/x":                     "file://x",
		"x=" + dir + "/figures/a.png":               "x=figures/a.png",
		"~ is /home/somebody/models":                "~ is ~/models",
		"/etc/passwd and /etc/no/such/file":         "…/passwd and /etc/no/such/file",
		"(/usr/lib/x.so)":                           "(…/x.so)",
		"3 /4 and/or /... or / or //":               "3 /4 and/or /... or / or //",
		"https://example.org/usr/lib and a/usr/lib": "https://example.org/usr/lib and a/usr/lib",
		"no path": "no path",
	} {
		if got := r.portable(in); got != want && !(strings.HasPrefix(in, root+"2") && !strings.HasPrefix(got, root+"/")) {
			t.Errorf("portable(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzCleanTextIsStable(f *testing.F) {
	for _, s := range []string{"a /etc/passwd.", "\x1b[31m/usr/lib\u202e", "/../..", "/a//b", "=/tmp=/tmp"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r := &Run{dir: "/work/run", root: "/work"}
		once := r.clean(s)
		if strings.ContainsAny(once, "\x1b\x00\u202e") {
			t.Errorf("%q stays in %q", once, s)
		}
		if twice := r.clean(once); strings.Contains(twice, "\x1b") {
			t.Errorf("cleaned again %q is %q", once, twice)
		}
	})
}
