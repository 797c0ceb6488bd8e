package chat

import (
	"fmt"
	"regexp"
	"strconv"
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

// parser turns the parts of a template into statements. The grammar is that of Jinja2's parser.py; its methods have the same names.
type parser struct {
	parts   []part
	at      int // the next part
	tokens  []token
	next    int // of the tokens of the tag being parsed
	line    int
	nesting int
	macros  []*macroNode // being parsed, outermost first
}

// parse parses a whole template.
func parse(parts []part) (statements []statement, err error) {
	p := &parser{parts: parts, line: 1}
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(*syntaxError)
			if !ok {
				panic(r)
			}
			err = e.err
		}
	}()
	statements, _ = p.statements()
	return statements, nil
}

// syntaxError carries an error out of the parser.
type syntaxError struct{ err error }

func (p *parser) fail(format string, args ...any) {
	panic(&syntaxError{fmt.Errorf("chat: line %d of the template: %s", p.line, fmt.Sprintf(format, args...))})
}

func (p *parser) unsupported(format string, args ...any) {
	panic(&syntaxError{&UnsupportedError{fmt.Sprintf(format, args...), p.line}})
}

func (p *parser) deeper() func() {
	if p.nesting++; p.nesting > maxNesting {
		p.fail("statements or expressions more than %d deep", maxNesting)
	}
	return func() { p.nesting-- }
}

// statements parses up to one of the end tags, whose name it returns; without end tags up to the end of the template.
func (p *parser) statements(ends ...string) (body []statement, end string) {
	defer p.deeper()()
	opened := p.line
	for p.at < len(p.parts) {
		part := p.parts[p.at]
		p.at++
		p.line, p.tokens, p.next = part.line, part.tokens, 0
		switch part.tag {
		case 0:
			body = append(body, &textNode{part.text})
		case '{':
			body = append(body, &outputNode{p.tuple(true), part.line})
			p.endTag()
		default:
			for _, name := range ends {
				if p.isName(name) {
					p.advance()
					return body, name
				}
			}
			body = append(body, p.statement())
		}
	}
	if len(ends) > 0 {
		p.line = opened
		p.fail("found the end of the template, expected %s", strings.Join(ends, " or "))
	}
	return body, ""
}

// block parses a body that ends with one tag.
func (p *parser) block(end string) []statement {
	p.colonAndEnd()
	body, _ := p.statements(end)
	p.endTag()
	return body
}

func (p *parser) colonAndEnd() {
	p.skipOperator(":")
	p.endTag()
}

func (p *parser) statement() statement {
	name, line := p.name(), p.line
	switch name {
	case "if":
		return p.ifStatement()
	case "for":
		return p.forStatement()
	case "set":
		target := p.target(true)
		if p.skipOperator("=") {
			n := &setNode{target, p.tuple(true), line}
			p.endTag()
			return n
		}
		filters := p.filters(nil)
		return &setBlockNode{target, filters, p.block("endset"), line}
	case "macro":
		m := &macroNode{name: p.name(), line: line}
		p.signature(m)
		p.macroBody(m, "endmacro")
		return m
	case "call":
		m := &macroNode{name: "caller", line: line}
		if p.isOperator("(") {
			p.signature(m)
		}
		call, ok := p.expression().(*callNode)
		if !ok {
			p.fail("call: expected a call")
		}
		p.macroBody(m, "endcall")
		return &callBlockNode{call, m, line}
	case "filter":
		filters := p.filter(nil)
		return &filterBlockNode{p.filters(filters), p.block("endfilter"), line}
	case "with":
		n := &withNode{line: line}
		for !p.atEnd() && !p.isOperator(":") {
			if len(n.targets) > 0 {
				p.operator(",")
			}
			n.targets = append(n.targets, p.target(false))
			p.operator("=")
			n.values = append(n.values, p.expression())
		}
		n.body = p.block("endwith")
		return n
	case "generation":
		p.skipOperator(":")
		return &scopeNode{p.block("endgeneration")}
	case "print":
		n := &printNode{line: line}
		for !p.atEnd() {
			if len(n.values) > 0 {
				p.operator(",")
			}
			n.values = append(n.values, p.expression())
		}
		p.endTag()
		return n
	case "break", "continue":
		p.endTag()
		if name == "break" {
			return leaveNode{broken}
		}
		return leaveNode{continued}
	}
	p.unsupported("the statement %s", strconv.Quote(name))
	return nil
}

func (p *parser) ifStatement() statement {
	n := &ifNode{line: p.line}
	for {
		test := p.tuple(false)
		p.colonAndEnd()
		body, end := p.statements("elif", "else", "endif")
		n.tests, n.bodies = append(n.tests, test), append(n.bodies, body)
		switch end {
		case "elif":
			continue
		case "else":
			n.otherwise = p.block("endif")
			return n
		}
		p.endTag()
		return n
	}
}

