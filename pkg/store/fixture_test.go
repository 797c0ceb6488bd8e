package store

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// writePart writes records of the size that scores have as a part of the test's job, without a Writer's checks: a million of them in a second.
func writePart(t *testing.T, s *Store, name string, from, n int) {
	t.Helper()
	folder, err := s.begin(job)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(filepath.Join(folder, name+partExt))
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(file)
	w.WriteString(header)
	for i := range n {
		fmt.Fprintf(w, `{"item":"%064x","data":{"scores":[-1.2345678901234567,-2.3456789012345678,-3.4567890123456789,-4.5678901234567891],"tokens":{"prompt":%d}}}`+"\n", from+i, i)
	}
	if err := errors.Join(w.Flush(), file.Close()); err != nil {
		t.Fatal(err)
	}
}
