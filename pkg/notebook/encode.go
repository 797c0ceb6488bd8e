package notebook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
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

// fileText is a file's content without a byte order mark; what cannot be JSON at all is an error that says what it is instead.
func fileText(data []byte) ([]byte, error) {
	if bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}) {
		return nil, errors.New("the file is UTF-16, expected UTF-8: convert it, for example with `iconv -f UTF-16 -t UTF-8`")
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if at := invalidUTF8(data); at >= 0 {
		return nil, fmt.Errorf("line %d: byte %#x at position %d is not UTF-8: convert the file from its encoding, for example with `iconv -f ISO-8859-1 -t UTF-8`", lineAt(data, int64(at)), data[at], at)
	}
	begins := bytes.TrimSpace(data)
	switch {
	case len(begins) == 0:
		return nil, errors.New("the file is empty; a notebook is a JSON object: restore it from version control or delete it")
	case begins[0] == '<':
		if !bytes.HasPrefix(begins, []byte("<<<<<<<")) {
			return nil, errors.New("the file begins with \"<\": it is a web page and not a notebook; download the raw file")
		}
	case bytes.HasPrefix(begins, []byte("version https://git-lfs")):
		return nil, errors.New("the file is a pointer of Git LFS and not the notebook: run `git lfs pull`")
	}
	return data, nil
}

func invalidUTF8(data []byte) int {
	if utf8.Valid(data) {
		return -1
	}
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// loneSurrogate is the offset of an escaped UTF-16 surrogate in valid JSON that is not one half of a pair, -1 when there is none. encoding/json would put
// U+FFFD in its place.
func loneSurrogate(data []byte) int {
	for i := 0; ; {
		next := bytes.IndexByte(data[i:], '\\')
		if next < 0 {
			return -1
		}
		i += next
		high := surrogate(data[i:])
		switch {
		case high == 0:
			i += 2 // past an escaped backslash, too
		case high < 0xdc00 && surrogate(data[i+6:]) >= 0xdc00:
			i += 12
		default:
			return i
		}
	}
}

// surrogate is the value of \udXXX at the beginning of JSON text, 0 when another thing stands there.
func surrogate(data []byte) rune {
	if len(data) < 6 || data[0] != '\\' || data[1] != 'u' {
		return 0
	}
	value, err := strconv.ParseUint(string(data[2:6]), 16, 32)
	if r := rune(value); err == nil && utf16.IsSurrogate(r) {
		return r
	}
	return 0
}

// jsonError says where in the file JSON ends to make sense.
func jsonError(data []byte, decoder *json.Decoder, err error) error {
	var syntax *json.SyntaxError
	var mismatch *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF):
		return fmt.Errorf("line %d: the file ends in the middle of the notebook: it was truncated, restore it from version control", lineAt(data, int64(len(data))))
	case errors.As(err, &syntax):
		line := lineAt(data, syntax.Offset)
		hint := "repair the line, or restore the file from version control"
		if bytes.HasPrefix(bytes.Split(data, []byte("\n"))[line-1], []byte("<<<<<<<")) {
			hint = "it is a merge conflict: resolve it"
		}
		column := syntax.Offset - int64(bytes.LastIndexByte(data[:max(syntax.Offset-1, 0)], '\n')+1)
		return fmt.Errorf("line %d, column %d: not JSON (%v): %s", line, column, err, hint)
	case errors.As(err, &mismatch):
		return fmt.Errorf("found a JSON %s, expected an object: this is not a notebook", mismatch.Value)
	}
	return fmt.Errorf("line %d: not a notebook: %w", lineAt(data, decoder.InputOffset()), err)
}

// lineAt is the 1-based line of a byte offset.
func lineAt(data []byte, offset int64) int {
	offset = min(offset, int64(len(data)))
	return 1 + bytes.Count(data[:offset], []byte("\n"))
}

func integer(value any) (int, bool) {
	switch v := value.(type) {
	case json.Number:
		if n, err := strconv.Atoi(v.String()); err == nil {
			return n, true
		}
		f, err := v.Float64() // 3.0, as some tools write it
		return int(f), err == nil && math.Abs(f) < 1<<53 && f == math.Trunc(f)
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
