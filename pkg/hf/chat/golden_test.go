package chat

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// testNow is the time of testdata/regenerate.py.
var testNow = time.Date(2024, 7, 26, 9, 5, 0, 0, time.UTC)

type golden struct {
	Text  *string
	Error string
}

func readTestdata(t *testing.T, name string, v any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err == nil {
		err = json.Unmarshal(text, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// renderJSON renders with all variables given as JSON, messages and tools among them.
func renderJSON(source string, messages json.RawMessage, variables map[string]json.RawMessage) (string, error) {
	template, err := New(source, nil)
	if err != nil {
		return "", err
	}
	o := Options{Now: testNow, Extra: map[string]any{}}
	var objects []json.RawMessage
	if err := json.Unmarshal(messages, &objects); err != nil {
		return "", err
	}
	list := make([]Message, len(objects))
	for i, object := range objects {
		if err := json.Unmarshal(object, &list[i]); err != nil {
			return "", err
		}
		var others map[string]json.RawMessage
		if err := json.Unmarshal(object, &others); err != nil {
			return "", err
		}
		delete(others, "role")
		delete(others, "content")
		if len(others) > 0 {
			if list[i].Fields, err = json.Marshal(others); err != nil {
				return "", err
			}
		}
	}
	for name, v := range variables {
		switch name {
		case "messages":
		case "tools":
			o.Tools = v
		case "add_generation_prompt":
			o.AddGenerationPrompt = string(v) == "true"
		default:
			o.Extra[name] = v
		}
	}
	return template.Render(list, o)
}

func TestConversationsEqualJinja2(t *testing.T) {
	var inputs struct {
		Conversations map[string]struct {
			Template  string
			Messages  json.RawMessage
			Variables map[string]json.RawMessage
		}
	}
	var want struct{ Conversations map[string]golden }
	readTestdata(t, "inputs.json", &inputs)
	readTestdata(t, "golden.json", &want)
	for name, c := range inputs.Conversations {
		t.Run(name, func(t *testing.T) {
			source, err := os.ReadFile(filepath.Join("testdata", c.Template+".jinja"))
			if err != nil {
				t.Fatal(err)
			}
			got, err := renderJSON(string(source), c.Messages, c.Variables)
			want := want.Conversations[name]
			var raised *RaisedError
			switch {
			case name == "smollm3/tools printed as Python":
				if err == nil || !strings.Contains(err.Error(), "Python form") {
					t.Errorf("a dictionary printed as Python prints it: %v, %q", err, got)
				}
			case want.Text == nil:
				if !errors.As(err, &raised) || want.Error != "TemplateError: "+raised.Message {
					t.Errorf("err = %v, Jinja2: %s", err, want.Error)
				}
			case err != nil:
				t.Error(err)
			case got != *want.Text:
				t.Errorf("got  %q\nwant %q", got, *want.Text)
			}
		})
	}
}

// Where Jinja2 stops with an error and the engine goes on: see the package's text. Everything else is either equal or refused.
var lenient = []string{
	"{{ 'a' + 1 }}", "{{ 1 + 'a' }}", "{{ messages[9].role }}", "{{ nothing.attr }}", "{{ nothing['a'] }}", "{{ nothing + 'a' }}", "{{ none + 'a' }}", "{{ 1 + 1 ~ 1 }}",
	"{% for a in none %}x{% endfor %}",
}

// True and 1 are one value in Python, and its remainders of negative numbers are positive: both rest on values, which cannot be looked through beforehand.
var different = []string{"{{ none == none }}{{ none == false }}{{ 0 == false }}{{ 1 == true }}{{ '1' == 1 }}", "{{ -7 % 3 }}"}

func TestConstructsEqualJinja2OrAreRefused(t *testing.T) {
	var inputs struct {
		Constructs []string
		Shared     map[string]json.RawMessage
	}
	var want struct{ Constructs []golden }
	readTestdata(t, "inputs.json", &inputs)
	readTestdata(t, "golden.json", &want)
	equal, refused := 0, 0
	for i, source := range inputs.Constructs {
		got, err := renderJSON(source, inputs.Shared["messages"], inputs.Shared)
		want := want.Constructs[i]
		switch {
		case err != nil && want.Text != nil:
			refused++
			t.Logf("refused %q: %v", source, err)
		case err != nil:
			equal++
		case want.Text == nil && slices.Contains(lenient, source):
		case want.Text == nil:
			t.Errorf("%q rendered %q, Jinja2: %s", source, got, want.Error)
		case got != *want.Text && slices.Contains(different, source):
		case got != *want.Text:
			t.Errorf("%q\n got  %q\n want %q", source, got, *want.Text)
		default:
			equal++
		}
	}
	t.Logf("%d equal, %d refused", equal, refused)
}
