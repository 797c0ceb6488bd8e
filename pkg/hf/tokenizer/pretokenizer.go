package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// preTokenizer cuts a text into the words that the model sees one at a time.
type preTokenizer interface {
	split(p piece, yield func(piece))
}

const preTokenizers = "ByteLevel Split Digits Punctuation Whitespace WhitespaceSplit CharDelimiterSplit BertPreTokenizer Metaspace Sequence"

// parsePreTokenizer builds a pre-tokenizer; nil if there is none.
func parsePreTokenizer(raw json.RawMessage, depth int, c *chain) (preTokenizer, error) {
	name, err := typeOf(raw)
	if err != nil || name == "" {
		return nil, err
	}
	fail := func(err error) (preTokenizer, error) { return nil, fmt.Errorf("%s: %w", name, err) }
	if err := c.add("", 1); err != nil {
		return fail(err)
	}
	switch name {
	case "ByteLevel":
		spec, err := parseByteLevel(raw)
		if err != nil {
			return fail(err)
		}
		return spec, nil
	case "Split":
		var spec struct {
			Type     string
			Pattern  patternSpec
			Behavior string
			Invert   bool
		}
		if err := strict(raw, &spec); err != nil {
			return fail(err)
		}
		find, err := spec.Pattern.finder()
		if err != nil {
			return fail(err)
		}
		how, err := behaviorOf(spec.Behavior)
		if err != nil {
			return fail(err)
		}
		return splitter{find, how, spec.Invert}, nil
	case "Digits":
		var spec struct {
			Type             string
			IndividualDigits bool `json:"individual_digits"`
		}
		if err := strict(raw, &spec); err != nil {
			return fail(err)
		}
		return splitter{find: classFinder(numberClass(), !spec.IndividualDigits), how: isolated}, nil
	case "Punctuation":
		spec := struct{ Type, Behavior string }{Behavior: "Isolated"}
		if err := strict(raw, &spec); err != nil {
			return fail(err)
		}
		how, err := behaviorOf(spec.Behavior)
		if err != nil {
			return fail(err)
		}
		return splitter{find: classFinder(punctuationClass(), false), how: how}, nil
	case "CharDelimiterSplit":
		var spec struct{ Type, Delimiter string }
		if err := strict(raw, &spec); err != nil {
			return fail(err)
		}
		if utf8.RuneCountInString(spec.Delimiter) != 1 {
			return fail(fmt.Errorf("delimiter: found %q, expected one character", spec.Delimiter))
		}
		return splitter{find: literal(spec.Delimiter), how: removed}, nil
	case "Whitespace", "WhitespaceSplit", "BertPreTokenizer":
		var spec struct{ Type string }
		if err := strict(raw, &spec); err != nil {
			return fail(err)
		}
		spaces := splitter{find: classFinder(unicode.White_Space, false), how: removed}
		switch name {
		case "Whitespace": // \w+|[^\w\s]+
			return preTokenizerSequence{spaces, splitter{find: classFinder(wordClass(), true), how: isolated}}, nil
		case "BertPreTokenizer":
			return preTokenizerSequence{spaces, splitter{find: classFinder(punctuationClass(), false), how: isolated}}, nil
		}
		return spaces, nil
	case "Metaspace":
		spec, err := parseMetaspace(raw)
		if err != nil {
			return fail(err)
		}
		return spec, nil
	case "Sequence":
		var spec struct {
			Type          string
			PreTokenizers []json.RawMessage `json:"pretokenizers"`
		}
		if err := strict(raw, &spec); err != nil {
			return fail(err)
		}
		if depth == maxDepth {
			return fail(fmt.Errorf("found more than %d inside each other", maxDepth))
		}
		var all preTokenizerSequence
		for _, part := range spec.PreTokenizers {
			p, err := parsePreTokenizer(part, depth+1, c)
			if err != nil {
				return fail(err)
			}
			if inner, ok := p.(preTokenizerSequence); ok {
				all = append(all, inner...)
			} else if p != nil {
				all = append(all, p)
			}
		}
		return all, nil
	}
	return nil, notSupported("pre-tokenizer", name, preTokenizers)
}

type preTokenizerSequence []preTokenizer

func (all preTokenizerSequence) split(p piece, yield func(piece)) {
	if len(all) == 0 {
		yield(p)
		return
	}
	if len(all) == 1 {
		all[0].split(p, yield)
		return
	}
	all[0].split(p, func(part piece) { all[1:].split(part, yield) })
}

