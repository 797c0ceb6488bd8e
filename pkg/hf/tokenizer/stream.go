package tokenizer

// Stream decodes ids one at a time, as a model generates them.
//
// Every text it returns is complete UTF-8: a character that spans several tokens appears with the last of them. All texts together are what
// [Tokenizer.Decode] gives for all ids. (One exception, for ids that are no text at all: where byte tokens of a byte-fallback vocabulary
// form no UTF-8, Decode replaces the whole run of them, but the stream has given out the characters before the broken one.)
type Stream struct {
	tokenizer *Tokenizer
	state     *decoding
}

// NewStream begins a stream. Special tokens are left out, as in [Tokenizer.Decode].
func (t *Tokenizer) NewStream() *Stream {
	return &Stream{t, t.decoder.begin(true)}
}

// Push adds an id and returns the text that it completes, which may be empty.
func (s *Stream) Push(id int) string {
	s.tokenizer.decodeInto(s.state, id, false)
	return s.take()
}

// Flush returns what is left of an unfinished character, as U+FFFD, and readies the stream for another text.
func (s *Stream) Flush() string {
	s.state.end()
	text := s.take()
	s.state = s.tokenizer.decoder.begin(true)
	return text
}

func (s *Stream) take() string {
	text := string(s.state.out)
	s.state.out = s.state.out[:0]
	return text
}
