package hub

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestParseRef(t *testing.T) {
	for text, want := range map[string]Ref{
		"hf:Qwen/Qwen2.5-0.5B":       {Repo: "Qwen/Qwen2.5-0.5B", Revision: "main"},
		"hf:a/b@v1.0":                {Repo: "a/b", Revision: "v1.0"},
		"hf:a/b@refs/pr/1":           {Repo: "a/b", Revision: "refs/pr/1"},
		"hf:a_1/b.c-d@" + testCommit: {Repo: "a_1/b.c-d", Revision: testCommit},
	} {
		got, err := ParseRef(text)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		if again, err := ParseRef(got.String()); err != nil || again != got {
			t.Errorf("%s is written %s, which reads %+v, %v", text, got, again, err)
		}
	}
}

// No reference leads out of the cache.
func FuzzParseRef(f *testing.F) {
	for _, text := range []string{"hf:a/b", "hf:a/b@../..", "hf:../b", "hf:a/..@main", "hf:a/b@/etc", "hf:a/b@x/../../y", "hf:a/b@C:\\x"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ref, err := ParseRef(text)
		if err != nil {
			return
		}
		root := filepath.FromSlash("/cache")
		c, err := openCache(root, ref)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Dir(c.dir) != root {
			t.Errorf("%q is kept in %s", text, c.dir)
		}
		at := filepath.Join(c.dir, "refs", filepath.FromSlash(ref.Revision))
		if !strings.HasPrefix(at, filepath.Join(c.dir, "refs")+string(filepath.Separator)) {
			t.Errorf("%q is noted in %s", text, at)
		}
	})
}
