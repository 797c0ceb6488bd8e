package corpus

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

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
func labelled(items []Item, itemsPath string, labels []int, labelsPath string) ([]Item, error) {
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
