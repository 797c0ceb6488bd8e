package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"sync/atomic"
	"unicode/utf8"
)

// unit is a piece of a word that has an id; start and end are bytes of the word.
type unit struct {
	id, start, end int32
}

// model turns one word into units.
type model interface {
	encode(word string, units []unit) []unit
	// unknownID is the id of text without one, or absent.
	unknownID() int
}

// absent marks an id that does not exist.
const absent = -1

// boundaryMark is the visible space of SentencePiece vocabularies.
const boundaryMark = "▁"

// bpe is a byte-pair encoding. It may be used by several goroutines at once.
type bpe struct {
	ids    map[string]int32 // by raw bytes for a byte-level vocabulary, else by text
	merges mergeTable

	bytes    bool       // byte level: the first units are bytes, else characters
	byteIDs  [256]int32 // byte level: each byte; else the <0xNN> of byte fallback
	fallback bool       // characters that are not in the vocabulary become their <0xNN>
	unknown  int32      // id of what else is not in the vocabulary; absent: such text is dropped
	fuse     bool       // unknown characters in a row are one unit
	whole    bool       // a word that is in the vocabulary is its own unit whatever the merges (ignore_merges)
	// boundary: no merge crosses from another character to a ▁, so that a text may be cut before each ▁ that follows another
	// character without changing an id. Layouts without pre-tokenizer (Llama-2) then profit from the cache too.
	boundary bool

	cache wordCache
}

// bpeSpec is a BPE model of a tokenizer.json.
type bpeSpec struct {
	Type         string
	Dropout      *float64
	UnkToken     *string `json:"unk_token"`
	Prefix       *string `json:"continuing_subword_prefix"`
	Suffix       *string `json:"end_of_word_suffix"`
	FuseUnk      bool    `json:"fuse_unk"`
	ByteFallback bool    `json:"byte_fallback"`
	IgnoreMerges bool    `json:"ignore_merges"`
	Vocab        map[string]int
	Merges       json.RawMessage
}

func (spec *bpeSpec) check() error {
	switch {
	case spec.Dropout != nil && *spec.Dropout != 0:
		return fmt.Errorf("dropout %g is not supported: ids would be random; set it to null", *spec.Dropout)
	case spec.Prefix != nil && *spec.Prefix != "":
		return notSupported("continuing_subword_prefix", *spec.Prefix, "none")
	case spec.Suffix != nil && *spec.Suffix != "":
		return notSupported("end_of_word_suffix", *spec.Suffix, "none")
	case len(spec.Vocab) == 0:
		return errors.New("the vocabulary is empty")
	}
	return nil
}

// newBPE builds the model; bytes says that the pre-tokenizer is byte level.
func newBPE(spec *bpeSpec, bytes bool) (*bpe, error) {
	if err := spec.check(); err != nil {
		return nil, err
	}
	m := &bpe{bytes: bytes, fallback: spec.ByteFallback, unknown: absent, fuse: spec.FuseUnk, whole: spec.IgnoreMerges, cache: newWordCache()}
	m.ids = make(map[string]int32, len(spec.Vocab))
	for entry, id := range spec.Vocab {
		if bytes {
			raw, ok := bytesOf(entry)
			if !ok {
				continue // a special token; no text reaches it through the byte alphabet
			}
			entry = raw
		}
		m.ids[entry] = int32(id)
	}
	if spec.UnkToken != nil {
		id, ok := spec.Vocab[*spec.UnkToken]
		if !ok {
			return nil, fmt.Errorf("unk_token %q is not in the vocabulary", *spec.UnkToken)
		}
		m.unknown = int32(id)
	}
	for b := range m.byteIDs {
		entry := string([]byte{byte(b)})
		if !bytes {
			entry = fmt.Sprintf("<0x%02X>", b)
		}
		m.byteIDs[b] = m.id(entry)
	}
	if err := m.addMerges(spec); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *bpe) unknownID() int { return int(m.unknown) }

func (m *bpe) id(entry string) int32 {
	if id, ok := m.ids[entry]; ok {
		return id
	}
	return absent
}

// addMerges reads the merges in either form, "a b" or ["a", "b"].
func (m *bpe) addMerges(spec *bpeSpec) error {
	merges, err := parseMerges(spec.Merges)
	if err != nil {
		return err
	}
	m.merges = newMergeTable(len(merges))
	// A character that is dropped would make neighbours of those around it.
	complete := m.unknown != absent || m.fallback && !slices.Contains(m.byteIDs[:], absent)
	m.boundary = !m.bytes && !m.whole && complete && m.id(boundaryMark) != absent
	for rank, pair := range merges {
		left, right := pair[0], pair[1]
		var ids [3]int32
		for i, entry := range [3]string{left, right, left + right} {
			id, ok := spec.Vocab[entry]
			if !ok {
				return fmt.Errorf("merge %d (%q, %q): %q is not in the vocabulary", rank, left, right, entry)
			}
			ids[i] = int32(id)
		}
		m.merges.put(ids[0], ids[1], merge{rank: uint32(rank), id: ids[2]})
		if m.boundary && crossesBoundary(left+right) {
			m.boundary = false
		}
	}
	return nil
}

// crossesBoundary says whether a ▁ follows another character.
func crossesBoundary(entry string) bool {
	return strings.Contains(strings.TrimLeft(entry, boundaryMark), boundaryMark)
}

