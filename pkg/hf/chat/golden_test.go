package chat

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
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

func readTestdata(t testing.TB, name string, v any) {
	t.Helper()
	readPacked(t, filepath.Join("testdata", name), v)
}

// readPacked reads a JSON file, packed by gzip where its name says so.
func readPacked(t testing.TB, path string, v any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil && strings.HasSuffix(path, ".gz") {
		var r *gzip.Reader
		if r, err = gzip.NewReader(bytes.NewReader(text)); err == nil {
			text, err = io.ReadAll(r)
		}
	}
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
	list, err := ParseMessages(messages)
	if err != nil {
		return "", err
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

// refused are the constructs that Jinja2 renders and this package refuses by name.
var refused = []string{
	"{{ 9223372036854775807 + 1 }}", "{{ 99999999999999999999 }}",
}

func TestConstructsEqualJinja2OrAreRefused(t *testing.T) {
	var inputs struct {
		Constructs []string
		Shared     map[string]json.RawMessage
	}
	var want struct{ Constructs []golden }
	readTestdata(t, "inputs.json", &inputs)
	readTestdata(t, "golden.json", &want)
	for i, source := range inputs.Constructs {
		got, err := renderJSON(source, inputs.Shared["messages"], inputs.Shared)
		want := want.Constructs[i]
		switch {
		case slices.Contains(refused, source):
			if err == nil {
				t.Errorf("%q is rendered as %q; take it off the list of what is refused", source, got)
			}
		case want.Text == nil && err == nil:
			t.Errorf("%q rendered %q, Jinja2: %s", source, got, want.Error)
		case want.Text != nil && err != nil:
			t.Errorf("%q: %v, Jinja2: %q", source, err, *want.Text)
		case want.Text != nil && got != *want.Text:
			t.Errorf("%q\n got  %q\n want %q", source, got, *want.Text)
		}
	}
}

// TestCases reads the folder beside the repository; the same constructs and their texts are in testdata too.
func TestCases(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "shared", "cases", "chat-constructs", "golden.json"))
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("needs the folder shared/cases beside the repository, which is absent")
	}
	if err != nil {
		t.Fatal(err)
	}
	var cases struct {
		Cases []struct {
			Src   string
			Text  *string
			Error string
		}
		Messages, Tools json.RawMessage
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	messages, err := ParseMessages(cases.Messages)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases.Cases {
		var got string
		template, err := New(c.Src, map[string]string{"bos_token": "<s>"})
		if err == nil {
			got, err = template.Render(messages, Options{AddGenerationPrompt: true, Tools: cases.Tools, Now: time.Date(2024, 7, 6, 9, 5, 0, 0, time.UTC)})
		}
		switch {
		case c.Text == nil && err == nil:
			t.Errorf("%q rendered %q, Jinja2: %s", c.Src, got, c.Error)
		case c.Text != nil && err != nil:
			t.Errorf("%q: %v, Jinja2: %q", c.Src, err, *c.Text)
		case c.Text != nil && got != *c.Text:
			t.Errorf("%q\n got  %q\n want %q", c.Src, got, *c.Text)
		}
	}
}
