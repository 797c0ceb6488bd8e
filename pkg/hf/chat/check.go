package chat

import (
	"fmt"
	"slices"
	"strings"
)

// UnsupportedError names what of a template is not rendered here.
type UnsupportedError struct {
	Construct string
	Line      int
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("chat: line %d of the template: %s is not supported: nothing is approximated; render this conversation with transformers (apply_chat_template, tokenize=False) and use the text",
		e.Line, e.Construct)
}

// What is known to do what it does in Jinja2: each is in testdata/constructs.json with Jinja2's own output.
var (
	statements = words("if elif else endif for endfor set endset macro endmacro call endcall break continue generation endgeneration")
	filters    = words("trim length count upper lower join list first last default d map selectattr rejectattr tojson replace string items reverse safe unique")
	tests      = words("defined undefined none string mapping iterable boolean integer true false odd even")
	methods    = words("strip lstrip rstrip split startswith endswith replace find get items keys values")
	calls      = words("raise_exception strftime_now namespace range caller")
	loopParts  = words("index index0 first last length revindex revindex0 previtem nextitem")
	reserved   = words("self super varargs kwargs recursive include import from extends block with filter do autoescape trans")
	keywords   = words("if elif else for in is not and or set macro call")
)

// maxDigits of a number, which the engine holds in 64 bits.
const maxDigits = 18

func words(s string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(s) {
		set[w] = true
	}
	return set
}

// check looks for what is not supported.
func check(parts []part) error {
	c := checker{macros: map[string]bool{}}
	for _, p := range parts {
		if p.tag == '%' && at(p.tokens, 0) == "macro" {
			c.macros[at(p.tokens, 1)] = true
		}
	}
	for _, p := range parts {
		if p.tag == 0 {
			continue
		}
		if err := c.part(p); err != nil {
			return err
		}
	}
	return nil
}

type checker struct {
	macros map[string]bool // of the template, which it may call
}

func (c *checker) part(p part) error {
	if len(p.tokens) == 0 {
		return fmt.Errorf("chat: line %d of the template: an empty tag", p.line)
	}
	tokens := p.tokens
	for i := range tokens {
		if at(tokens, i) == "~" && slices.ContainsFunc(tokens, func(t token) bool { return t.kind == operatorToken && t.text == "%" }) {
			return &UnsupportedError{"~ together with %", tokens[i].line}
		}
	}
	if p.tag == '%' {
		word := tokens[0]
		if word.kind != nameToken || !statements[word.text] {
			return &UnsupportedError{fmt.Sprintf("the statement %q", word.text), word.line}
		}
		tokens = slices.Concat([]token{{kind: operatorToken, text: "%", line: p.line}}, tokens[1:]) // The statement's own word is no name.
	}
	for i := range tokens {
		if err := c.token(tokens, i); err != nil {
			return err
		}
	}
	return nil
}

// at is the text of a token that is no string, "" outside the tag.
func at(tokens []token, i int) string {
	if i < 0 || i >= len(tokens) || tokens[i].kind == stringToken {
		return ""
	}
	return tokens[i].text
}

func (c *checker) token(tokens []token, i int) error {
	t := tokens[i]
	before, after := at(tokens, i-1), at(tokens, i+1)
	no := func(format string, args ...any) error {
		return &UnsupportedError{fmt.Sprintf(format, args...), t.line}
	}
	switch t.kind {
	case stringToken:
		if i > 0 && tokens[i-1].kind == stringToken {
			return no("a string right after a string")
		}
		if after == "%" {
			return no("formatting with %%")
		}
	case numberToken:
		if before == "." {
			return no("the index .%s", t.text)
		}
		if strings.Trim(t.text, "0123456789.") != "" || len(t.text) > maxDigits {
			return no("the number %s", t.text)
		}
	case operatorToken:
		switch t.text {
		case "*", "**", "/", "//", ";":
			// Of these "*" alone would be right, but a text times a large number ends the process for want of memory.
			return no("the operator %s", t.text)
		}
		if t.text == "%" && i > 0 && (i+1 >= len(tokens) || tokens[i+1].kind != numberToken || strings.Trim(after, "0") == "") {
			return no("%% by anything but a positive number")
		}
	case nameToken:
		return c.name(tokens, i, no)
	}
	return nil
}

// arguments counts what stands between the bracket at i and its end.
func arguments(tokens []token, i int) int {
	end := closing(tokens, i)
	if end <= i+1 {
		return 0
	}
	n := 1
	for j := i + 1; j < end; j++ {
		if at(tokens, j) == "," {
			n++
		}
		if inner := closing(tokens, j); inner > j {
			j = inner
		}
	}
	return n
}

func (c *checker) name(tokens []token, i int, no func(string, ...any) error) error {
	t, before, after := tokens[i], at(tokens, i-1), at(tokens, i+1)
	switch {
	case before == "." && at(tokens, i-2) == "loop":
		if !loopParts[t.text] || after == "(" {
			return no("loop.%s", t.text)
		}
	case before == ".":
		if after == "(" && !methods[t.text] {
			return no("the method %s", t.text)
		}
		if after == "(" && (t.text == "split" && arguments(tokens, i+1) > 1 || strings.HasSuffix(t.text, "with") && at(tokens, i+2) == "(") {
			return no("this form of the method %s", t.text)
		}
	case before == "|":
		if !filters[t.text] {
			return no("the filter %s", t.text)
		}
		if t.text == "map" && at(tokens, i+2) != "attribute" {
			return no("map with anything but attribute=")
		}
	case before == "is" || before == "not" && at(tokens, i-2) == "is":
		if t.text != "not" && !tests[t.text] {
			return no("the test %s", t.text)
		}
	case after == "=" && before != "" && before != "%":
		// The name of an argument.
	case reserved[t.text]:
		return no("%s", t.text)
	case strings.HasPrefix(t.text, ownPrefix):
		return no("the name %s", t.text)
	case t.text == "loop" && after != ".":
		return no("loop as a value")
	case after == "(" && !keywords[t.text] && !calls[t.text] && !c.macros[t.text]:
		return no("calling %s", t.text)
	}
	return nil
}
