package chat

import (
	"encoding/json"
	"fmt"
	"maps"
	"time"
)

// Template is a chat template, ready to render. It may be used by several goroutines.
type Template struct {
	body    []statement
	source  string
	special map[string]string
	toolUse *Template // of a model that has another one for conversations with tools; else nil
}

// New prepares a template. special are the special tokens by the names templates have for them: bos_token, eos_token.
// The error names what is not supported ([UnsupportedError]) or not valid, and its line.
func New(source string, special map[string]string) (*Template, error) {
	if len(source) > maxSource {
		return nil, fmt.Errorf("chat: the template has %d bytes, expected at most %d", len(source), maxSource)
	}
	parts, err := split(source)
	if err != nil {
		return nil, err
	}
	body, err := parse(parts)
	if err != nil {
		return nil, err
	}
	return &Template{body: body, source: source, special: maps.Clone(special)}, nil
}

// Source is the template as it was given.
func (t *Template) Source() string { return t.source }

// Options of [Template.Render]. The zero value renders the messages and nothing else.
type Options struct {
	// AddGenerationPrompt ends the text where the assistant's answer begins.
	AddGenerationPrompt bool
	// Tools are JSON schemas of functions, as a JSON array; nil is none.
	Tools json.RawMessage
	// Extra are further variables of a template (enable_thinking, date_string): bool, integer, float64, string, nil or json.RawMessage.
	Extra map[string]any
	// Now is the time strftime_now tells. The zero value is the present, which makes the prompt of some models depend on the day.
	Now time.Time
}

// RaisedError is a template's own refusal (raise_exception), such as of roles that do not alternate.
type RaisedError struct{ Message string }

func (e *RaisedError) Error() string {
	return "chat: the template refuses the conversation: " + e.Message
}

// Render writes the conversation as the model was trained to read it. A template that does not end, nests without end or makes more text
// than a conversation needs is stopped with a [LimitError].
func (t *Template) Render(messages []Message, o Options) (text string, err error) {
	if len(o.Tools) > 0 && t.toolUse != nil {
		t = t.toolUse
	}
	size := len(t.source) + len(o.Tools)
	context := map[string]value{
		"tools": nil, "documents": nil, // Given by transformers even when there are none.
		"add_generation_prompt": o.AddGenerationPrompt,
	}
	for name, token := range t.special {
		context[name] = token
	}
	list := make([]value, len(messages))
	for i, m := range messages {
		if list[i], err = m.value(); err != nil {
			return "", fmt.Errorf("chat: message %d: Fields: %w", i, err)
		}
		size += len(m.Role) + len(m.Content) + len(m.Fields)
	}
	context["messages"] = newList(list)
	if len(o.Tools) > 0 {
		if context["tools"], err = decodeJSON(o.Tools); err != nil {
			return "", fmt.Errorf("chat: Options.Tools: %w", err)
		}
	}
	for name, v := range o.Extra {
		if context[name], err = extraValue(v); err != nil {
			return "", fmt.Errorf("chat: Options.Extra[%q]: %w", name, err)
		}
		if raw, ok := v.(json.RawMessage); ok {
			size += len(raw)
		}
	}
	now := o.Now
	if now.IsZero() {
		now = time.Now()
	}
	r := &run{budget: newBudget(size), out: newBuilder(), context: context, now: now}
	defer r.recovered(&err)
	r.exec(t.body, &scope{})
	return r.out.String(), nil
}

// recovered turns what stopped a rendering into an error.
func (r *run) recovered(err *error) {
	switch stopped := recover().(type) {
	case nil:
	case *runtimeError:
		*err = fmt.Errorf("chat: line %d of the template: %s", r.line, stopped.message)
	case *RaisedError:
		*err = stopped
	case *UnsupportedError:
		*err = stopped
	case *LimitError:
		*err = stopped
	default:
		panic(stopped)
	}
}

func extraValue(v any) (value, error) {
	switch v := v.(type) {
	case json.RawMessage:
		return decodeJSON(v)
	case int:
		return int64(v), nil
	case nil, bool, int64, float64, string:
		return v, nil
	}
	return nil, fmt.Errorf("found a %T, expected bool, int, int64, float64, string, nil or json.RawMessage", v)
}
