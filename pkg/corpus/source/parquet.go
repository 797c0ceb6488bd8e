package source

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/attune-lab/attune/pkg/corpus"
	"github.com/parquet-go/parquet-go"
)

// parquetRows reads a parquet file row by row. A row's "line" is its number, from 1. Columns of texts, numbers, truth values, lists of them, and groups.
func parquetRows(path string) iter.Seq2[corpus.Row, error] {
	return func(yield func(corpus.Row, error) bool) {
		file, err := os.Open(path)
		if err != nil {
			yield(corpus.Row{}, fmt.Errorf("corpus: %w", err))
			return
		}
		defer file.Close()
		info, err := file.Stat()
		if err != nil {
			yield(corpus.Row{}, fmt.Errorf("corpus: %w", err))
			return
		}
		opened, err := parquet.OpenFile(file, info.Size())
		if err != nil {
			yield(corpus.Row{}, fmt.Errorf("%s: not a parquet file that can be read: %w: fetch it again", path, err))
			return
		}
		reader := parquet.NewReader(opened)
		defer reader.Close()
		for line := 1; ; line++ {
			row := corpus.Row{File: path, Line: line, Text: make(map[string]string), Lists: make(map[string][]string)}
			fields, err := readParquet(reader)
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil { // a page that is broken: nothing after it can be trusted
				yield(corpus.Row{}, fmt.Errorf("%s: row %d: %w: fetch the file again", path, line, err))
				return
			}
			if err = setAll(row, "", fields); err == nil {
				err = checkUTF8(row)
			}
			if err != nil {
				err = at(path, line, err)
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

// readParquet reads a row as maps and slices. The library panics on some damaged files; that is an error here.
func readParquet(reader *parquet.Reader) (fields map[string]any, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("damaged: %v", r)
		}
	}()
	fields = make(map[string]any)
	if err = reader.Read(&fields); err != nil {
		return nil, err
	}
	for name, value := range fields {
		fields[name] = plain(value)
	}
	return fields, nil
}

// plain takes parquet's own wrapping of lists away: {"list": [{"element": x}, ...]} is [x, ...], in the spellings in use.
func plain(value any) any {
	switch v := value.(type) {
	case map[string]any:
		if len(v) == 1 {
			for _, name := range []string{"list", "bag", "array"} {
				if list, ok := v[name].([]any); ok {
					return plain(list)
				}
			}
		}
		for name, inner := range v {
			v[name] = plain(inner)
		}
	case []any:
		for i, element := range v {
			if wrapped, ok := element.(map[string]any); ok && len(wrapped) == 1 {
				for _, name := range []string{"element", "item", "array_element"} {
					if inner, has := wrapped[name]; has {
						element = inner
					}
				}
			}
			v[i] = plain(element)
		}
	}
	return value
}
