package tokenizer

import (
	"encoding/json"
	"fmt"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// normalizer rewrites a text before it is cut.
type normalizer interface {
	normalize(p piece) piece
}

const normalizers = "NFC NFD NFKC NFKD Lowercase Prepend Replace Sequence"

// parseNormalizer builds a normalizer; nil if there is none.
func parseNormalizer(raw json.RawMessage, depth int) (normalizer, error) {
	name, err := typeOf(raw)
	if err != nil || name == "" {
		return nil, err
	}
	fail := func(err error) (normalizer, error) { return nil, fmt.Errorf("%s: %w", name, err) }
	switch name {
	case "NFC", "NFD", "NFKC", "NFKD", "Lowercase":
		var spec struct{ Type string }
		if err := strict(raw, &spec); err != nil {
			return fail(err)
		}
		if name == "Lowercase" {
			return lowercase{}, nil
		}
		return unicodeForm(map[string]norm.Form{"NFC": norm.NFC, "NFD": norm.NFD, "NFKC": norm.NFKC, "NFKD": norm.NFKD}[name]), nil
	case "Prepend":
		var spec struct{ Type, Prepend string }
		if err := strict(raw, &spec); err != nil {
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
			n, err := parseNormalizer(part, depth+1)
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
	// Nothing interacts across a boundary, so that each segment is one stretch of the original.
	for i := 0; i < len(p.text); {
		j := i + form.NextBoundaryInString(p.text[i:], true)
		if segment := form.String(p.text[i:j]); segment == p.text[i:j] {
			e.keep(i, j)
		} else {
			e.put(segment, i, j)
		}
		i = j
	}
	return e.piece()
}

// lowercase lowers each character by itself, without regard to those around it.
type lowercase struct{}

func (lowercase) normalize(p piece) piece {
	e := edit(p)
	changed := false
	for i, width := 0, 0; i < len(p.text); i += width {
		var r rune
		r, width = utf8.DecodeRuneInString(p.text[i:])
		lower := unicode.ToLower(r)
		switch {
		case r == 'İ':
			// The one character whose lower case is two (Unicode's SpecialCasing.txt).
			e.put("i\u0307", i, i+width)
			changed = true
		case lower != r:
			e.put(string(lower), i, i+width)
			changed = true
		default:
			e.keep(i, i+width)
		}
	}
	if !changed {
		return p
	}
	return e.piece()
}
