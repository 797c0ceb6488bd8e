//go:build unix

package source

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/attune-lab/attune/pkg/corpus"
	"github.com/attune-lab/attune/pkg/internal/testlimit"
)

// repeat is a text of n bytes that is never held.
type repeat struct {
	text string
	n    int64
}

func (r *repeat) Read(p []byte) (int, error) {
	if r.n <= 0 {
		return 0, io.EOF
	}
	n := 0
	for n+len(r.text) <= len(p) && r.n > 0 {
		n += copy(p[n:], r.text)
		r.n -= int64(len(r.text))
	}
	return n, nil
}

// TestALongLineIsRefusedInLittleMemory: 300 MB without the end of a row.
func TestALongLineIsRefusedInLittleMemory(t *testing.T) {
	for ending, test := range map[string]struct {
		read  textFormat
		start string
		text  string
	}{
		".csv":      {csvTable, "question,A,B,answer\n", "x"},
		".CSV":      {csvTable, "question,A,B,answer\n\"", "x\n"},
		".jsonl":    {jsonLines, `{"question":"`, "x"},
		".json":     {jsonDocument, `[{"question":"`, "x"},
		".sections": {sectionLines, "@question: ", "x\n"},
	} {
		var err error
		n := testlimit.Allocated(func() {
			text, openErr := newText("x"+ending, io.MultiReader(strings.NewReader(test.start), &repeat{test.text, 300 << 20}))
			if openErr != nil {
				t.Fatal(openErr)
			}
			test.read("x"+ending, text, func(_ corpus.Row, e error) bool { err = e; return err == nil })
		})
		if err == nil || !strings.Contains(err.Error(), "than 8 MiB") && !strings.Contains(err.Error(), "than 32 MiB") {
			t.Errorf("%s: error %v, expected one that names the limit", ending, err)
		}
		if n > testlimit.MemorySlack*160<<20 {
			t.Errorf("%s: %d bytes were allocated", ending, n)
		}
	}
}

// TestManyColumnsTakeLinearTime: 200,000 names.
func TestManyColumnsTakeLinearTime(t *testing.T) {
	const columns = 200_000
	var csv, json bytes.Buffer
	json.WriteByte('{')
	for i := range columns {
		fmt.Fprintf(&csv, "c%d,", i)
		fmt.Fprintf(&json, `"c%d":%d,`, i, i)
	}
	csv.WriteString("last\n" + strings.Repeat("1,", columns) + "2\n")
	json.WriteString(`"last":2}`)
	for name, content := range map[string]string{"x.csv": csv.String(), "x.jsonl": json.String()} {
		start := time.Now()
		rows, err := Rows(writeFile(t, name, content))
		if err != nil {
			t.Fatal(err)
		}
		for row, err := range rows {
			if err != nil || len(row.Text) != columns+1 || row.Text["last"] != "2" {
				t.Fatalf("%s: %d fields, %v", name, len(row.Text), err)
			}
		}
		if d := time.Since(start); d > testlimit.TimeSlack*testlimit.Time {
			t.Errorf("%s took %v", name, d)
		}
		if _, err := Open(t.Context(), writeFile(t, name, content), Options{}); err == nil || len(err.Error()) > 2000 || !strings.Contains(err.Error(), "more") {
			t.Errorf("%s: an error of %d bytes, expected a short one", name, len(fmt.Sprint(err)))
		}
	}
}

func TestPipesAndDevicesAreRefused(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skipf("no pipes here: %v", err)
	}
	for _, target := range []string{pipe, "/dev/zero", dir} {
		for ending := range formats {
			path := filepath.Join(t.TempDir(), "x"+ending)
			if err := os.Symlink(target, path); err != nil {
				t.Fatal(err)
			}
			if err := readRowsOf(path); err == nil || !strings.Contains(err.Error(), "expected a file") {
				t.Errorf("%s as %s: error %v", target, ending, err)
			}
		}
	}
	piqa := t.TempDir()
	write(t, filepath.Join(piqa, "valid.jsonl"), goodPIQA)
	if err := os.Symlink("/dev/zero", filepath.Join(piqa, "valid-labels.lst")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), piqa, Options{}); err == nil || !strings.Contains(err.Error(), "device") {
		t.Errorf("labels of a device: error %v", err)
	}
}

// TestRowsOfNothingButSeparatorsAreRefusedInLittleMemory: what costs the most memory for its bytes.
func TestRowsOfNothingButSeparatorsAreRefusedInLittleMemory(t *testing.T) {
	names := func(form string) string {
		var b strings.Builder
		for i := 0; b.Len() < maxRow-100; i++ {
			fmt.Fprintf(&b, form, i)
		}
		return b.String()
	}
	for name, content := range map[string]string{
		"x.csv":   strings.Repeat(",", maxRow-1),
		"y.csv":   names("%x,"),
		"z.csv":   "a,b\n" + strings.Repeat(",", maxRow-1),
		"x.jsonl": "{" + names(`"%x":1,`) + `"z":1}`,
		"y.jsonl": `{"a":[` + strings.Repeat("1,", maxRow/2-10) + "1]}",
		"z.jsonl": strings.Repeat("[", maxRow-1),
		"w.jsonl": strings.Repeat(`{"a":`, maxRow/5-1),
		"x.json":  "[{" + names(`"%x":1,`) + `"z":1}]`,
		"y.json":  "{" + names(`"%x":1,`) + `"z":1}`,
	} {
		path := writeFile(t, name, content)
		start := time.Now()
		n := testlimit.Allocated(func() { readRowsOf(path) })
		if d := time.Since(start); d > testlimit.TimeSlack*testlimit.Time {
			t.Errorf("%s took %v", name, d)
		}
		if most := testlimit.Bytes + 4*uint64(len(content)); n > testlimit.MemorySlack*2*most { // of all that was allocated, about half is held at once
			t.Errorf("%s: %d MiB were allocated", name, n>>20)
		}
	}
}
