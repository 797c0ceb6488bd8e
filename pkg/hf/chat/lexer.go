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
)

// token of an expression.
type token struct {
	kind tokenKind
	text string // of a string, its value
	line int
}

// maxBrackets is how deep brackets may nest in an expression; the engine's parser is recursive.
const maxBrackets = 64

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
			if depth < 0 || depth > maxBrackets {
				return nil, fmt.Errorf("chat: line %d of the template: brackets that do not match, or nest deeper than %d", l.line, maxBrackets)
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
		t.kind, t.text = nameToken, leading(rest, func(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) })
	case r >= '0' && r <= '9':
		// Takes in all that could belong to a number; what kinds of numbers there are is checked elsewhere.
		t.kind, t.text = numberToken, leading(rest, func(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) })
		if after := rest[len(t.text):]; len(after) > 1 && after[0] == '.' && after[1] >= '0' && after[1] <= '9' {
			t.text += "." + leading(after[1:], func(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) })
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
			return t, fmt.Errorf("chat: line %d of the template: found %q, which is no operator", l.line, r)
		}
	}
	l.at += len(t.text)
	return t, nil
}

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
			return 0, fmt.Errorf("found the escape %q, which is no character", s[:2+digits])
		}
		b.WriteRune(rune(code))
		return 2 + digits, nil
	case c == 'N' || c >= '0' && c <= '7' || c == '\n':
		return 0, &UnsupportedError{Construct: fmt.Sprintf("the escape %q", s[:2])}
	}
	b.WriteByte('\\') // Python keeps an escape it does not know.
	return 1, nil
}
