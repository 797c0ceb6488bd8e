package corpus

import (
	"fmt"
	"iter"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// Rows reads a file of one's own by its ending, row by row, without holding it in memory:
//
//	.csv      the first row names the fields
//	.jsonl    an object per line; an array of texts is a list, a field of an inner object gets both names (choices_text)
//	.parquet  likewise
//	.sections rows of "@Name: text" fields, each row closed by a line "@end"; lines "A. ...", "B. ..." are a list
//
// A row that cannot be used comes as a [*BadRow] and the next one follows; [Sift] and [Collect] decide what to do with it. Every other
// error is the last thing that comes.
func Rows(path string) (iter.Seq2[Row, error], error) {
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
func (r Row) checkUTF8() error {
	for name, text := range r.Text {
		if !utf8.ValidString(text) {
			return problem(InvalidUTF8, "field %q is not valid UTF-8: convert the file to UTF-8", name)
		}
	}
	for name, list := range r.Lists {
		for _, text := range list {
			if !utf8.ValidString(text) {
				return problem(InvalidUTF8, "field %q is not valid UTF-8: convert the file to UTF-8", name)
			}
		}
	}
	return nil
}

// Texts renders rows with a template. What a template refuses is a bad row like any other.
func Texts(rows iter.Seq2[Row, error], t *Template) iter.Seq2[Text, error] {
	return through(rows, t.Render)
}

// through maps rows, and puts the place of the row into an error.
func through[T any](rows iter.Seq2[Row, error], do func(Row) (T, error)) iter.Seq2[T, error] {
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
		option, is := strings.CutPrefix(strings.TrimRight(line, "\n"), Letter(len(list))+". ")
		if !is {
			return nil, false
		}
		list = append(list, option)
	}
	return list, len(list) > 1
}
