package kernel

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheChangeFitsThePinnedKernel: a new version of GoNB that has another line is built as it is, and the classic notebook's tooltips would be empty again.
func TestTheChangeFitsThePinnedKernel(t *testing.T) {
	folder := t.TempDir()
	path, err := changedKernel(t.Context(), filepath.Join("..", "..", ".."), folder)
	if err != nil {
		t.Fatal(err)
	}
	if path == "" {
		t.Fatal("GoNB no longer has the line that sends markdown only: see whether it sends plain text now, and drop or change the copy")
	}
	text, err := os.ReadFile(filepath.Join(folder, "gonb", filepath.FromSlash(inspectFile)))
	if err != nil || !strings.Contains(string(text), "MIMETextPlain): strings.TrimSpace") {
		t.Errorf("the copy does not send plain text (%v)", err)
	}
	if got := withModfile([]string{"GOFLAGS=-v", "A=b"}, "/x y/go.mod"); !strings.Contains(strings.Join(got, "|"), "GOFLAGS=-v '-modfile=/x y/go.mod'") {
		t.Errorf("the environment is %q", got)
	}
	if got := withModfile([]string{"A=b"}, ""); len(got) != 1 {
		t.Errorf("without a change the environment is %q", got)
	}
}