// usesBytes says whether the words of a pre-tokenizer are to be read as bytes, which is so where it holds a ByteLevel. The mapping of bytes to
// characters is left out if nothing follows that would see it; what follows else gets the characters, of which the bytes are made
// again in the end.
func usesBytes(p preTokenizer) (changed preTokenizer, bytes bool, err error) {
	all, ok := p.(preTokenizerSequence)
	if !ok {
		_, bytes = p.(byteLevel)
		return p, bytes, nil
	}
	for i, part := range all {
		if _, ok := part.(byteLevel); !ok {
			continue
		}
		if i == len(all)-1 {
			return p, true, nil
		}
		for _, later := range all[i+1:] {
			if _, ok := later.(splitter); !ok {
				return nil, false, errors.New("after ByteLevel only Split, Digits, Punctuation and the like are supported")
			}
		}
		changed := append(slices.Clone(all[:i+1]), toByteAlphabet{})
		changed = append(changed, all[i+1:]...)
		return append(changed, fromByteAlphabet{}), true, nil
	}
	return p, false, nil
}

// toByteAlphabet writes bytes as characters, fromByteAlphabet makes bytes of them again.
type (
	toByteAlphabet   struct{}
	fromByteAlphabet struct{}
)

func (toByteAlphabet) split(p piece, yield func(piece)) { yield(byteAlphabet{}.normalize(p)) }

func (fromByteAlphabet) split(p piece, yield func(piece)) {
	e := edit(p)
	for i, r := range p.text {
		e.put(string([]byte{charBytes[r]}), i, i+utf8.RuneLen(r))
	}
	yield(e.piece())
}

// byteLevel is GPT-2's pre-tokenizer. The mapping of bytes to characters is left out: the model
// of this package works on the bytes themselves.
type byteLevel struct {
	addPrefixSpace bool
	useRegex       bool
}

func parseByteLevel(raw json.RawMessage) (byteLevel, error) {
	var spec struct {
		Type           string
		AddPrefixSpace bool  `json:"add_prefix_space"`
		TrimOffsets    bool  `json:"trim_offsets"`
		UseRegex       *bool `json:"use_regex"`
	}
	err := strict(raw, &spec)
	return byteLevel{spec.AddPrefixSpace, spec.UseRegex == nil || *spec.UseRegex}, err
}

func (b byteLevel) split(p piece, yield func(piece)) {
	if b.addPrefixSpace && !strings.HasPrefix(p.text, " ") {
		p = prepend(p, " ")
	}
	if !b.useRegex {
		yield(p)
		return
	}
	splitter{find: gpt2Finder(), how: isolated}.split(p, yield)
}

// metaspace writes spaces as a visible mark (▁), puts one in front, and cuts before each.
type metaspace struct {
	mark   string
	scheme string // when to put a mark in front: always, first (at the start of the text only), never
	cut    bool
}

func parseMetaspace(raw json.RawMessage) (metaspace, error) {
	var spec struct {
		Type           string
		Replacement    string
		StrRep         string  `json:"str_rep"` // written by early versions, the same as replacement
		AddPrefixSpace *bool   `json:"add_prefix_space"`
		PrependScheme  *string `json:"prepend_scheme"`
		Split          *bool
	}
	if err := strict(raw, &spec); err != nil {
		return metaspace{}, err
	}
	if utf8.RuneCountInString(spec.Replacement) != 1 {
		return metaspace{}, fmt.Errorf("replacement: found %q, expected one character", spec.Replacement)
	}
	m := metaspace{mark: spec.Replacement, scheme: "always", cut: spec.Split == nil || *spec.Split}
	// add_prefix_space is the older way to say always or never.
	if spec.AddPrefixSpace != nil && !*spec.AddPrefixSpace {
		m.scheme = "never"
	}
	if spec.PrependScheme != nil {
		if m.scheme == "never" && *spec.PrependScheme != "never" {
			return metaspace{}, fmt.Errorf("found prepend_scheme %q with add_prefix_space false, expected them to agree", *spec.PrependScheme)
		}
		m.scheme = *spec.PrependScheme
	}
	switch m.scheme {
	case "always", "first", "never":
		return m, nil
	}
	return metaspace{}, notSupported("prepend_scheme", m.scheme, "always first never")
}

func (m metaspace) split(p piece, yield func(piece)) {
	p = replaceAll(p, literal(" "), m.mark)
	inFront := m.scheme == "always"
	if m.scheme == "first" {
		inFront = p.base == 0
	}
	if inFront && !strings.HasPrefix(p.text, m.mark) {
		p = prepend(p, m.mark)
	}
	if !m.cut {
		yield(p)
		return
	}
	splitter{find: literal(m.mark), how: mergedWithNext}.split(p, yield)
}

