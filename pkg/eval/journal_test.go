package eval

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tear cuts bytes off the end of a file, as a process does that dies while it writes.
func tear(t *testing.T, path string, bytes int64) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, info.Size()-bytes); err != nil {
		t.Fatal(err)
	}
}

func mustOpen(t *testing.T, path string) *Journal {
	t.Helper()
	j, err := OpenJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.file.Close() })
	return j
}

func writeJournal(t *testing.T, path string) {
	t.Helper()
	j := mustOpen(t, path)
	if err := j.Append([]Entry{{"k1", "t", "a", "1", []float64{-0.1, -1e-300, -1.0 / 3}, nil}, {"k2", "t", "a", "2", []float64{-1}, json.RawMessage(`{"why":"<so>"}`)}}); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestJournalReadsBackEveryBit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "journal.jsonl")
	writeJournal(t, path)
	j := mustOpen(t, path)
	first, known := j.Entry("k1")
	scores := first.Scores
	if !known || first.Detail != nil || len(scores) != 3 || scores[0] != -0.1 || scores[1] != -1e-300 || scores[2] != -1.0/3 || j.Len() != 2 || j.Torn() != 0 {
		t.Errorf("read back %v", scores)
	}
	if second, _ := j.Entry("k2"); string(second.Detail) != `{"why":"<so>"}` {
		t.Errorf("read back the detail %s", second.Detail)
	}
	if _, known := j.Entry("k3"); known {
		t.Error("a key is known that was never written")
	}
}

func TestJournalTornAnywhereKeepsTheCompleteLines(t *testing.T) {
	whole := filepath.Join(t.TempDir(), "whole")
	writeJournal(t, whole)
	text, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	for size := range len(text) + 1 {
		path := filepath.Join(t.TempDir(), "torn")
		if err := os.WriteFile(path, text[:size], 0o644); err != nil {
			t.Fatal(err)
		}
		want := max(0, strings.Count(string(text[:size]), "\n")-1)
		j := mustOpen(t, path)
		if j.Len() != want {
			t.Fatalf("%d of %d bytes: %d entries, expected %d", size, len(text), j.Len(), want)
		}
		// What is appended after the tear must be readable, too.
		if err := j.Append([]Entry{{"k9", "t", "a", "9", []float64{-9}, nil}}); err != nil {
			t.Fatal(err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		if again := mustOpen(t, path); again.Len() != want+1 || again.Torn() != 0 {
			t.Fatalf("%d of %d bytes: %d entries after one more, expected %d", size, len(text), again.Len(), want+1)
		}
	}
}

func TestJournalZeroFilledEndIsTorn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	writeJournal(t, path)
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if j := mustOpen(t, path); j.Len() != 2 || j.Torn() != 100 {
		t.Errorf("%d entries, %d bytes cut", j.Len(), j.Torn())
	}
}

func TestJournalLeavesOtherFilesAlone(t *testing.T) {
	tests := []struct{ name, content, want string }{
		{"another file", "precious data", ":1:"},
		{"another version", `{"journal":"attune/eval","version":2}` + "\n", ":1:"},
		{"broken in the middle", journalHeader + "garbage\n" + `{"key":"k","scores":[1]}` + "\n", ":2:"},
		{"entry without a key", journalHeader + `{"scores":[1]}` + "\n" + `{"key":"k","scores":[1]}` + "\n", ":2:"},
	}
	for _, test := range tests {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, []byte(test.content), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenJournal(path); err == nil || !strings.Contains(err.Error(), path+test.want) {
			t.Errorf("%s: error %v, expected one with file and line", test.name, err)
		}
		if after, err := os.ReadFile(path); err != nil || string(after) != test.content {
			t.Errorf("%s: the file was changed", test.name)
		}
	}
}

func TestJournalRefusesWhatJSONCannotHold(t *testing.T) {
	j := mustOpen(t, filepath.Join(t.TempDir(), "journal"))
	if err := j.Append([]Entry{{"k", "t", "a", "1", []float64{math.NaN()}, nil}}); err == nil || !strings.Contains(err.Error(), "not finite") {
		t.Errorf("error %v", err)
	}
	if j.Len() != 0 {
		t.Error("the refused entry is known")
	}
}
