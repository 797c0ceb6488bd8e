package chat

import (
	"fmt"
	"strings"
	"unicode"
)

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
