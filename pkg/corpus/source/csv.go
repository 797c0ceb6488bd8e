package source

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"

	"github.com/attune-lab/attune/pkg/corpus"
)

// csvRows reads RFC 4180 with a header. A quote that never closes takes the rest of the file with it: that is one bad row, told as what it is.
func csvRows(path string) iter.Seq2[corpus.Row, error] {
	return func(yield func(corpus.Row, error) bool) {
		file, err := os.Open(path)
		if err != nil {
			yield(corpus.Row{}, fmt.Errorf("corpus: %w", err))
			return
		}
		defer file.Close()
		reader := csv.NewReader(file)
		reader.FieldsPerRecord = -1 // counted here, where the error can say more
		header, err := reader.Read()
		if err != nil {
			yield(corpus.Row{}, fmt.Errorf("%s:1: reading the header: %w: expected a first row with the names of the fields", path, err))
			return
		}
		header[0] = strings.TrimPrefix(header[0], "\ufeff")
		if i := (corpus.Item{Options: header}).RepeatedOption(); i >= 0 {
			yield(corpus.Row{}, fmt.Errorf("%s:1: the header names %q twice", path, header[i]))
			return
		}
		for {
			record, err := reader.Read()
			if errors.Is(err, io.EOF) {
				return
			}
			row := corpus.Row{File: path, Text: make(map[string]string, len(header))}
			if parse, ok := errors.AsType[*csv.ParseError](err); ok {
				err = at(path, parse.StartLine, csvFault(parse))
			} else if err != nil {
				yield(corpus.Row{}, fmt.Errorf("%s: %w", path, err))
				return
			} else {
				row.Line, _ = reader.FieldPos(0)
				if err = fillRow(row, header, record); err != nil {
					err = at(path, row.Line, err)
				}
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

func csvFault(parse *csv.ParseError) error {
	if errors.Is(parse.Err, csv.ErrQuote) && parse.Line > parse.StartLine {
		return rowError(corpus.OpenSection, "a quote opens in this row and does not close as it should by line %d: %w; what is between is lost with the row", parse.Line, parse.Err)
	}
	return rowError(corpus.Malformed, "line %d, column %d: %w", parse.Line, parse.Column, parse.Err)
}

func fillRow(row corpus.Row, header, record []string) error {
	if len(record) < len(header) {
		return rowError(corpus.MissingField, "found %d fields, expected %d: %q is missing", len(record), len(header), header[len(record)])
	}
	if len(record) > len(header) {
		return rowError(corpus.Malformed, "found %d fields, expected %d (%s): is a comma not quoted?", len(record), len(header), strings.Join(header, ", "))
	}
	for i, name := range header {
		row.Text[name] = record[i]
	}
	return checkUTF8(row)
}
