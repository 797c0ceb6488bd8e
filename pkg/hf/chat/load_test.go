package chat

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLoadFindsTheTemplateAsTransformersDoes(t *testing.T) {
	const config, named = `{"bos_token": {"content": "<s>"}, "eos_token": "</s>", "pad_token": null, "chat_template": "config{{ bos_token }}{{ pad_token }}"}`,
		`{"chat_template": [{"name": "rag", "template": "rag"}, {"name": "default", "template": "named"}]}`
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"tokenizer_config.json":        {map[string]string{"tokenizer_config.json": config}, "config<s>"},
		"a list of named templates":    {map[string]string{"tokenizer_config.json": named}, "named"},
		"chat_template.jinja is first": {map[string]string{"tokenizer_config.json": config, "chat_template.json": `{"chat_template": "json"}`, "chat_template.jinja": "file{{ eos_token }}"}, "file</s>"},
		"chat_template.json is second": {map[string]string{"tokenizer_config.json": config, "chat_template.json": `{"chat_template": "json"}`}, "json"},
		"special_tokens_map.json":      {map[string]string{"chat_template.jinja": "{{ eos_token }}", "special_tokens_map.json": `{"eos_token": {"content": "<e>", "lstrip": false}}`}, "<e>"},
	} {
		t.Run(name, func(t *testing.T) {
			template, err := Load(writeFiles(t, c.files))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := template.Render(nil, Options{}); err != nil || got != c.want {
				t.Errorf("%q, %v; expected %q", got, err, c.want)
			}
		})
	}
}

func TestToolsTakeTheirOwnTemplate(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"a list of named templates": {"tokenizer_config.json": `{"chat_template": [{"name": "tool_use", "template": "tools"}, {"name": "default", "template": "plain"}]}`},
		"files":                     {"chat_template.jinja": "plain", "additional_chat_templates/tool_use.jinja": "tools"},
	} {
		template, err := Load(writeFiles(t, files))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for tools, want := range map[string]string{"": "plain", "[]": "tools", `[{"type": "function"}]`: "tools"} {
			if got, err := template.Render(nil, Options{Tools: []byte(tools)}); err != nil || got != want {
				t.Errorf("%s with the tools %q: %q, %v; expected %q", name, tools, got, err, want)
			}
		}
	}
}

func TestLoadErrors(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"a base model":   {map[string]string{"tokenizer_config.json": `{}`}, "base model"},
		"null":           {map[string]string{"tokenizer_config.json": `{"chat_template": null}`}, "base model"},
		"no default":     {map[string]string{"tokenizer_config.json": `{"chat_template": [{"name": "rag", "template": "x"}]}`}, "holds rag"},
		"a number":       {map[string]string{"tokenizer_config.json": `{"chat_template": 3}`}, "neither"},
		"not JSON":       {map[string]string{"tokenizer_config.json": `{`}, "not valid JSON"},
		"not supported":  {map[string]string{"chat_template.jinja": "a\n{% include 'x' %}"}, `line 2 of the template: the statement "include"`},
		"not a template": {map[string]string{"chat_template.jinja": "{% if %}"}, "line 1 of the template: found the end of the tag, expected an expression"},
	} {
		_, err := Load(writeFiles(t, c.files))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, expected %q", name, err, c.want)
		}
	}
	if _, err := Load(t.TempDir()); !errors.Is(err, ErrNoTemplate) {
		t.Errorf("an empty directory: %v", err)
	}
}

func writeFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestUnsupportedIsNamedWithItsLine(t *testing.T) {
	for source, want := range map[string]UnsupportedError{
		"{% do x %}":                          {`the statement "do"`, 1},
		"\n{% include 'x' %}":                 {`the statement "include"`, 2},
		"\n\n{{ x | frobnicate }}":            {"the filter frobnicate", 3},
		"{{ a }}\n{{ x is frob }}":            {"the test frob", 2},
		"{{ '\\N{DASH}' }}":                   {`the escape "\\N"`, 1},
		"{{ 1 }}{{ 0xffffffffffffffffffff }}": {"the number 0xffffffffffffffffffff", 1},
	} {
		_, err := New(source, nil)
		var got *UnsupportedError
		if !errors.As(err, &got) || *got != want {
			t.Errorf("%q: %v, expected %+v", source, err, want)
		}
	}
	for source, want := range map[string]UnsupportedError{
		"\n{{ messages | map(attribute='role') }}": {"printing a generator", 2},
		"{{ range }}":                         {"printing a function", 1},
		"{{ 'a'.encode() }}":                  {"the method encode", 1},
		"{{ strftime_now('%s') }}":            {"the code %s of strftime_now", 1},
		"{{ '{:>3}'.format(1) }}":             {"the format {:>3}", 1},
		"{{ messages | map('frob') | list }}": {"the filter frob", 1},
	} {
		template, err := New(source, nil)
		if err != nil {
			t.Errorf("%q: %v", source, err)
			continue
		}
		_, err = template.Render([]Message{{Role: "user"}}, Options{})
		var got *UnsupportedError
		if !errors.As(err, &got) || *got != want {
			t.Errorf("%q: %v, expected %+v", source, err, want)
		}
	}
}

func TestBadInputIsAnError(t *testing.T) {
	for _, source := range []string{"{{", "{% if", "{#", "{{ ( }}", "{{ ) }}", "{{ 'a }}", "{% raw %}", "{{ }}", "{% %}", "{{ $ }}", "{{ '\\xZZ' }}", "{{" + strings.Repeat("(", 300) + "1" + strings.Repeat(")", 300) + "}}", strings.Repeat("a", maxSource+1), "{{" + strings.Repeat("not ", 300) + "1 }}", "{{" + strings.Repeat("- ", 300) + "1 }}",
		strings.Repeat("{% if 1 %}", 300) + strings.Repeat("{% endif %}", 300), "{{ 1 if 1 else " + strings.Repeat("1 if 1 else ", 300) + "1 }}"} {
		if _, err := New(source, nil); err == nil {
			t.Errorf("%.40q is accepted", source)
		}
	}
	template, err := New("{{ messages[0].x | tojson }}{% for i in range(n) %}{% endfor %}", nil)
	if err != nil {
		t.Fatal(err)
	}
	deep := strings.Repeat("[", 300) + strings.Repeat("]", 300)
	for _, c := range []struct {
		m Message
		o Options
	}{
		{Message{Fields: []byte(`{"x": 1`)}, Options{}},
		{Message{Fields: []byte(`[]`)}, Options{}},
		{Message{Fields: []byte(`{"x": ` + deep + `}`)}, Options{}},
		{Message{}, Options{}}, // x is undefined, which tojson refuses.
		{Message{Fields: []byte(`{"x": 1}`)}, Options{Extra: map[string]any{"n": struct{}{}}}},
		{Message{Fields: []byte(`{"x": 1}`)}, Options{Extra: map[string]any{"n": 1 << 40}}},
		{Message{Fields: []byte(`{"x": 1}`)}, Options{Tools: []byte(`{} {}`)}},
	} {
		if text, err := template.Render([]Message{c.m}, c.o); err == nil {
			t.Errorf("%+v rendered %q", c, text)
		}
	}
}
