package model

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/attune-lab/attune/pkg/hf/tokenizer"
)

// writer follows the text of one sequence while it is generated: it finds stop strings and passes on what is sure to stay.
type writer struct {
	decode  *tokenizer.Stream
	stops   []string
	longest int // bytes of the longest stop string
	send    func(text string)
	text    string // all so far, without a stop string and what follows it
	sent    int    // bytes of text passed on
	stopped bool
}

// newWriters makes one writer for each of n sequences; none where nothing asks for text before the end.
func (m *Model) newWriters(n int, opts GenerateOptions) ([]*writer, error) {
	if len(opts.Stop) == 0 && opts.Stream == nil {
		return nil, nil
	}
	if m.Tokenizer == nil {
		return nil, fmt.Errorf("stop strings and streaming are about text, and the model has no tokenizer: open a directory with tokenizer.json")
	}
	longest := 0
	for _, s := range opts.Stop {
		if s == "" || !utf8.ValidString(s) {
			return nil, fmt.Errorf("stop string %q: expected text of at least one character", s)
		}
		longest = max(longest, len(s))
	}
	ws := make([]*writer, n)
	for i := range ws {
		ws[i] = &writer{decode: m.Tokenizer.NewStream(), stops: opts.Stop, longest: longest}
		if opts.Stream != nil {
			ws[i].send = func(text string) { opts.Stream(i, text) }
		}
	}
	return ws, nil
}

// push adds a token and reports whether the text has met a stop string.
func (w *writer) push(id int) (stopped bool) {
	w.add(w.decode.Push(id))
	w.pass(len(w.text) - w.held())
	return w.stopped
}

// end adds what is left of an unfinished character and passes on the rest.
func (w *writer) end() {
	if !w.stopped {
		w.add(w.decode.Flush())
	}
	w.pass(len(w.text))
}

// add appends a piece of text and cuts at the first stop string, which may have begun in earlier pieces.
func (w *writer) add(piece string) {
	from := max(0, len(w.text)-w.longest+1)
	w.text += piece
	for _, s := range w.stops {
		if i := strings.Index(w.text[from:], s); i >= 0 {
			w.text, w.stopped = w.text[:from+i], true
		}
	}
}

// held is how many bytes at the text's end may turn out to begin a stop string.
func (w *writer) held() int {
	if w.stopped {
		return 0
	}
	for n := min(w.longest-1, len(w.text)); n > 0; n-- {
		for _, s := range w.stops {
			if len(s) > n && strings.HasPrefix(s, w.text[len(w.text)-n:]) {
				return n
			}
		}
	}
	return 0
}

// pass sends the text up to a byte.
func (w *writer) pass(to int) {
	if w.send != nil && to > w.sent {
		w.send(w.text[w.sent:to])
		w.sent = to
	}
}
