package chat

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/internal/testlimit"
)

// endless are templates that do not end, nest without end or fill the memory when nothing bounds them.
var endless = map[string]string{
	"macro that calls itself":          "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
	"macros that call each other":      "{% macro f() %}{{ g() }}{% endmacro %}{% macro g() %}{{ f() }}{% endmacro %}{{ f() }}",
	"default argument that calls":      "{% macro f(x=f()) %}{% endmacro %}{{ f() }}",
	"default arguments, two":           "{% macro f(x=g()) %}{% endmacro %}{% macro g(y=f()) %}{% endmacro %}{{ f() }}",
	"call block in itself":             "{% macro f() %}{% call f() %}{% endcall %}{% endmacro %}{{ f() }}",
	"caller that calls":                "{% macro f() %}{{ caller() }}{% endmacro %}{% macro g() %}{% call f() %}{{ g() }}{% endcall %}{% endmacro %}{{ g() }}",
	"macro of two calls":               "{% macro f(n) %}{% if n > 0 %}{{ f(n-1) }}{{ f(n-1) }}{% endif %}{% endmacro %}{{ f(90) }}",
	"namespace that holds itself":      "{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}",
	"namespaces in a ring, as JSON":    "{% set a = namespace() %}{% set b = namespace(a=a) %}{% set a.b = [b] %}{{ a.b | string }}",
	"equality of rings":                "{% set a = namespace() %}{% set a.l = [a] %}{% set b = namespace() %}{% set b.l = [a.l, b] %}{% set a.l = [a.l] %}{% for i in range(99999) %}{% set a.l = [a.l] %}{% endfor %}{{ a.l == a.l }}{{ [a.l] == [[a.l]] }}",
	"recursive loop":                   "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
	"nested ranges":                    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
	"nested ranges that print":         "{% for a in range(99999) %}{% for b in range(99999) %}xxxxxxxxxxxxxxxxxxxxxxxxx{% endfor %}{% endfor %}",
	"doubling text":                    "{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
	"doubling text by +":               "{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
	"doubling list":                    "{% set ns = namespace(s=[1]) %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
	"doubling constants":               strings.Repeat("{% set x = (x|default('y')) ~ (x|default('y')) %}", 45),
	"doubling by join":                 "{% set ns = namespace(s='xx') %}{% for i in range(99) %}{% set ns.s = ns.s | join(ns.s) %}{% endfor %}",
	"doubling by replace":              "{% set ns = namespace(s='xx') %}{% for i in range(99) %}{% set ns.s = ns.s | replace('x', ns.s) %}{% endfor %}",
	"doubling by format":               "{% set ns = namespace(s='%s') %}{% for i in range(99) %}{% set ns.s = '%s%s' % (ns.s, ns.s) %}{% endfor %}",
	"doubling by tojson":               "{% set ns = namespace(s='\"') %}{% for i in range(99) %}{% set ns.s = ns.s | tojson %}{% endfor %}",
	"doubling by escaping":             "{% set ns = namespace(s='<') %}{% for i in range(99) %}{% set ns.s = ns.s | e ~ ns.s %}{% endfor %}",
	"doubling by repr":                 "{% set ns = namespace(s=['\\\\']) %}{% for i in range(99) %}{% set ns.s = [ns.s | string] %}{% endfor %}",
	"doubling by blocks":               "{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s %}{{ ns.s }}{{ ns.s }}{% endset %}{% endfor %}",
	"repetition":                       "{{ 'x' * 1000000000000 }}",
	"repetition of a list":             "{{ ([1] * 1000000000000) | length }}",
	"centered":                         "{{ 'x' | center(1000000000000) }}",
	"width of a format":                "{{ '%99999999s' % 'x' }}",
	"indent of JSON":                   "{{ [[[[1]]]] | tojson(indent=99999999) }}",
	"indent":                           "{{ 'a\nb' | indent(99999999999) }}",
	"batch filled":                     "{{ [1] | batch(99999999999, 0) | list }}",
	"slices":                           "{{ [1] | slice(99999999999) | list }}",
	"power":                            "{{ 9 ** 9 ** 9 }}",
	"range":                            "{{ range(99999999999) }}",
	"sum of lists":                     "{% set l = [1,2,3,4,5,6,7,8,9] * 9999 %}{{ l | map('list') | list }}{{ [l] * 9999 | sum(start=[]) }}",
	"sort of everything in everything": "{% set l = range(99999) | list %}{% for a in l %}{{ l | sort | length }}{% endfor %}",
	"search of a text in a text":       "{% set s = 'a' * 999999 %}{% for a in range(99999) %}{{ s in s }}{% endfor %}",
	"chain of operators":               "{{ 1" + strings.Repeat("+1", 100_000) + " }}",
	"chain of filters":                 "{{ 1" + strings.Repeat("|d", 100_000) + " }}",
	"chain of attributes":              "{{ 1" + strings.Repeat(".a", 100_000) + " }}",
}

func TestATemplateThatDoesNotEndIsStopped(t *testing.T) {
	for name, source := range endless {
		t.Run(name, func(t *testing.T) {
			var text string
			var err error
			testlimit.Run(t, len(source), func() {
				template, parseErr := New(source, nil)
				if parseErr != nil {
					t.Fatal(parseErr)
				}
				text, err = template.Render([]Message{{Role: "user", Content: "hello"}}, Options{})
			})
			if err == nil {
				t.Errorf("rendered %d bytes: %.40q", len(text), text)
			}
			var limit *LimitError
			if errors.As(err, &limit) && limit.Line != 1 && !strings.Contains(source, "\n") {
				t.Errorf("the error names line %d: %v", limit.Line, err)
			}
		})
	}
}

func TestALongConversationIsNoLoop(t *testing.T) {
	source, err := os.ReadFile(filepath.Join("testdata", "smollm3.jinja"))
	if err != nil {
		t.Fatal(err)
	}
	template, err := New(string(source), nil)
	if err != nil {
		t.Fatal(err)
	}
	var messages []Message
	for range 5000 {
		messages = append(messages, Message{Role: "user", Content: strings.Repeat("a question ", 100)}, Message{Role: "assistant", Content: strings.Repeat("an answer ", 100)})
	}
	text, err := template.Render(messages, Options{Now: testNow})
	if err != nil || len(text) < 10_000_000 {
		t.Errorf("%d bytes, %v", len(text), err)
	}
}

// Whatever the template is, New and Render return.
func FuzzTemplate(f *testing.F) {
	files, _ := filepath.Glob(filepath.Join("testdata", "*.jinja"))
	for _, name := range files {
		source, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(source))
	}
	var inputs struct{ Constructs []string }
	readTestdata(f, "inputs.json", &inputs)
	for _, source := range inputs.Constructs {
		f.Add(source)
	}
	messages, err := ParseMessages([]byte(`[{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi", "tool_calls": [{"function": {"name": "f", "arguments": {"x": 1.5}}}]}]`))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, source string) {
		testlimit.Run(t, len(source), func() {
			template, err := New(source, map[string]string{"bos_token": "<s>"})
			if err != nil {
				return
			}
			template.Render(messages, Options{Now: testNow, Tools: []byte(`[{"type": "function", "function": {"name": "f", "parameters": {}}}]`)})
		})
	})
}
