package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// decoder is the plan of a tokenizer.json's decoder: what is done to each token's text, and to the whole. The layouts in use all
// fit one order of steps, which is what lets a stream give out text before the last token is known; others are refused.
type decoder struct {
	chain    chain
	bytes    bool   // ByteLevel: a token's text is bytes in disguise
	spaced   bool   // no decoder at all: tokens are joined by spaces, as published
	before   []step // each token's text, before bytes are joined
	fallback bool   // ByteFallback: <0xNN> tokens are bytes
	after    []step // each text after that
	fuse     bool
	strip    rune // Strip: leading characters of the whole
	cut      int  // how many of them at most
}

// step changes the text of one token; first says that it is the first.
type step func(text string, first bool) string

const decoders = "ByteLevel Metaspace Replace ByteFallback Fuse Strip Sequence"

func parseDecoder(raw json.RawMessage) (*decoder, error) {
	d := &decoder{}
	if isNull(raw) {
		d.spaced = true
		return d, nil
	}
	if err := d.parse(raw, 0); err != nil {
		return nil, err
	}
	if d.bytes && (d.fallback || d.cut > 0 || len(d.before)+len(d.after) > 0) {
		return nil, errors.New("ByteLevel beside other decoders is not supported")
	}
	return d, nil
}

func (d *decoder) parse(raw json.RawMessage, depth int) error {
	name, err := typeOf(raw)
	if err != nil || name == "" {
		return err
	}
	if err := d.chain.add("", 1); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	switch name {
	case "ByteLevel":
		_, err = parseByteLevel(raw)
		d.bytes = true
	case "Metaspace":
		err = d.parseMetaspace(raw)
	case "Replace":
		err = d.parseReplace(raw)
	case "ByteFallback":
		if d.fallback || d.fuse {
			err = errors.New("a second one or one after Fuse is not supported")
		}
		d.fallback = true
	case "Fuse":
		d.fuse = true
	case "Strip":
		err = d.parseStrip(raw)
	case "Sequence":
		var spec struct {
			Type     string
			Decoders []json.RawMessage
		}
		if err = strict(raw, &spec); err != nil {
			break
		}
		if depth == maxDepth {
			err = fmt.Errorf("found more than %d inside each other", maxDepth)
			break
		}
		for _, part := range spec.Decoders {
			if err = d.parse(part, depth+1); err != nil {
				break
			}
		}
	default:
		return notSupported("decoder", name, decoders)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (d *decoder) step(s step) error {
	switch {
	case d.fuse && d.fallback:
		d.after = append(d.after, s)
	case d.fuse:
		d.before = append(d.before, s)
	case d.fallback:
		d.after = append(d.after, s)
	default:
		d.before = append(d.before, s)
	}
	return nil
}

func (d *decoder) parseMetaspace(raw json.RawMessage) error {
	spec, err := parseMetaspace(raw)
	if err != nil {
		return err
	}
	if d.fuse {
		return errors.New("after Fuse it is not supported")
	}
	return d.step(func(text string, first bool) string {
		if first && spec.scheme != "never" {
			return strings.ReplaceAll(text, spec.mark, "")
		}
		return strings.ReplaceAll(text, spec.mark, " ")
	})
}

func (d *decoder) parseReplace(raw json.RawMessage) error {
	var spec struct {
		Type    string
		Pattern patternSpec
		Content string
	}
	if err := strict(raw, &spec); err != nil {
		return err
	}
	find, err := spec.Pattern.finder()
	if err != nil {
		return err
	}
	if err := d.chain.add(spec.Content, find.least()); err != nil {
		return err
	}
	// A whole text is its tokens' texts only to a pattern that cannot reach over their edges.
	if d.fuse && (spec.Pattern.String == nil || utf8.RuneCountInString(*spec.Pattern.String) != 1) {
		return errors.New("after Fuse it is supported for one character only")
	}
	if d.cut > 0 {
		return errors.New("after Strip it is not supported")
	}
	return d.step(func(text string, _ bool) string {
		if _, _, ok := find.next(text, 0); !ok {
			return text
		}
		return replaceAll(piece{text: text}, find, spec.Content).text
	})
}

func (d *decoder) parseStrip(raw json.RawMessage) error {
	var spec struct {
		Type        string
		Content     string
		Start, Stop int
	}
	if err := strict(raw, &spec); err != nil {
		return err
	}
	r, width := utf8.DecodeRuneInString(spec.Content)
	switch {
	case width == 0 || width != len(spec.Content):
		return fmt.Errorf("content: found %q, expected one character", spec.Content)
	case spec.Stop != 0:
		return errors.New("stop other than 0 is not supported")
	case spec.Start < 0:
		return fmt.Errorf("start: found %d, expected at least 0", spec.Start)
	case d.cut > 0:
		return errors.New("a second one is not supported")
	case !d.fuse && spec.Start > 0:
		return errors.New("before Fuse it is not supported")
	}
	d.strip, d.cut = r, spec.Start
	return nil
}

// byteToken returns the byte of a <0xNN> token.
func byteToken(text string) (b byte, ok bool) {
	if len(text) != 6 || !strings.HasPrefix(text, "<0x") || text[5] != '>' {
		return 0, false
	}
	value, err := strconv.ParseUint(text[3:5], 16, 8)
	return byte(value), err == nil
}

// decoding is a decode under way.
type decoding struct {
	*decoder
	eager   bool   // give out characters as soon as they are complete
	begun   bool   // a token was seen
	cut     int    // leading characters still to strip
	waiting []byte // bytes of a character, or of a run of byte tokens, that is not complete
	out     []byte
}

func (d *decoder) begin(eager bool) *decoding {
	return &decoding{decoder: d, eager: eager, cut: d.cut}
}

// push adds a token. An added token is text even where the vocabulary is byte level.
func (d *decoding) push(text string, added bool) {
	first := !d.begun
	d.begun = true
	if d.bytes {
		if raw, ok := bytesOf(text); ok && !added {
			text = raw
		}
		d.waiting = append(d.waiting, text...)
		d.drain()
		return
	}
	if d.spaced && !first {
		text = " " + text
	}
	for _, s := range d.before {
		text = s(text, first)
	}
	if d.fallback {
		if b, ok := byteToken(text); ok {
			d.waiting = append(d.waiting, b)
			if d.eager {
				d.drainRun()
			}
			return
		}
		d.endRun()
	}
	d.emit(text, first)
}

// emit writes a text behind ByteFallback.
func (d *decoding) emit(text string, first bool) {
	for _, s := range d.after {
		text = s(text, first)
	}
	d.write(text)
}

// drain gives out what is complete of the bytes that wait.
func (d *decoding) drain() {
	for {
		n, ok := nextChar(d.waiting)
		if n == 0 {
			return
		}
		if ok {
			d.write(string(d.waiting[:n]))
		} else {
			d.write(replacement)
		}
		d.waiting = d.waiting[n:]
	}
}

// drainRun does the same for byte tokens, whose broken bytes are replaced one by one.
func (d *decoding) drainRun() {
	for {
		n, ok := nextChar(d.waiting)
		if n == 0 {
			return
		}
		if ok {
			d.emit(string(d.waiting[:n]), false)
		} else {
			d.emit(strings.Repeat(replacement, n), false)
		}
		d.waiting = d.waiting[n:]
	}
}

// endRun gives out a run of byte tokens that has ended: as published, all of it is replaced if any of it is not UTF-8.
func (d *decoding) endRun() {
	switch {
	case len(d.waiting) == 0:
		return
	case utf8.Valid(d.waiting):
		d.emit(string(d.waiting), false)
	default:
		d.emit(strings.Repeat(replacement, len(d.waiting)), false)
	}
	d.waiting = d.waiting[:0]
}

// end gives out what still waits.
func (d *decoding) end() {
	if d.fallback {
		d.endRun()
	} else if len(d.waiting) > 0 {
		d.write(replacement) // the beginning of one character
		d.waiting = nil
	}
}

func (d *decoding) write(text string) {
	for d.cut > 0 && text != "" {
		r, width := utf8.DecodeRuneInString(text)
		if r != d.strip {
			d.cut = 0
			break
		}
		text = text[width:]
		d.cut--
	}
	d.out = append(d.out, text...)
}

// replacement stands for bytes that are no UTF-8.
const replacement = "\uFFFD"

// nextChar looks at the front of b. It returns the number of bytes that belong together and whether they are a character; if they are
// not, they are the longest beginning of one that goes wrong, which a decoder replaces by one U+FFFD (The Unicode Standard, section
// 3.9, "U+FFFD Substitution of Maximal Subparts", as Rust and browsers do; Go's range replaces byte by byte). n is 0
// if b is empty or ends inside a character that could still become complete.
func nextChar(b []byte) (n int, ok bool) {
	if len(b) == 0 {
		return 0, true
	}
	if r, width := utf8.DecodeRune(b); r != utf8.RuneError || width > 1 {
		return width, true
	}
	// The second byte is bound more tightly by some first ones: no overlong forms, no surrogates, nothing above U+10FFFF.
	low, high, length := byte(0x80), byte(0xBF), 0
	switch first := b[0]; {
	case first >= 0xC2 && first <= 0xDF:
		length = 2
	case first >= 0xE0 && first <= 0xEF:
		length = 3
		if first == 0xE0 {
			low = 0xA0
		} else if first == 0xED {
			high = 0x9F
		}
	case first >= 0xF0 && first <= 0xF4:
		length = 4
		if first == 0xF0 {
			low = 0x90
		} else if first == 0xF4 {
			high = 0x8F
		}
	}
	for n = 1; n < length; n++ {
		if n == len(b) {
			return 0, false
		}
		if b[n] < low || b[n] > high {
			return n, false
		}
		low, high = 0x80, 0xBF
	}
	return 1, false
}

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
