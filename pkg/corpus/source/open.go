package source

import (
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/attune-lab/attune/pkg/corpus"
)

// Kind of a set, as [ReadAny] recognises it.
type Kind string

// The kinds of sets on disk.
const (
	KindSIQA  Kind = "siqa"
	KindPIQA  Kind = "piqa"
	KindMMLU  Kind = "mmlu"  // its test split
	KindJSONL Kind = "jsonl" // one's own items, or an exported corpus's held-out split
)

// exported is the file that an exported corpus is recognised by.
const exported = "heldout.jsonl"

// Detect recognises a set by its files: a directory of SIQA, PIQA, MMLU or of an exported corpus, or a .jsonl file.
func Detect(path string) (Kind, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("corpus: no items there: %w", err)
	}
	if !info.IsDir() {
		if filepath.Ext(path) == ".jsonl" {
			return KindJSONL, nil
		}
		return "", fmt.Errorf("corpus: %s is a file and not named *.jsonl: expected a .jsonl file with an item per line, or the directory of a published set", path)
	}
	has := func(pattern ...string) bool {
		found, err := filepath.Glob(filepath.Join(append([]string{escapeGlob(path)}, pattern...)...))
		return err == nil && len(found) > 0
	}
	switch {
	case has(siqaItems) && has(siqaLabels):
		return KindSIQA, nil
	case has(piqaItems) && has(piqaLabels):
		return KindPIQA, nil
	case has("test", "*_test.csv"):
		return KindMMLU, nil
	case has(exported):
		return KindJSONL, nil
	}
	return "", fmt.Errorf("corpus: %s holds no set that is known here: looked for SIQA (%s and %s), PIQA (%s and %s), MMLU (test/*_test.csv) and an exported corpus (%s); a single .jsonl file is given by its own path",
		path, siqaItems, siqaLabels, piqaItems, piqaLabels, exported)
}

// ReadAny reads whichever set is at path, see [Detect].
func ReadAny(path string) (Kind, []corpus.Item, error) {
	kind, err := Detect(path)
	if err != nil {
		return "", nil, err
	}
	var items []corpus.Item
	switch kind {
	case KindSIQA:
		items, err = ReadSIQA(path)
	case KindPIQA:
		items, err = ReadPIQA(path)
	case KindMMLU:
		items, err = ReadMMLU(path, "test")
	case KindJSONL:
		if info, statErr := os.Stat(path); statErr == nil && info.IsDir() {
			path = filepath.Join(path, exported)
		}
		items, err = ReadJSONL(path)
	}
	return kind, items, err
}

// escapeGlob takes the special meaning from a path's characters.
func escapeGlob(path string) string {
	escaped := make([]rune, 0, len(path))
	for _, c := range path {
		switch c {
		case '*', '?', '[', '\\':
			escaped = append(escaped, '\\')
		}
		escaped = append(escaped, c)
	}
	return string(escaped)
}

// Rows reads a file of one's own by its ending, row by row, without holding it in memory:
//
//	.csv      the first row names the fields
//	.jsonl    an object per line; an array of texts is a list, a field of an inner object gets both names (choices_text)
//	.parquet  likewise
//	.sections rows of "@Name: text" fields, each row closed by a line "@end"; lines "A. ...", "B. ..." are a list
//
// A row that cannot be used comes as a [*RowError] and the next one follows; [SkipBad] and [ReadAll] decide what to do with it. Every other
// error is the last thing that comes.
func Rows(path string) (iter.Seq2[corpus.Row, error], error) {
	switch filepath.Ext(path) {
	case ".csv":
		return csvRows(path), nil
	case ".jsonl":
		return jsonRows(path), nil
	case ".parquet":
		return parquetRows(path), nil
	case ".sections":
		return sectionRows(path), nil
	}
	return nil, fmt.Errorf("corpus: %s: rows are read from .csv, .jsonl, .parquet and .sections files", path)
}

// checkUTF8 names the field that is not UTF-8.
func checkUTF8(r corpus.Row) error {
	for name, text := range r.Text {
		if !utf8.ValidString(text) {
			return rowError(corpus.InvalidUTF8, "field %q is not valid UTF-8: convert the file to UTF-8", name)
		}
	}
	for name, list := range r.Lists {
		for _, text := range list {
			if !utf8.ValidString(text) {
				return rowError(corpus.InvalidUTF8, "field %q is not valid UTF-8: convert the file to UTF-8", name)
			}
		}
	}
	return nil
}

// Texts renders rows with a template. What a template refuses is a bad row like any other.
func Texts(rows iter.Seq2[corpus.Row, error], t *corpus.Template) iter.Seq2[corpus.Text, error] {
	return through(rows, t.Render)
}

// through maps rows, and puts the place of the row into an error.
func through[T any](rows iter.Seq2[corpus.Row, error], do func(corpus.Row) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for row, err := range rows {
			var result T
			if err == nil {
				if result, err = do(row); err != nil {
					err = at(row.File, row.Line, err)
				}
			}
			if !yield(result, err) {
				return
			}
		}
	}
}

// listOf reads lines "A. ...", "B. ...", ... as a list; ok is false if the text is anything else or has one line only.
func listOf(text string) (list []string, ok bool) {
	for line := range strings.Lines(text) {
		option, is := strings.CutPrefix(strings.TrimRight(line, "\n"), corpus.Letter(len(list))+". ")
		if !is {
			return nil, false
		}
		list = append(list, option)
	}
	return list, len(list) > 1
}
