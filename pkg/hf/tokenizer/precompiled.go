package tokenizer

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// precompiled is the normalizer that SentencePiece writes into its models: a table of replacements for short texts, in a double array
// (Aoe 1989, An efficient digital search algorithm by using a double-array structure), as Hugging Face's crate spm_precompiled reads it.
type precompiled struct {
	units        []uint32 // the double array
	replacements string   // each ends with a zero byte
}

// maxGrapheme is the number of bytes from which a grapheme is looked up character by character only.
const maxGrapheme = 6

func parsePrecompiled(raw json.RawMessage) (normalizer, error) {
	var spec struct {
		Type string
		Map  *string `json:"precompiled_charsmap"`
	}
	if err := strict(raw, &spec); err != nil {
		return nil, err
	}
	if spec.Map == nil {
		return nil, errors.New("precompiled_charsmap: missing")
	}
	content, err := base64.StdEncoding.DecodeString(*spec.Map)
	if err != nil {
		return nil, fmt.Errorf("precompiled_charsmap: %w", err)
	}
	if len(content) < 4 {
		return nil, fmt.Errorf("precompiled_charsmap: found %d bytes, expected at least 4", len(content))
	}
	size := binary.LittleEndian.Uint32(content)
	content = content[4:]
	if uint64(size) > uint64(len(content)) || size%4 != 0 {
		return nil, fmt.Errorf("precompiled_charsmap: found an array of %d bytes, expected a multiple of 4 up to the %d that follow", size, len(content))
	}
	p := &precompiled{units: make([]uint32, size/4), replacements: string(content[size:])}
	for i := range p.units {
		p.units[i] = binary.LittleEndian.Uint32(content[4*i:])
	}
	if !utf8.ValidString(p.replacements) {
		return nil, errors.New("precompiled_charsmap: the replacements are not UTF-8")
	}
	return p, nil
}

// find returns the replacement of the shortest beginning of a text that has one.
func (p *precompiled) find(text string) (string, bool) {
	if len(p.units) == 0 {
		return "", false
	}
	offset := func(unit uint32) uint32 { return unit >> 10 << (unit & (1 << 9) >> 6) }
	at := offset(p.units[0])
	for i := range len(text) {
		if text[i] == 0 {
			return "", false
		}
		at ^= uint32(text[i])
		if at >= uint32(len(p.units)) {
			return "", false
		}
		unit := p.units[at]
		if unit&(1<<31|0xFF) != uint32(text[i]) {
			return "", false
		}
		at ^= offset(unit)
		if unit>>8&1 == 0 {
			continue
		}
		if at >= uint32(len(p.units)) {
			return "", false
		}
		start := p.units[at] &^ (1 << 31)
		if uint64(start) > uint64(len(p.replacements)) {
			return "", false
		}
		replacement, _, _ := strings.Cut(p.replacements[start:], "\x00")
		return replacement, true
	}
	return "", false
}

func (p *precompiled) normalize(from piece) piece {
	e := edit(from)
	changed := false
	put := func(replacement string, i, j int) {
		changed = true
		e.put(replacement, i, j)
	}
	state := -1
	for i, rest := 0, from.text; rest != ""; {
		var grapheme string
		grapheme, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
		end := i + len(grapheme)
		if replacement, ok := p.find(grapheme); ok && len(grapheme) < maxGrapheme {
			put(replacement, i, end)
			i = end
			continue
		}
		for i < end {
			_, width := utf8.DecodeRuneInString(from.text[i:])
			if replacement, ok := p.find(from.text[i : i+width]); ok {
				put(replacement, i, i+width)
			} else {
				e.keep(i, i+width)
			}
			i += width
		}
	}
	if !changed {
		return from
	}
	return e.piece()
}
