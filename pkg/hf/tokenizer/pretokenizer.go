package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// preTokenizer cuts a text into the words that the model sees one at a time.
type preTokenizer interface {
	split(p piece, yield func(piece))
}

const preTokenizers = "ByteLevel Split Digits Metaspace WhitespaceSplit Sequence"

// parsePreTokenizer builds a pre-tokenizer; nil if there is none.
func parsePreTokenizer(raw json.RawMessage, depth int) (preTokenizer, error) {
	name, err := typeOf(raw)
	if err != nil || name == "" {
		return nil, err
	}
	fail := func(err error) (preTokenizer, error) { return nil, fmt.Errorf("%s: %w", name, err) }
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
		how, ok := behaviors[spec.Behavior]
		if !ok {
			return fail(notSupported("behavior", spec.Behavior, "Isolated Removed Contiguous MergedWithPrevious MergedWithNext"))
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
		if spec.IndividualDigits {
			return splitter{find: mustCompile(`\p{N}`), how: isolated}, nil
		}
		return splitter{find: mustCompile(`\p{N}+`), how: isolated}, nil
	case "WhitespaceSplit":
		var spec struct{ Type string }
		if err := strict(raw, &spec); err != nil {
			return fail(err)
		}
		return splitter{find: mustCompile(`\s`), how: removed}, nil
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
			p, err := parsePreTokenizer(part, depth+1)
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

// usesBytes says whether the words of a pre-tokenizer are to be read as bytes: whether it ends in ByteLevel. The
// byte alphabet would hide the text from a pre-tokenizer after it, which is refused.
func usesBytes(p preTokenizer) (bool, error) {
	all, ok := p.(preTokenizerSequence)
	if !ok {
		all = preTokenizerSequence{p}
	}
	for i, part := range all {
		if _, ok := part.(byteLevel); ok {
			if i < len(all)-1 {
				return false, errors.New("a pre-tokenizer after ByteLevel is not supported")
			}
			return true, nil
		}
	}
	return false, nil
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
		start, _ := p.origin(0, 1)
		inFront = start == 0
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
