package chat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Message is one turn of a conversation.
type Message struct {
	Role    string // "system", "user", "assistant", "tool"
	Content string
	// Fields are further members as a JSON object, in the order in which a template that goes through them sees them: tool_calls, name.
	// A role or content in it takes the place of the one above. With an empty Role and Content it is the whole message.
	Fields json.RawMessage
}

// ParseMessages reads a conversation as transformers has it: a JSON array of objects, whose members and their order are kept.
func ParseMessages(text []byte) ([]Message, error) {
	var objects []json.RawMessage
	if err := json.Unmarshal(text, &objects); err != nil {
		return nil, fmt.Errorf("chat: messages: expected a JSON array of objects: %w", err)
	}
	messages := make([]Message, len(objects))
	for i, object := range objects {
		messages[i].Fields = object
		if _, err := messages[i].value(); err != nil {
			return nil, fmt.Errorf("chat: message %d: %w", i, err)
		}
	}
	return messages, nil
}

func (m Message) value() (value, error) {
	d := newDict()
	if m.Role != "" || m.Content != "" || len(m.Fields) == 0 {
		d.set("role", m.Role)
		d.set("content", m.Content)
	}
	if len(m.Fields) == 0 {
		return d, nil
	}
	more, err := decodeJSON(m.Fields)
	if err != nil {
		return nil, err
	}
	fields, ok := more.(*dict)
	if !ok {
		return nil, fmt.Errorf("found %.40s, expected a JSON object", m.Fields)
	}
	for i, key := range fields.keys {
		d.set(key, fields.values[i])
	}
	return d, nil
}

// decodeJSON reads a value and keeps the order of its keys, which a Go map would lose and templates print.
func decodeJSON(text []byte) (value, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := decodeValue(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("found more after the JSON value")
	}
	return v, nil
}

func decodeValue(d *json.Decoder, depth int) (value, error) {
	if depth > maxJSON {
		return nil, fmt.Errorf("found JSON nested deeper than %d", maxJSON)
	}
	token, err := d.Token()
	if err != nil {
		return nil, fmt.Errorf("not valid JSON: %w", err)
	}
	switch token := token.(type) {
	case json.Delim:
		if token == '[' {
			return decodeList(d, depth)
		}
		return decodeObject(d, depth)
	case json.Number:
		if i, err := token.Int64(); err == nil {
			return i, nil
		}
		f, err := token.Float64()
		if err != nil || !strings.ContainsAny(token.String(), ".eE") {
			return nil, fmt.Errorf("the number %.40s does not fit in 64 bits", token)
		}
		return f, nil
	case string, bool:
		return token, nil
	}
	return nil, nil
}

func decodeList(d *json.Decoder, depth int) (value, error) {
	items := []value{}
	for d.More() {
		item, err := decodeValue(d, depth+1)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	_, err := d.Token()
	return newList(items), err
}

func decodeObject(d *json.Decoder, depth int) (value, error) {
	object := newDict()
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("not valid JSON: %w", err)
		}
		member, err := decodeValue(d, depth+1)
		if err != nil {
			return nil, err
		}
		object.set(key, member)
	}
	_, err := d.Token()
	return object, err
}
