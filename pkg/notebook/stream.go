package notebook

import "strings"

// streamText gathers what a program prints and keeps what a terminal would show: a carriage return starts the line
// again. A progress bar redrawn a thousand times is saved as its last state.
type streamText struct {
	done strings.Builder // finished lines
	line string          // the line being written, as shown
	back bool            // a carriage return came last: the next character overwrites the line, unless it is a newline
}

// Write adds a piece of output; pieces may end anywhere, also between \r and \n.
func (s *streamText) Write(text string) {
	for text != "" {
		i := strings.IndexAny(text, "\r\n")
		if i < 0 {
			s.put(text)
			return
		}
		s.put(text[:i])
		if text[i] == '\n' {
			s.done.WriteString(s.line)
			s.done.WriteByte('\n')
			s.line, s.back = "", false
		} else {
			s.back = true
		}
		text = text[i+1:]
	}
}

func (s *streamText) put(text string) {
	if text == "" {
		return
	}
	if s.back {
		s.line, s.back = "", false
	}
	s.line += text
}

func (s *streamText) String() string { return s.done.String() + s.line }
