package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxDepth bounds Sequence within Sequence.
const maxDepth = 8

// typeOf returns the "type" of a component of a tokenizer.json, empty for null or a missing one.
func typeOf(raw json.RawMessage) (string, error) {
	if isNull(raw) {
		return "", nil
	}
	var head struct{ Type string }
	if err := json.Unmarshal(raw, &head); err != nil {
		return "", fmt.Errorf("expected an object with a type: %w", err)
	}
	if head.Type == "" {
		return "", errors.New("found no type, expected an object with one")
	}
	return head.Type, nil
}

func isNull(raw json.RawMessage) bool {
	return len(raw) == 0 || string(raw) == "null"
}

// strict decodes a component, refusing fields that the destination does not have: a
// setting that is not understood may change every id.
func strict(raw json.RawMessage, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return fmt.Errorf("field %q: found a JSON %s, expected %s", strings.ToLower(wrong.Field), wrong.Value, wrong.Type)
		}
		// What remains is an unknown field; the text around it was valid JSON.
		return fmt.Errorf("%s is not supported: what it asks for would be left out", strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("found more than one value")
	}
	return nil
}

// notSupported refuses a component by its name.
func notSupported(kind, name, supported string) error {
	return fmt.Errorf("%s %q is not supported (supported: %s); a model with it needs another tokenizer", kind, name, supported)
}

// patternSpec is the pattern of Split and Replace: {"String": "..."} or {"Regex": "..."}.
type patternSpec struct {
	String *string
	Regex  *string
}

func (p patternSpec) finder() (finder, error) {
	switch {
	case p.String != nil && p.Regex == nil:
		if *p.String == "" {
			return nil, errors.New("found an empty String pattern")
		}
		return literal(*p.String), nil
	case p.Regex != nil && p.String == nil:
		return compile(*p.Regex)
	}
	return nil, errors.New("pattern: expected either String or Regex")
}

// literal finds a text.
type literal string

func (l literal) next(s string, from int) (start, end int, ok bool) {
	i := strings.Index(s[from:], string(l))
	if i < 0 {
		return 0, 0, false
	}
	return from + i, from + i + len(l), true
}
