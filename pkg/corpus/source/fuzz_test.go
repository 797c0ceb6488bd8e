package source

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime/metrics"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/attune-lab/attune/pkg/corpus"
)

// Bounds that every input is held to: see [bounded].
const (
	fuzzBytes   = 64 << 20 // and four times the input
	fuzzSeconds = 5
)

// bounded runs f and fails if it allocated more than 64 MiB and four times the input, in all, or took longer than five seconds.
func bounded(t *testing.T, input int, f func()) {
	t.Helper()
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	before, start := sample[0].Value.Uint64(), time.Now()
	f()
	metrics.Read(sample)
	if n := sample[0].Value.Uint64() - before; n > fuzzBytes+4*uint64(input) {
		t.Errorf("%d bytes were allocated for an input of %d", n, input)
	}
	if d := time.Since(start); d > fuzzSeconds*time.Second {
		t.Errorf("an input of %d bytes took %v", input, d)
	}
}

// checkRow fails on what no row may hold.
func checkRow(t *testing.T, row corpus.Row, err error) {
	t.Helper()
	if err != nil {
		if len(err.Error()) > 10_000 {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
		return
	}
	for name, text := range row.Text {
		if !utf8.ValidString(name) || !utf8.ValidString(text) {
			t.Errorf("field %q is %q, which is not UTF-8", name, text)
		}
	}
	for name, list := range row.Lists {
		for _, text := range list {
			if !utf8.ValidString(text) {
				t.Errorf("field %q holds %q, which is not UTF-8", name, text)
			}
		}
	}
	if item, err := (Columns{}).withDefaults().item(row); err == nil && item.Validate() != nil {
		t.Errorf("item %+v: %v", item, item.Validate())
	}
	shapeOf(row)
}

func fuzzText(f *testing.F, ending string, read textFormat) {
	for _, input := range oddInputs {
		for name, content := range input.files {
			if filepath.Ext(name) == ending {
				f.Add([]byte(content))
			}
		}
	}
	for _, test := range badFiles {
		if filepath.Ext(test.name) == ending {
			f.Add([]byte(test.content))
		}
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		bounded(t, len(content), func() {
			text, err := newText("x"+ending, bytes.NewReader(content))
			if err != nil {
				return
			}
			read("x"+ending, text, func(row corpus.Row, err error) bool {
				checkRow(t, row, err)
				return true
			})
		})
	})
}

func FuzzCSV(f *testing.F)      { fuzzText(f, ".csv", csvTable) }
func FuzzJSONL(f *testing.F)    { fuzzText(f, ".jsonl", jsonLines) }
func FuzzJSON(f *testing.F)     { fuzzText(f, ".json", jsonDocument) }
func FuzzSections(f *testing.F) { fuzzText(f, ".sections", sectionLines) }

func FuzzParquet(f *testing.F) {
	files, err := filepath.Glob("testdata/parquet/*.parquet")
	if err != nil || len(files) == 0 {
		f.Fatal("no parquet files in testdata")
	}
	for _, path := range files {
		content, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		if len(content) < 2000 { // small ones are mutated faster
			f.Add(content)
		}
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		bounded(t, len(content), func() {
			opened, err := openParquet(bytes.NewReader(content), int64(len(content)))
			if err != nil {
				return
			}
			opened.each(func(row corpus.Row, err error) bool {
				checkRow(t, row, err)
				return true
			})
		})
	})
}