func parseMerges(raw json.RawMessage) ([][2]string, error) {
	var pairs [][]string
	if json.Unmarshal(raw, &pairs) == nil {
		merges := make([][2]string, len(pairs))
		for i, pair := range pairs {
			if len(pair) != 2 {
				return nil, fmt.Errorf("merge %d: found %d parts, expected 2", i, len(pair))
			}
			merges[i] = [2]string{pair[0], pair[1]}
		}
		return merges, nil
	}
	var lines []string
	if err := json.Unmarshal(raw, &lines); err != nil {
		return nil, errors.New(`merges: expected a list of "a b" or of ["a", "b"]`)
	}
	var merges [][2]string
	for i, line := range lines {
		if strings.HasPrefix(line, "#version") {
			continue
		}
		left, right, ok := strings.Cut(line, " ")
		if !ok || strings.Contains(right, " ") {
			return nil, fmt.Errorf("merge %d: found %q, expected two parts with one space between them", i, line)
		}
		merges = append(merges, [2]string{left, right})
	}
	return merges, nil
}

// encode appends the units of a word.
func (m *bpe) encode(word string, units []unit) []unit {
	if m.whole {
		if id, ok := m.ids[word]; ok {
			return append(units, unit{id, 0, int32(len(word))})
		}
	}
	if !m.boundary {
		return m.encodeCached(word, 0, units)
	}
	start := 0
	for start < len(word) {
		end := start + nextBoundary(word[start:])
		units = m.encodeCached(word[start:end], int32(start), units)
		start = end
	}
	return units
}

// nextBoundary returns where the first ▁ that follows another character begins, or the length.
func nextBoundary(s string) int {
	at := len(s) - len(strings.TrimLeft(s, boundaryMark))
	if i := strings.Index(s[at:], boundaryMark); i >= 0 {
		return at + i
	}
	return len(s)
}

// encodeCached appends the units of a word that begins at byte shift of the text.
func (m *bpe) encodeCached(word string, shift int32, units []unit) []unit {
	from := len(units)
	if cached, ok := m.cache.get(word); ok {
		units = append(units, cached...)
	} else {
		units = m.merge(word, units)
		m.cache.put(word, units[from:])
	}
	if shift != 0 {
		for i := from; i < len(units); i++ {
			units[i].start += shift
			units[i].end += shift
		}
	}
	return units
}

// first appends the units a word begins with: its bytes, or its characters.
func (m *bpe) first(word string, symbols []symbol) []symbol {
	// An unknown character waits here, because the next may join it.
	waiting := unit{id: absent}
	flush := func() {
		if waiting.id != absent {
			symbols = append(symbols, symbol{unit: waiting})
			waiting.id = absent
		}
	}
	for i, width := 0, 1; i < len(word); i += width {
		var id int32
		if m.bytes {
			id = m.byteIDs[word[i]]
		} else {
			_, width = utf8.DecodeRuneInString(word[i:])
			id = m.id(word[i : i+width])
		}
		start, end := int32(i), int32(i+width)
		switch {
		case id != absent:
			flush()
			symbols = append(symbols, symbol{unit: unit{id, start, end}})
		case m.fallback && !m.bytes && hasBytes(&m.byteIDs, word[i:i+width]):
			for k := range width {
				at := start + int32(k)
				symbols = append(symbols, symbol{unit: unit{m.byteIDs[word[at]], at, at + 1}})
			}
		case m.unknown == absent:
			// As published: without an unk_token such text has no id.
		case waiting.id != absent && m.fuse:
			waiting.end = end
		default:
			flush()
			waiting = unit{m.unknown, start, end}
		}
	}
	flush()
	return symbols
}

// hasBytes says whether every byte of a text has an id.
func hasBytes(byteIDs *[256]int32, text string) bool {
	for i := range len(text) {
		if byteIDs[text[i]] == absent {
			return false
		}
	}
	return true
}

const (
	// cacheSlots is a power of two: 32,768 words cover nearly all of running text and the empty table takes 256 KB.
	cacheSlots = 1 << 15
	// maxCachedWord in bytes; longer words are rare and seldom come back.
	maxCachedWord = 64
)

// wordCache remembers the units of words seen before. A word has one place and the latest word there stays, which needs no lock
// and bounds the memory.
type wordCache struct {
	seed  maphash.Seed
	slots []atomic.Pointer[cachedWord]
}

type cachedWord struct {
	word  string
	units []unit
}

func newWordCache() wordCache {
	return wordCache{maphash.MakeSeed(), make([]atomic.Pointer[cachedWord], cacheSlots)}
}

func (c *wordCache) slot(word string) *atomic.Pointer[cachedWord] {
	return &c.slots[maphash.String(c.seed, word)&(cacheSlots-1)]
}

func (c *wordCache) get(word string) ([]unit, bool) {
	if len(word) > maxCachedWord {
		return nil, false
	}
	if found := c.slot(word).Load(); found != nil && found.word == word {
		return found.units, true
	}
	return nil, false
}

func (c *wordCache) put(word string, units []unit) {
	if len(word) > maxCachedWord {
		return
	}
	// Both are copied: word is a part of a text that must not be kept alive, units of a buffer that is used again.
	c.slot(word).Store(&cachedWord{strings.Clone(word), append([]unit(nil), units...)})
}
