package chat

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/ardanlabs/jinja"
)

// maxSource is the longest template that is read, in bytes: published ones have up to about 20 kB.
const maxSource = 256 << 10

// Template is a chat template, ready to render. It may be used by several goroutines.
type Template struct {
	program *jinja.Template
	texts   map[string]jinja.Value // literal text, under the names the program has for it
	special map[string]string
}

// New prepares a template. special are the special tokens by the names templates have for them: bos_token, eos_token.
// The error names what is not supported and its line.
func New(source string, special map[string]string) (t *Template, err error) {
	defer recovered(&err)
	if len(source) > maxSource {
		return nil, fmt.Errorf("chat: the template has %d bytes, expected at most %d", len(source), maxSource)
	}
	parts, err := split(source)
	if err != nil {
		return nil, err
	}
	if err := check(parts); err != nil {
		return nil, err
	}
	text, texts := rewrite(parts)
	program, err := jinja.Compile(text)
	if err != nil {
		return nil, fmt.Errorf("chat: the template cannot be compiled: %w", err)
	}
	return &Template{program: program, texts: texts, special: maps.Clone(special)}, nil
}

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

// Render writes the conversation as the model was trained to read it.
func (t *Template) Render(messages []Message, o Options) (text string, err error) {
	defer recovered(&err)
	variables := maps.Clone(t.texts)
	list := make([]jinja.Value, len(messages))
	for i, m := range messages {
		if list[i], err = m.value(); err != nil {
			return "", fmt.Errorf("chat: message %d: Fields: %w", i, err)
		}
	}
	for name, token := range t.special {
		variables[name] = jinja.NewString(token)
	}
	variables["messages"] = jinja.NewList(list)
	variables["tools"], variables["documents"] = jinja.None(), jinja.None() // Given by transformers even when there are none.
	variables["add_generation_prompt"] = jinja.NewBool(o.AddGenerationPrompt)
	if len(o.Tools) > 0 {
		tools, err := decodeJSON(o.Tools)
		if err != nil {
			return "", fmt.Errorf("chat: Options.Tools: %w", err)
		}
		variables["tools"] = tools
	}
	for name, v := range o.Extra {
		if variables[name], err = extraValue(v); err != nil {
			return "", fmt.Errorf("chat: Options.Extra[%q]: %w", name, err)
		}
	}
	now := o.Now
	if now.IsZero() {
		now = time.Now()
	}
	functions(variables, now)
	text, err = t.program.RenderValues(variables)
	var raised *RaisedError
	if errors.As(err, &raised) {
		return "", raised
	}
	if err != nil {
		return "", fmt.Errorf("chat: the template cannot be rendered: %w", err)
	}
	return text, nil
}

func extraValue(v any) (jinja.Value, error) {
	switch v := v.(type) {
	case nil:
		return jinja.None(), nil
	case json.RawMessage:
		return decodeJSON(v)
	case bool, int, int64, float64, string:
		return jinja.FromGoValue(v), nil
	}
	return jinja.None(), fmt.Errorf("found a %T, expected bool, int, int64, float64, string, nil or json.RawMessage", v)
}

// recovered turns a panic of the engine into an error: a template is somebody else's program.
func recovered(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("chat: the template broke the engine: %v", r)
	}
}
