package chat

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind byte

const (
	nameToken tokenKind = iota
	numberToken
	stringToken
	operatorToken
	endToken // behind the last of a tag
)

// token of an expression.
type token struct {
	kind tokenKind
	text string // of a string, its value
	line int
}

// lexer reads the inside of one tag.
type lexer struct {
	source string
	at     int
	line   int
	closed int // where the closing delimiter stands
}

// Two-character operators come before their first characters.
var operators = []string{"//", "**", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "<", ">", "=", "(", ")", "[", "]", "{", "}", ".", ",", ":", "|", ";"}

// tag reads to behind the delimiter that closes a tag of this kind.
func (l *lexer) tag(kind byte) ([]token, error) {
	start := l.line
	end := "%}"
	if kind == '{' {
		end = "}}"
	}
	var tokens []token
	depth := 0
	for l.at < len(l.source) {
		rest := l.source[l.at:]
		if depth == 0 {
			// A sign right before the delimiter belongs to it.
			signed := strings.TrimPrefix(rest, "-")
			if kind == '%' && len(signed) == len(rest) {
				signed = strings.TrimPrefix(rest, "+")
			}
			if strings.HasPrefix(signed, end) {
				l.closed = l.at + len(rest) - len(signed)
				l.at = l.closed + len(end)
				return tokens, nil
			}
		}
		r, size := utf8.DecodeRuneInString(rest)
		if unicode.IsSpace(r) {
			if r == '\n' {
				l.line++
			}
			l.at += size
			continue
		}
		t, err := l.next(rest, r)
		if err != nil {
			return nil, err
		}
		if t.kind == operatorToken {
			switch t.text {
			case "(", "[", "{":
				depth++
			case ")", "]", "}":
				depth--
			}
			if depth < 0 || depth > maxNesting {
				return nil, fmt.Errorf("chat: line %d of the template: brackets that do not match, or nest deeper than %d", l.line, maxNesting)
			}
		}
		tokens = append(tokens, t)
	}
	return nil, fmt.Errorf("chat: line %d of the template: a tag has no end %s", start, end)
}

func (l *lexer) next(rest string, r rune) (token, error) {
	t := token{line: l.line}
	switch {
	case r == '\'' || r == '"':
		return l.stringLiteral(rest)
	case r == '_' || unicode.IsLetter(r):
		t.kind, t.text = nameToken, leading(rest, isNameRune)
	case r >= '0' && r <= '9':
		// Takes in all that could belong to a number; the parser says what is one. Behind a dot there are no fractions: messages.0.role.
		t.kind, t.text = numberToken, leading(rest, isNameRune)
		if after := rest[len(t.text):]; len(after) > 1 && after[0] == '.' && after[1] >= '0' && after[1] <= '9' && (l.at == 0 || l.source[l.at-1] != '.') {
			t.text += "." + leading(after[1:], isNameRune)
		}
		if after := rest[len(t.text):]; len(after) > 1 && strings.ContainsRune("eE", rune(t.text[len(t.text)-1])) && strings.ContainsRune("+-", rune(after[0])) && !strings.HasPrefix(t.text, "0x") {
			t.text += after[:1] + leading(after[1:], isNameRune)
		}
	default:
		t.kind = operatorToken
		for _, op := range operators {
			if strings.HasPrefix(rest, op) {
				t.text = op
				break
			}
		}
		if t.text == "" {
			return t, fmt.Errorf("chat: line %d of the template: found %q, which is not an operator", l.line, r)
		}
	}
	l.at += len(t.text)
	return t, nil
}

