package store

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/env"
)

// TestRoomsAreWhatGoLists: the rooms are those that `go list -deps` names, on this platform no fewer.
func TestRoomsAreWhatGoLists(t *testing.T) {
	root, err := env.Root()
	if err != nil {
		t.Fatal(err)
	}
	got, err := rooms(root)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"list", "-deps"}
	for _, room := range computing {
		args = append(args, "./"+room)
	}
	list := exec.Command("go", args...)
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{}
	for path := range strings.FieldsSeq(string(out)) {
		if own, ok := strings.CutPrefix(path, env.Module+"/"); ok {
			want = append(want, own)
		}
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("rooms %q, go list names %q", got, want)
	}
}

// TestSourcesChangeWithWhatComputes: code and modules are part of the hash; tests, prose and rooms that do not compute are not.
func TestSourcesChangeWithWhatComputes(t *testing.T) {
	root := t.TempDir()
	write := func(path, text string) {
		t.Helper()
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module "+env.Module+"\n")
	write("go.sum", "")
	for _, room := range computing {
		write(room+"/a.go", "package a\n\nimport _ \""+env.Module+"/pkg/model\"\n")
	}
	write("pkg/model/m.go", "package model\n")
	write("pkg/note/n.go", "package note\n")
	hash := func() string {
		t.Helper()
		h, err := Sources(root)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	before := hash()
	for _, path := range []string{"README.md", "pkg/model/m_test.go", "pkg/note/n.go", "pkg/model/testdata/x.json"} {
		write(path, "package changed\n")
		if hash() != before {
			t.Errorf("%s is part of the hash", path)
		}
	}
	for _, path := range []string{"go.mod", "go.sum", "pkg/eval/a.go", "pkg/model/m.go", "pkg/model/kernel.mlir"} {
		write(path, "package changed\n")
		after := hash()
		if after == before {
			t.Errorf("%s is not part of the hash", path)
		}
		before = after
	}
}
