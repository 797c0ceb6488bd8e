package chat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/ardanlabs/jinja"
)

// Message is one turn of a conversation.
type Message struct {
	Role    string // "system", "user", "assistant", "tool"
	Content string
	// Fields are further members as a JSON object, in the order in which a template that goes through them sees them: tool_calls, name.
	Fields json.RawMessage
}

func (m Message) value() (jinja.Value, error) {
	v := jinja.NewDict()
	v.AsDict().Set("role", jinja.NewString(m.Role))
	v.AsDict().Set("content", jinja.NewString(m.Content))
	if len(m.Fields) == 0 {
		return v, nil
	}
	more, err := decodeJSON(m.Fields)
	if err != nil {
		return v, err
	}
	if !more.IsDict() {
		return v, fmt.Errorf("found %.40s, expected a JSON object", m.Fields)
	}
	for _, key := range more.AsDict().OrderedKeys() {
		member, _ := more.AsDict().Get(key)
		v.AsDict().Set(key, member)
	}
	return v, nil
}

// maxDepth of JSON values: deeper than any schema, and far from the end of the stack.
const maxDepth = 200

// decodeJSON reads a value and keeps the order of its keys, which a Go map would lose and templates print.
func decodeJSON(text []byte) (jinja.Value, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := decodeValue(d, 0)
	if err != nil {
		return v, err
	}
	if _, err := d.Token(); err != io.EOF {
		return v, fmt.Errorf("found more after the JSON value")
	}
	return v, nil
}

func decodeValue(d *json.Decoder, depth int) (jinja.Value, error) {
	if depth > maxDepth {
		return jinja.None(), fmt.Errorf("found JSON nested deeper than %d", maxDepth)
	}
	token, err := d.Token()
	if err != nil {
		return jinja.None(), fmt.Errorf("not valid JSON: %w", err)
	}
	switch token := token.(type) {
	case json.Delim:
		if token == '[' {
			return decodeList(d, depth)
		}
		return decodeObject(d, depth)
	case json.Number:
		if i, err := token.Int64(); err == nil {
			return jinja.NewInt(i), nil
		}
		f, err := token.Float64()
		if err != nil {
			return jinja.None(), fmt.Errorf("number %s: %w", token, err)
		}
		return jinja.NewFloat(f), nil
	case string:
		return jinja.NewString(token), nil
	case bool:
		return jinja.NewBool(token), nil
	}
	return jinja.None(), nil
}

func decodeList(d *json.Decoder, depth int) (jinja.Value, error) {
	items := []jinja.Value{}
	for d.More() {
		item, err := decodeValue(d, depth+1)
		if err != nil {
			return item, err
		}
		items = append(items, item)
	}
	_, err := d.Token()
	return jinja.NewList(items), err
}

func decodeObject(d *json.Decoder, depth int) (jinja.Value, error) {
	object := jinja.NewDict()
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return object, fmt.Errorf("not valid JSON: %w", err)
		}
		member, err := decodeValue(d, depth+1)
		if err != nil {
			return object, err
		}
		object.AsDict().Set(key.(string), member) // The decoder lets no other key through.
	}
	_, err := d.Token()
	return object, err
}