func isNameRune(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

func leading(s string, in func(rune) bool) string {
	for i, r := range s {
		if !in(r) {
			return s[:i]
		}
	}
	return s
}

// stringLiteral reads a string with Python's escapes.
func (l *lexer) stringLiteral(rest string) (token, error) {
	t := token{kind: stringToken, line: l.line}
	quote := rest[0]
	var b strings.Builder
	for i := 1; i < len(rest); {
		switch c := rest[i]; {
		case c == quote:
			t.text = b.String()
			l.at += i + 1
			l.line += strings.Count(rest[:i], "\n")
			return t, nil
		case c != '\\' || i+1 == len(rest):
			b.WriteByte(c)
			i++
		default:
			n, err := unescape(&b, rest[i:])
			var unsupported *UnsupportedError
			if errors.As(err, &unsupported) {
				unsupported.Line = l.line
				return t, unsupported
			}
			if err != nil {
				return t, fmt.Errorf("chat: line %d of the template: %w", l.line, err)
			}
			i += n
		}
	}
	return t, fmt.Errorf("chat: line %d of the template: a string has no end", l.line)
}

var simpleEscapes = map[byte]byte{'n': '\n', 't': '\t', 'r': '\r', '\\': '\\', '\'': '\'', '"': '"', 'a': '\a', 'b': '\b', 'f': '\f', 'v': '\v'}

// unescape writes the character that s begins with as an escape, and returns how long the escape is.
func unescape(b *strings.Builder, s string) (int, error) {
	c := s[1]
	if plain, ok := simpleEscapes[c]; ok {
		b.WriteByte(plain)
		return 2, nil
	}
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
	switch {
	case digits > 0:
		if len(s) < 2+digits {
			return 0, fmt.Errorf("found the escape %q, expected %d digits", s, digits)
		}
		code, err := strconv.ParseUint(s[2:2+digits], 16, 32)
		if err != nil || !utf8.ValidRune(rune(code)) {
			return 0, fmt.Errorf("found the escape %q, which is not a character", s[:2+digits])
		}
		b.WriteRune(rune(code))
		return 2 + digits, nil
	case c == 'N' || c >= '0' && c <= '7' || c == '\n':
		return 0, &UnsupportedError{Construct: fmt.Sprintf("the escape %q", s[:2])}
	}
	b.WriteByte('\\') // Python keeps an escape it does not know.
	return 1, nil
}

// part of a template: a stretch of text, or a tag.
type part struct {
	text   string  // of a text
	tag    byte    // 0 is a text, '{' an expression to print, '%' a statement
	tokens []token // of a tag
	line   int
}

// split cuts a template into texts and tags and gives each text the whitespace it is to be printed with. The rules are those of
// Jinja2's lexer with trim_blocks and lstrip_blocks set:
//
//   - a minus sign beside a tag's delimiter takes all whitespace on its side;
//   - a statement or a comment takes the spaces before it if only they stand between it and the start of the line, unless it begins with a plus sign;
//   - a statement or a comment takes one newline after it, unless it ends with a plus sign;
//   - line ends become \n, and one newline at the very end of the template is dropped.
func split(source string) ([]part, error) {
	source = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(source)
	source = strings.TrimSuffix(source, "\n")
	s := splitter{source: source, line: 1, atLineStart: true}
	for {
		open := s.nextTag()
		if open < 0 {
			s.addText(source[s.at:])
			return s.parts, nil
		}
		text := source[s.at:open]
		kind := source[open+1]
		s.at = open + 2
		sign := s.sign()
		s.addText(before(text, kind, sign, s.atLineStart))
		s.line += strings.Count(text, "\n")
		if err := s.tag(kind); err != nil {
			return nil, err
		}
	}
}

type splitter struct {
	source      string
	at          int
	line        int
	atLineStart bool // whether the whitespace control so far ended with a newline
	parts       []part
}

func (s *splitter) nextTag() int {
	for i := s.at; i+1 < len(s.source); i++ {
		if s.source[i] == '{' && strings.IndexByte("{%#", s.source[i+1]) >= 0 {
			return i
		}
	}
	return -1
}

// sign reads the whitespace control at the start of a tag.
func (s *splitter) sign() byte {
	if s.at < len(s.source) && (s.source[s.at] == '-' || s.source[s.at] == '+') {
		s.at++
		return s.source[s.at-1]
	}
	return 0
}

func (s *splitter) addText(text string) {
	if text != "" {
		s.parts = append(s.parts, part{text: text, line: s.line})
	}
}

// before is what remains of the text that a tag follows.
func before(text string, kind, sign byte, atLineStart bool) string {
	if sign == '-' {
		return strings.TrimRightFunc(text, unicode.IsSpace)
	}
	if sign == '+' || kind == '{' {
		return text
	}
	start := strings.LastIndexByte(text, '\n') + 1
	if (start > 0 || atLineStart) && strings.TrimSpace(text[start:]) == "" {
		return text[:start]
	}
	return text
}

// tag reads from behind the opening delimiter (and its sign) to behind the closing one.
func (s *splitter) tag(kind byte) error {
	line := s.line
	if kind == '#' {
		end := strings.Index(s.source[s.at:], "#}")
		if end < 0 {
			return fmt.Errorf("chat: line %d of the template: a comment has no end", line)
		}
		body := s.source[s.at : s.at+end]
		s.line += strings.Count(body, "\n")
		s.at += end + len("#}")
		s.after(kind, body)
		return nil
	}
	l := lexer{source: s.source, at: s.at, line: line}
	tokens, err := l.tag(kind)
	if err != nil {
		return err
	}
	s.at, s.line = l.at, l.line
	signed := s.source[:l.closed]
	s.after(kind, signed)
	if kind == '%' && len(tokens) == 1 && tokens[0].text == "raw" {
		return s.raw(line)
	}
	s.parts = append(s.parts, part{tag: kind, tokens: tokens, line: line})
	return nil
}

// after drops the whitespace that the end of a tag takes; body is the source up to the closing delimiter.
func (s *splitter) after(kind byte, body string) {
	rest := s.source[s.at:]
	taken := 0
	switch {
	case strings.HasSuffix(body, "-"):
		taken = len(rest) - len(strings.TrimLeftFunc(rest, unicode.IsSpace))
	case kind != '{' && !strings.HasSuffix(body, "+") && strings.HasPrefix(rest, "\n"):
		taken = 1
	}
	s.atLineStart = taken > 0 && rest[taken-1] == '\n'
	s.line += strings.Count(rest[:taken], "\n")
	s.at += taken
}

// raw reads a block that is text to its end.
func (s *splitter) raw(line int) error {
	for from := s.at; ; {
		i := strings.Index(s.source[from:], "{%")
		if i < 0 {
			return fmt.Errorf("chat: line %d of the template: raw has no endraw", line)
		}
		open := from + i
		l := lexer{source: s.source, at: open + 2, line: s.line}
		var sign byte
		if strings.HasPrefix(s.source[l.at:], "-") || strings.HasPrefix(s.source[l.at:], "+") {
			sign = s.source[l.at]
			l.at++
		}
		tokens, err := l.tag('%')
		if err != nil || len(tokens) != 1 || tokens[0].text != "endraw" {
			from = open + 2
			continue
		}
		text := s.source[s.at:open]
		s.addText(before(text, '%', sign, s.atLineStart))
		s.line += strings.Count(s.source[s.at:l.at], "\n")
		s.at = l.at
		s.after('%', s.source[:l.closed])
		return nil
	}
}