func (p *parser) forStatement() statement {
	n := &forNode{line: p.line, target: p.target(false)}
	p.keyword("in")
	n.items = p.tuple(false)
	if p.skipName("if") {
		n.test = p.expression()
	}
	n.recursive = p.skipName("recursive")
	p.colonAndEnd()
	var end string
	n.body, end = p.statements("endfor", "else")
	if end == "else" {
		n.otherwise = p.block("endfor")
		return n
	}
	p.endTag()
	return n
}

// signature reads the parameters of a macro.
func (p *parser) signature(m *macroNode) {
	p.operator("(")
	for !p.isOperator(")") {
		if len(m.parameters) > 0 {
			p.operator(",")
		}
		m.parameters = append(m.parameters, p.name())
		if p.skipOperator("=") {
			m.defaults = append(m.defaults, p.expression())
		} else if len(m.defaults) > 0 {
			p.fail("a parameter without default follows one with a default")
		}
	}
	p.operator(")")
}

func (p *parser) macroBody(m *macroNode, end string) {
	p.macros = append(p.macros, m)
	m.body = p.block(end)
	p.macros = p.macros[:len(p.macros)-1]
}

// target is what a value is assigned to: a name, an attribute of a namespace, or several.
type target struct {
	name, attribute string
	parts           []target // of several
}

func (p *parser) target(withNamespace bool) target {
	defer p.deeper()()
	var parts []target
	several := false
	for {
		if len(parts) > 0 && (p.atEnd() || p.isOperator("=") || p.isName("in") || p.isOperator(")")) {
			break
		}
		if p.skipOperator("(") {
			parts = append(parts, p.target(withNamespace))
			p.operator(")")
		} else {
			t := target{name: p.name()}
			if _, constant := constants[t.name]; constant {
				p.fail("%s cannot be assigned to", t.name)
			}
			if withNamespace && p.skipOperator(".") {
				t.attribute = p.name()
			}
			parts = append(parts, t)
		}
		if !p.skipOperator(",") {
			break
		}
		several = true
	}
	if several {
		return target{parts: parts}
	}
	return parts[0]
}

// The tokens of the tag being parsed.

func (p *parser) atEnd() bool { return p.next >= len(p.tokens) }

func (p *parser) peek() token {
	if p.atEnd() {
		return token{kind: endToken, line: p.line}
	}
	return p.tokens[p.next]
}

func (p *parser) advance() token {
	t := p.peek()
	p.next++
	p.line = t.line
	return t
}

func (p *parser) endTag() {
	if !p.atEnd() {
		p.fail("found %q, expected the end of the tag", p.peek().text)
	}
}

func (p *parser) isOperator(op string) bool {
	t := p.peek()
	return t.kind == operatorToken && t.text == op
}

func (p *parser) isName(name string) bool {
	t := p.peek()
	return t.kind == nameToken && t.text == name
}

func (p *parser) skipOperator(op string) bool {
	if p.isOperator(op) {
		p.next++
		return true
	}
	return false
}

func (p *parser) skipName(name string) bool {
	if p.isName(name) {
		p.next++
		return true
	}
	return false
}

func (p *parser) expected(what string) {
	if t := p.peek(); t.kind != endToken {
		p.fail("found %q, expected %s", t.text, what)
	}
	p.fail("found the end of the tag, expected %s", what)
}

func (p *parser) operator(op string) {
	if !p.skipOperator(op) {
		p.expected(op)
	}
}

func (p *parser) keyword(name string) {
	if !p.skipName(name) {
		p.expected(name)
	}
}

func (p *parser) name() string {
	if p.peek().kind != nameToken {
		p.expected("a name")
	}
	return p.advance().text
}

var (
	integerForm = regexp.MustCompile(`^(?i:0b(?:_?[01])+|0o(?:_?[0-7])+|0x(?:_?[\da-f])+|[1-9](?:_?\d)*|0(?:_?0)*)$`)
	floatForm   = regexp.MustCompile(`^(?i:(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?e[+\-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+))$`)
)

func (p *parser) number(source string) value {
	digits := strings.ReplaceAll(source, "_", "")
	switch {
	case integerForm.MatchString(source):
		base := 10
		if len(digits) > 1 && digits[0] == '0' && digits[1] > '9' {
			base = 0
		}
		i, err := strconv.ParseInt(digits, base, 64)
		if err != nil {
			p.unsupported("the number %s", source)
		}
		return i
	case floatForm.MatchString(source):
		f, err := strconv.ParseFloat(digits, 64)
		if err != nil {
			p.unsupported("the number %s", source)
		}
		return f
	}
	p.fail("%q is not a number", source)
	return nil
}