// behavior says what becomes of the matches a text is cut at.
type behavior uint8

const (
	isolated           behavior = iota // a match is a word of its own
	removed                            // matches are dropped
	contiguous                         // neighbouring matches are one word
	mergedWithPrevious                 // a match ends the word before it
	mergedWithNext                     // a match begins the word after it
)

var behaviors = map[string]behavior{
	"Isolated": isolated, "Removed": removed, "Contiguous": contiguous,
	"MergedWithPrevious": mergedWithPrevious, "MergedWithNext": mergedWithNext,
}

func behaviorOf(name string) (behavior, error) {
	how, ok := behaviors[name]
	if !ok {
		return 0, notSupported("behavior", name, "Isolated Removed Contiguous MergedWithPrevious MergedWithNext")
	}
	return how, nil
}

// splitter cuts a text at the matches of a pattern.
type splitter struct {
	find   finder
	how    behavior
	invert bool // what lies between the matches counts as the match
}

// stretch is a match or what lies between two.
type stretch struct {
	start, end int
	match      bool
}

func (s splitter) split(p piece, yield func(piece)) {
	if s.how == isolated {
		s.each(p.text, func(part stretch) { yield(p.slice(part.start, part.end)) })
		return
	}
	var all []stretch
	s.each(p.text, func(part stretch) {
		part.match = part.match != s.invert
		all = append(all, part)
	})
	for i := 0; i < len(all); i++ {
		word := all[i]
		follows := func() bool { return i+1 < len(all) }
		switch s.how {
		case removed:
			if word.match {
				continue
			}
		case contiguous:
			for follows() && all[i+1].match == word.match {
				i++
			}
		case mergedWithPrevious:
			if !word.match && follows() && all[i+1].match {
				i++
			}
		case mergedWithNext:
			if word.match && follows() && !all[i+1].match {
				i++
			}
		}
		yield(p.slice(word.start, all[i].end))
	}
}

// each visits the matches and what lies between them, in order, covering the text.
func (s splitter) each(text string, visit func(stretch)) {
	at := 0
	for at < len(text) {
		start, end, ok := s.find.next(text, at)
		if !ok {
			visit(stretch{at, len(text), false})
			return
		}
		if at < start {
			visit(stretch{at, start, false})
		}
		visit(stretch{start, end, true})
		at = end
	}
}

// gpt2Pattern cuts text for GPT-2 and for every ByteLevel pre-tokenizer with use_regex
// (https://github.com/openai/gpt-2/blob/master/src/encoder.py).
const gpt2Pattern = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

var gpt2Finder = sync.OnceValue(func() finder { return mustCompile(gpt2Pattern) })

// mustCompile compiles an expression of this package's own.
func mustCompile(source string) finder {
	p, err := compile(source)
	if err != nil {
		panic(err)
	}
	return p
}

// byteChars maps each byte to the character that stands for it in a byte-level vocabulary, and charBytes back. Printable
// bytes of Latin-1 stand for themselves, the others for the characters from U+0100 on, in order (GPT-2's bytes_to_unicode): a space is Ġ.
var byteChars, charBytes = func() (chars [256]rune, bytes map[rune]byte) {
	bytes = make(map[rune]byte, 256)
	next := rune(0x100)
	for b := range 256 {
		r := rune(b)
		printable := r >= '!' && r <= '~' || r >= 0xA1 && r <= 0xAC || r >= 0xAE && r <= 0xFF
		if !printable {
			r = next
			next++
		}
		chars[b] = r
		bytes[r] = byte(b)
	}
	return chars, bytes
}()

// bytesOf returns the bytes a byte-level vocabulary entry stands for; ok is false if it has a character
// that stands for no byte.
func bytesOf(entry string) (raw string, ok bool) {
	buffer := make([]byte, 0, len(entry))
	for _, r := range entry {
		b, ok := charBytes[r]
		if !ok {
			return "", false
		}
		buffer = append(buffer, b)
	}
	return string(buffer), true
}

// charsOf is the inverse of bytesOf.
func charsOf(raw string) string {
	buffer := make([]byte, 0, 2*len(raw))
	for i := range len(raw) {
		buffer = utf8.AppendRune(buffer, byteChars[raw[i]])
	}
	return string(buffer)
}
