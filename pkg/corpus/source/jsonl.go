package source

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/attune-lab/attune/pkg/corpus"
)

// jsonRows reads an object per line; blank lines are skipped.
func jsonRows(path string) iter.Seq2[corpus.Row, error] {
	return func(yield func(corpus.Row, error) bool) {
		file, err := os.Open(path)
		if err != nil {
			yield(corpus.Row{}, fmt.Errorf("corpus: %w", err))
			return
		}
		defer file.Close()
		lines := bufio.NewReaderSize(file, 1<<16)
		for line := 1; ; line++ {
			text, err := lines.ReadBytes('\n')
			if err != nil && !errors.Is(err, io.EOF) {
				yield(corpus.Row{}, fmt.Errorf("%s:%d: %w", path, line, err))
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
func jsonRow(text []byte) (corpus.Row, error) {
	row := corpus.Row{Text: make(map[string]string), Lists: make(map[string][]string)}
	if !utf8.Valid(text) {
		return row, rowError(corpus.InvalidUTF8, "not valid UTF-8: convert the file to UTF-8")
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber() // 1e21 stays as it was written
	var fields map[string]any
	if err := decoder.Decode(&fields); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return row, rowError(corpus.OpenSection, "the JSON object never closes in %s: is the line cut off?", excerpt(text))
		}
		return row, rowError(corpus.Malformed, "%w in %s: expected one JSON object per line", err, excerpt(text))
	}
	if decoder.More() {
		return row, rowError(corpus.Malformed, "more text after the JSON object in %s: expected one per line", excerpt(text))
	}
	return row, setAll(row, "", fields)
}

// setAll puts decoded values into the row; null is a field that is not there.
func setAll(r corpus.Row, prefix string, fields map[string]any) error {
	for name, value := range fields {
		if err := set(r, prefix+name, value); err != nil {
			return err
		}
	}
	return nil
}

func set(r corpus.Row, name string, value any) error {
	switch v := value.(type) {
	case nil:
	case map[string]any:
		return setAll(r, name+"_", v)
	case []any:
		list := make([]string, len(v))
		for i, element := range v {
			text, ok := scalar(element)
			if !ok {
				return rowError(corpus.Malformed, "field %q: entry %d is a %T, expected texts or numbers", name, i, element)
			}
			list[i] = text
		}
		r.Lists[name] = list
	default:
		text, ok := scalar(v)
		if !ok {
			return rowError(corpus.Malformed, "field %q is a %T, expected a text, a number or a list of them", name, v)
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

// eachLine calls do with every line of a file, counted from 1, without its line end. An error of do is returned with
// the file and line before it.
func eachLine(path string, do func(line int, text []byte) error) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("corpus: %w", err)
	}
	defer file.Close()
	const maxLine = 16 << 20 // an item of more than 16 MiB is a wrong file
	lines := bufio.NewScanner(file)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	n := 0
	for lines.Scan() {
		n++
		text := lines.Bytes()
		if n == 1 {
			text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")) // a byte order mark
		}
		if !utf8.Valid(text) {
			return fmt.Errorf("%s:%d: not valid UTF-8: convert the file to UTF-8", path, n)
		}
		if err := do(n, text); err != nil {
			return fmt.Errorf("%s:%d: %w", path, n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s:%d: %w", path, n+1, err)
	}
	return nil
}

// decodeStrict reads exactly one JSON object. Unknown fields are refused when closed is set.
func decodeStrict(text []byte, into any, closed bool) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	if closed {
		decoder.DisallowUnknownFields()
	}
	if err := decoder.Decode(into); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("the JSON object ends too early in %s: is the line cut off?", excerpt(text))
		}
		return fmt.Errorf("%s in %s: expected one JSON object per line", strings.TrimPrefix(err.Error(), "json: "), excerpt(text))
	}
	if decoder.More() {
		return fmt.Errorf("more text after the JSON object in %s: expected one per line", excerpt(text))
	}
	return nil
}

// excerpt is a short quotation for an error.
func excerpt(text []byte) string {
	const most = 60
	runes := []rune(string(text))
	if len(runes) > most {
		return fmt.Sprintf("%q...", string(runes[:most]))
	}
	return fmt.Sprintf("%q", string(runes))
}

// readLabels reads a file with one label per line and maps each through known.
func readLabels(path string, known []string) ([]int, error) {
	var labels []int
	err := eachLine(path, func(_ int, text []byte) error {
		found := strings.TrimSpace(string(text))
		for i, label := range known {
			if found == label {
				labels = append(labels, i)
				return nil
			}
		}
		return fmt.Errorf("label %q, expected one of %s", found, strings.Join(known, ", "))
	})
	return labels, err
}

// labelled joins the items of a file with their labels.
func labelled(items []corpus.Item, itemsPath string, labels []int, labelsPath string) ([]corpus.Item, error) {
	if len(items) != len(labels) {
		return nil, fmt.Errorf("%s has %d items and %s has %d labels: expected one label per item; fetch both files again from one place",
			itemsPath, len(items), labelsPath, len(labels))
	}
	if len(items) == 0 {
		return nil, fmt.Errorf("%s: no items: expected one JSON object per line", itemsPath)
	}
	for i := range items {
		items[i].Answer = labels[i]
	}
	return items, nil
}

// record is an item as a line of JSON.
type record struct {
	ID       string       `json:"id"`
	Domain   string       `json:"domain"`
	STEM     bool         `json:"stem"`
	Question string       `json:"question"`
	Options  []string     `json:"options"`
	Answer   string       `json:"answer"` // the letter: "A" is the first option
	Analysis string       `json:"analysis"`
	Source   string       `json:"source"`
	Grade    corpus.Grade `json:"grade,omitempty"`
}

// ReadJSONL reads one's own items: a line each, `question`, `options` and `answer` (a letter) required; `id`, `domain`, `stem`,
// `analysis` and `source` optional. A missing id becomes file:line, a missing domain the file's name. Blank lines are
// skipped. An unknown field is an error, because a misspelt one would be lost in silence; so are equal options and
// an id that was there before.
func ReadJSONL(path string) ([]corpus.Item, error) {
	base := filepath.Base(path)
	firstLine := make(map[string]int)
	var items []corpus.Item
	err := eachLine(path, func(line int, text []byte) error {
		if len(bytes.TrimSpace(text)) == 0 {
			return nil
		}
		var r record
		if err := decodeStrict(text, &r, true); err != nil {
			return err
		}
		if r.Options == nil {
			return fmt.Errorf("no options: an item needs question, options and answer")
		}
		letter := strings.TrimSpace(r.Answer)
		if len(letter) != 1 || letter[0] < 'A' || letter[0] >= 'A'+corpus.MaxOptions {
			return fmt.Errorf(`answer is %q, expected the letter of an option, such as "A"`, r.Answer)
		}
		where := fmt.Sprintf("%s:%d", base, line)
		item := corpus.Item{
			ID: cmp.Or(r.ID, where), Domain: cmp.Or(r.Domain, strings.TrimSuffix(base, filepath.Ext(base))), STEM: r.STEM,
			Question: r.Question, Options: r.Options, Answer: int(letter[0] - 'A'), Analysis: r.Analysis, Source: cmp.Or(r.Source, where), Grade: r.Grade,
		}
		if err := item.Validate(); err != nil {
			return err
		}
		if i := item.RepeatedOption(); i >= 0 {
			return fmt.Errorf("option %s %q repeats an earlier one: options must differ", corpus.Letter(i), item.Options[i])
		}
		if before, met := firstLine[item.ID]; met {
			return fmt.Errorf("id %q is already that of line %d: ids must differ", item.ID, before)
		}
		firstLine[item.ID] = line
		items = append(items, item)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return nil, fmt.Errorf("%s: no items: expected one JSON object per line", path)
	}
	return items, nil
}
