package notebook

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// encode writes a JSON value the way Jupyter does, `json.dumps(indent=1, sort_keys=True, ensure_ascii=False)`, so that saving a
// notebook here and saving it in Jupyter do not differ. encoding/json escapes <, >, & and U+2028, Python does not.
func encode(value any) ([]byte, error) {
	var b strings.Builder
	if err := encodeValue(&b, value, 0); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return []byte(b.String()), nil
}

func encodeValue(b *strings.Builder, value any, depth int) error {
	switch v := value.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case int:
		b.WriteString(strconv.Itoa(v))
	case json.Number:
		b.WriteString(v.String())
	case string:
		encodeString(b, v)
	case []any:
		if len(v) == 0 {
			b.WriteString("[]")
			return nil
		}
		b.WriteByte('[')
		for i, item := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			newline(b, depth+1)
			if err := encodeValue(b, item, depth+1); err != nil {
				return err
			}
		}
		newline(b, depth)
		b.WriteByte(']')
	case map[string]any:
		if len(v) == 0 {
			b.WriteString("{}")
			return nil
		}
		b.WriteByte('{')
		for i, key := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				b.WriteByte(',')
			}
			newline(b, depth+1)
			encodeString(b, key)
			b.WriteString(": ")
			if err := encodeValue(b, v[key], depth+1); err != nil {
				return err
			}
		}
		newline(b, depth)
		b.WriteByte('}')
	default: // values that a program put into the metadata: numbers and slices of other types
		data, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("a value of type %T does not fit into JSON: %w", v, err)
		}
		decoder := json.NewDecoder(strings.NewReader(string(data)))
		decoder.UseNumber()
		var plain any
		if err := decoder.Decode(&plain); err != nil {
			return err
		}
		return encodeValue(b, plain, depth)
	}
	return nil
}

func newline(b *strings.Builder, depth int) {
	b.WriteByte('\n')
	for range depth {
		b.WriteByte(' ')
	}
}

func encodeString(b *strings.Builder, s string) {
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"':
			b.WriteString(`\"`)
		case r == '\\':
			b.WriteString(`\\`)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\b':
			b.WriteString(`\b`)
		case r == '\f':
			b.WriteString(`\f`)
		case r < 0x20:
			fmt.Fprintf(b, `\u%04x`, r)
		default: // an invalid byte arrives as utf8.RuneError and is written as U+FFFD
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
}

// jsonError says where in the file JSON ends to make sense.
func jsonError(data []byte, decoder *json.Decoder, err error) error {
	var syntax *json.SyntaxError
	var mismatch *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF):
		return fmt.Errorf("line %d: the file ends in the middle of the notebook: it was truncated, restore it from version control", lineAt(data, int64(len(data))))
	case errors.As(err, &syntax):
		return fmt.Errorf("line %d: not JSON (%v): restore it from version control or repair the line (a merge conflict?)", lineAt(data, syntax.Offset), err)
	case errors.As(err, &mismatch):
		return fmt.Errorf("found a JSON %s, expected an object: this is not a notebook", mismatch.Value)
	}
	return fmt.Errorf("line %d: not a notebook: %w", lineAt(data, decoder.InputOffset()), err)
}

// lineAt is the 1-based line of a byte offset.
func lineAt(data []byte, offset int64) int {
	offset = min(offset, int64(len(data)))
	return 1 + strings.Count(string(data[:offset]), "\n")
}

func integer(value any) (int, bool) {
	switch v := value.(type) {
	case json.Number:
		n, err := strconv.Atoi(v.String())
		return n, err == nil
	case float64:
		return int(v), v == float64(int(v))
	case int:
		return v, true
	}
	return 0, false
}

// kindOf names a JSON value for a message.
func kindOf(value any) string {
	switch v := value.(type) {
	case nil:
		return "nothing"
	case string:
		if utf8.RuneCountInString(v) > 40 {
			return "a text"
		}
		return strconv.Quote(v)
	case json.Number:
		return "the number " + v.String()
	case bool:
		return strconv.FormatBool(v)
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return fmt.Sprintf("a %T", value)
}
