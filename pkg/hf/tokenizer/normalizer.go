package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// normalizer rewrites a text before it is cut.
type normalizer interface {
	normalize(p piece) piece
}

const normalizers = "NFC NFD NFKC NFKD Lowercase Strip StripAccents Nmt Prepend Replace ByteLevel Precompiled Sequence"

// parseNormalizer builds a normalizer; nil if there is none.
func parseNormalizer(raw json.RawMessage, depth int, c *chain) (normalizer, error) {
	name, err := typeOf(raw)
	if err != nil || name == "" {
		return nil, err
	}
	fail := func(err error) (normalizer, error) { return nil, fmt.Errorf("%s: %w", name, err) }
	if err := c.add("", 1); err != nil {
		return fail(err)
	}
	switch name {
	case "NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt", "ByteLevel":
		var spec struct{ Type string }
		if err := strict(raw, &spec); err != nil {
			return fail(err)
		}
		switch name {
		case "Lowercase":
			return eachRune(lowerRune), nil
		case "StripAccents":
			return eachRune(withoutMark), nil
		case "Nmt":
			return eachRune(nmt), nil
		case "ByteLevel":
			return byteAlphabet{}, nil
		}
		return unicodeForm(map[string]norm.Form{"NFC": norm.NFC, "NFD": norm.NFD, "NFKC": norm.NFKC, "NFKD": norm.NFKD}[name]), nil
	case "Strip":
		var spec struct {
			Type  string
			Left  bool `json:"strip_left"`
			Right bool `json:"strip_right"`
		}
		if err := strict(raw, &spec); err != nil {
			return fail(err)
		}
		return stripper{spec.Left, spec.Right}, nil
	case "Precompiled":
		n, err := parsePrecompiled(raw)
		if err != nil {
			return fail(err)
		}
		return n, nil
	case "Prepend":
		var spec struct{ Type, Prepend string }
		if err := strict(raw, &spec); err != nil {
			return fail(err)
		}
		if err := c.add(spec.Prepend, 1); err != nil {
			return fail(err)
		}
		return prepender(spec.Prepend), nil
	case "Replace":
		var spec struct {
			Type    string
			Pattern patternSpec
			Content string
		}
		if err := strict(raw, &spec); err != nil {
			return fail(err)
		}
		find, err := spec.Pattern.finder()
		if err != nil {
			return fail(err)
		}
		if err := c.add(spec.Content, find.least()); err != nil {
			return fail(err)
		}
		return replacer{find, spec.Content}, nil
	case "Sequence":
		var spec struct {
			Type        string
			Normalizers []json.RawMessage
		}
		if err := strict(raw, &spec); err != nil {
			return fail(err)
		}
		if depth == maxDepth {
			return fail(fmt.Errorf("found more than %d inside each other", maxDepth))
		}
		var all normalizerSequence
		for _, part := range spec.Normalizers {
			n, err := parseNormalizer(part, depth+1, c)
			if err != nil {
				return fail(err)
			}
			if n != nil {
				all = append(all, n)
			}
		}
		return all, nil
	}
	return nil, notSupported("normalizer", name, normalizers)
}

type normalizerSequence []normalizer

func (all normalizerSequence) normalize(p piece) piece {
	for _, n := range all {
		p = n.normalize(p)
	}
	return p
}

// prepender puts a text in front of any text but the empty one.
type prepender string

func (text prepender) normalize(p piece) piece {
	if p.text == "" {
		return p
	}
	return prepend(p, string(text))
}

type replacer struct {
	find    finder
	content string
}

func (r replacer) normalize(p piece) piece { return replaceAll(p, r.find, r.content) }

// unicodeForm is a Unicode normalization form. golang.org/x/text puts combining marks in order within 30 of them
// (the stream-safe format of Unicode Standard Annex 15); a longer run, which no language has, keeps its order beyond.
type unicodeForm norm.Form

func (f unicodeForm) normalize(p piece) piece {
	form := norm.Form(f)
	if form.IsNormalString(p.text) {
		return p
	}
	e := edit(p)
	unknown := func(r rune) bool { return unicode.Is(newToNormalFormsClass(), r) }
	for i := 0; i < len(p.text); {
		if r, width := utf8.DecodeRuneInString(p.text[i:]); unknown(r) {
			e.keep(i, i+width)
			i += width
			continue
		}
		end := len(p.text)
		if n := strings.IndexFunc(p.text[i:], unknown); n >= 0 {
			end = i + n
		}
		// Nothing interacts across a boundary, so that each segment is one stretch of the original.
		for i < end {
			j := i + form.NextBoundaryInString(p.text[i:end], true)
			if segment := form.String(p.text[i:j]); segment == p.text[i:j] {
				e.keep(i, j)
			} else {
				e.put(segment, i, j)
			}
			i = j
		}
	}
	return e.piece()
}

// eachRune replaces each character by itself, without regard to those around it.
type eachRune func(r rune) (replacement string, changed bool)

func (change eachRune) normalize(p piece) piece {
	e := edit(p)
	changed := false
	for i, width := 0, 0; i < len(p.text); i += width {
		var r rune
		r, width = utf8.DecodeRuneInString(p.text[i:])
		if replacement, ok := change(r); ok {
			e.put(replacement, i, i+width)
			changed = true
		} else {
			e.keep(i, i+width)
		}
	}
	if !changed {
		return p
	}
	return e.piece()
}

func lowerRune(r rune) (string, bool) {
	if r == 'İ' {
		return "i\u0307", true // The one character whose lower case is two (Unicode's SpecialCasing.txt).
	}
	lower := lowerCase(r)
	return string(lower), lower != r
}

// withoutMark drops combining marks.
func withoutMark(r rune) (string, bool) {
	return "", unicode.Is(unicode.M, r) && !unicode.Is(notMarksClass(), r) || r == 0x1CF2 || r == 0x1CF3
}

// nmt drops control characters and makes spaces of what is like one (SentencePiece's rule nmt_nfkc, without the forms).
func nmt(r rune) (string, bool) {
	switch {
	case r >= 1 && r <= 8, r == 0xB, r >= 0xE && r <= 0x1F, r == 0x7F, r == 0x8F, r == 0x9F:
		return "", true
	case r == '\t', r == '\n', r == '\f', r == '\r', r == 0x1680, r >= 0x200B && r <= 0x200F, r == 0x2028, r == 0x2029, r == 0x2581, r == 0xFEFF, r == 0xFFFD:
		return " ", true
	}
	return "", false
}

// stripper drops white space at the ends.
type stripper struct{ left, right bool }

func (s stripper) normalize(p piece) piece {
	from, to := 0, len(p.text)
	if s.left {
		from = to - len(strings.TrimLeftFunc(p.text, unicode.IsSpace))
	}
	if s.right {
		to = from + len(strings.TrimRightFunc(p.text[from:], unicode.IsSpace))
	}
	return p.slice(from, to)
}

// byteAlphabet writes each byte as the character that stands for it in a byte-level vocabulary.
type byteAlphabet struct{}

func (byteAlphabet) normalize(p piece) piece {
	e := edit(p)
	for i := range len(p.text) {
		e.put(string(byteChars[p.text[i]]), i, i+1)
	}
	return e.piece()
}
