package notebook

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxLine is how many places of one line are kept open to overwriting; the first half of a longer line is final. A terminal is narrower.
const maxLine = 64 << 10

// maxEscape is where a sequence that does not end is taken for none.
const maxEscape = 256

// Stream follows a program's output as a terminal does, in time linear in its length, and emits what is final: whole lines, each with its end, and
// pieces of very long ones. A carriage return moves to the beginning of the line and a backspace one place back; neither erases, and what is
// written later replaces place by place (ECMA-48). Sequences that erase in the line, move in it or set colours are obeyed, others are dropped. The zero value with Emit is
// ready. Pieces of the output may end anywhere.
type Stream struct {
	Emit func(text string)

	line   []string // what stands in each place: a character with the colours set before it
	at     int      // where the next one goes
	colour string   // set since the last character
	escape []byte   // a sequence that has begun
}

// Write adds a piece of output.
func (s *Stream) Write(text string) {
	if len(s.line) == 0 && s.colour == "" && len(s.escape) == 0 && !strings.ContainsAny(text, "\r\b\x1b") { // most output
		if i := strings.LastIndexByte(text, '\n'); i >= 0 {
			s.Emit(text[:i+1])
			text = text[i+1:]
		}
	}
	for text != "" {
		if len(s.escape) > 0 && text[0] == '\n' {
			s.escape = s.escape[:0] // a sequence does not go over the end of a line
		}
		if len(s.escape) > 0 {
			s.escape = append(s.escape, text[0])
			text = text[1:]
			s.sequence()
			continue
		}
		switch text[0] {
		case '\n':
			s.Emit(s.Pending() + "\n")
			s.line, s.at, s.colour = s.line[:0], 0, ""
		case '\r':
			s.at = 0
		case '\b':
			s.at = max(s.at-1, 0)
		case 0x1b:
			s.escape = append(s.escape, 0x1b)
		default:
			_, size := utf8.DecodeRuneInString(text)
			s.put(text[:size])
			text = text[size:]
			continue
		}
		text = text[1:]
	}
}

// Pending is the unfinished line as it stands.
func (s *Stream) Pending() string { return strings.Join(s.line, "") + s.colour }

func (s *Stream) put(character string) {
	for s.at > len(s.line) {
		s.line = append(s.line, " ")
	}
	if s.colour != "" {
		character = s.colour + character
		s.colour = ""
	}
	if s.at == len(s.line) {
		s.line = append(s.line, character)
	} else {
		s.line[s.at] = character
	}
	s.at++
	if s.at >= maxLine {
		half := s.line[:maxLine/2]
		s.Emit(strings.Join(half, ""))
		s.line = append(s.line[:0], s.line[maxLine/2:]...)
		s.at -= maxLine / 2
	}
}

// sequence obeys an escape sequence once it is complete.
func (s *Stream) sequence() {
	e := s.escape
	last := e[len(e)-1]
	if len(e) == 2 {
		if !strings.ContainsRune("[]PX^_", rune(last)) && (last < ' ' || last > '/') {
			s.escape = e[:0] // a sequence of two characters
		}
		return
	}
	switch {
	case len(e) > maxEscape:
	case e[1] == '[':
		if last < '@' || last > '~' {
			return
		}
		s.control(string(e[2:len(e)-1]), last)
	case strings.ContainsRune("]PX^_", rune(e[1])): // a string: up to BEL or ESC \
		if last != 0x07 && !(last == '\\' && e[len(e)-2] == 0x1b) {
			return
		}
	case last >= ' ' && last <= '/':
		return // intermediate characters
	}
	s.escape = e[:0]
}

// control obeys a control sequence, ESC [ parameters final.
func (s *Stream) control(parameters string, final byte) {
	n, err := strconv.Atoi(parameters)
	if err != nil {
		n = 0
	}
	switch final {
	case 'm':
		s.colour += "\x1b[" + parameters + "m"
		if len(s.colour) > maxEscape {
			s.colour = ""
		}
	case 'K': // erase to the end of the line, from its beginning, or all of it
		switch {
		case n == 0 && s.at < len(s.line):
			s.line = s.line[:s.at]
		case n == 1:
			for i := range min(s.at+1, len(s.line)) {
				s.line[i] = " "
			}
		case n == 2:
			s.line = s.line[:0]
		}
	case 'G':
		s.at = min(max(n, 1), maxLine) - 1
	case 'C':
		s.at = min(s.at+max(n, 1), maxLine-1)
	case 'D':
		s.at = max(s.at-max(n, 1), 0)
	}
}
