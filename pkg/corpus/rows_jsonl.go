package corpus

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strconv"
	"unicode/utf8"
)

// jsonRows reads an object per line; blank lines are skipped.
func jsonRows(path string) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		file, err := os.Open(path)
		if err != nil {
			yield(Row{}, fmt.Errorf("corpus: %w", err))
			return
		}
		defer file.Close()
		lines := bufio.NewReaderSize(file, 1<<16)
		for line := 1; ; line++ {
			text, err := lines.ReadBytes('\n')
			if err != nil && !errors.Is(err, io.EOF) {
				yield(Row{}, fmt.Errorf("%s:%d: %w", path, line, err))
				return
			}
			if line == 1 {
				text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")) // a byte order mark
			}
			if len(bytes.TrimSpace(text)) > 0 {
				row, bad := jsonRow(text)
				row.File, row.Line = path, line
				var rowErr error
				if bad != nil {
					rowErr = at(path, line, bad)
				}
				if !yield(row, rowErr) {
					return
				}
			}
			if err != nil {
				return
			}
		}
	}
}

// jsonRow reads one object.
func jsonRow(text []byte) (Row, error) {
	row := Row{Text: make(map[string]string), Lists: make(map[string][]string)}
	if !utf8.Valid(text) {
		return row, problem(InvalidUTF8, "not valid UTF-8: convert the file to UTF-8")
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber() // 1e21 stays as it was written
	var fields map[string]any
	if err := decoder.Decode(&fields); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return row, problem(OpenSection, "the JSON object never closes in %s: is the line cut off?", excerpt(text))
		}
		return row, problem(Malformed, "%w in %s: expected one JSON object per line", err, excerpt(text))
	}
	if decoder.More() {
		return row, problem(Malformed, "more text after the JSON object in %s: expected one per line", excerpt(text))
	}
	return row, row.setAll("", fields)
}

// setAll puts decoded values into the row; null is a field that is not there.
func (r Row) setAll(prefix string, fields map[string]any) error {
	for name, value := range fields {
		if err := r.set(prefix+name, value); err != nil {
			return err
		}
	}
	return nil
}

func (r Row) set(name string, value any) error {
	switch v := value.(type) {
	case nil:
	case map[string]any:
		return r.setAll(name+"_", v)
	case []any:
		list := make([]string, len(v))
		for i, element := range v {
			text, ok := scalar(element)
			if !ok {
				return problem(Malformed, "field %q: entry %d is a %T, expected texts or numbers", name, i, element)
			}
			list[i] = text
		}
		r.Lists[name] = list
	default:
		text, ok := scalar(v)
		if !ok {
			return problem(Malformed, "field %q is a %T, expected a text, a number or a list of them", name, v)
		}
		r.Text[name] = text
	}
	return nil
}

// scalar writes a value of JSON or parquet as text.
func scalar(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case []byte:
		return string(v), true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	case int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64:
		return fmt.Sprint(v), true
	case float32:
		return strconv.FormatFloat(float64(v), 'g', -1, 32), true
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), true
	}
	return "", false
}
