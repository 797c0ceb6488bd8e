package source

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"

	"github.com/attune-lab/attune/pkg/corpus"
	"github.com/attune-lab/attune/pkg/internal/testlimit"
)

// fuzzLongest: a new input is minimised by running it about its length squared times, so long ones would take all the time. Sizes have tests of their own.
const fuzzLongest = 300

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
		if len(content) > fuzzLongest {
			return
		}
		testlimit.Run(t, len(content), func() {
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

// FuzzParquet changes files of testdata. The first byte of an input picks the file; every three that follow are a place, little-endian, and what is put
// there, and a place behind the file's end cuts it off at the place less its length. So a few bytes reach far into the formats, where whole files as inputs spend
// minutes on being minimised for each that is new.
func FuzzParquet(f *testing.F) {
	var files [][]byte
	paths, err := filepath.Glob("testdata/parquet/*.parquet")
	if err != nil || len(paths) == 0 {
		f.Fatal("no parquet files in testdata")
	}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		if len(content) > 4096 {
			continue // small ones are read faster
		}
		i := len(files)
		files = append(files, content)
		end := len(content)
		f.Add([]byte{byte(i)})
		f.Add([]byte{byte(i), byte(end - 8), byte((end - 8) >> 8), 0xff, byte(end - 20), byte((end - 20) >> 8), 0x15})
		f.Add([]byte{byte(i), 4, 0, 0x19, 60, 0, 0xff, byte(end + 100), byte((end + 100) >> 8), 0})
	}
	f.Fuzz(func(t *testing.T, changes []byte) {
		if len(changes) == 0 || len(changes) > fuzzLongest/3 {
			return
		}
		content := bytes.Clone(files[int(changes[0])%len(files)])
		for rest := changes[1:]; len(rest) >= 3; rest = rest[3:] {
			place := int(binary.LittleEndian.Uint16(rest))
			if place < len(content) {
				content[place] = rest[2]
			} else {
				content = content[:min(len(content), place-len(content))]
			}
		}
		testlimit.Run(t, len(content), func() {
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
