package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"
)

// unknownPenalty is how much worse than the worst piece an unknown character scores (SentencePiece, unigram_model.cc, kUnkPenalty).
const unknownPenalty = 10.0

// unigram is a Unigram language model: the segmentation of a word with the largest sum of log-probabilities.
type unigram struct {
	ids      map[string]int32
	scores   []float64
	trie     trie
	byteIDs  [256]int32 // the <0xNN> of byte fallback
	fallback bool
	unknown  int32
	worst    float64 // score of an unknown character
}

// unigramSpec is a Unigram model of a tokenizer.json.
type unigramSpec struct {
	Type         string
	UnkID        *int `json:"unk_id"`
	Vocab        [][]json.RawMessage
	ByteFallback bool `json:"byte_fallback"`
}

// pieces returns the vocabulary: a text and a score per id.
func (spec *unigramSpec) pieces() (texts []string, scores []float64, err error) {
	for id, entry := range spec.Vocab {
		var text string
		var score float64
		if len(entry) != 2 || json.Unmarshal(entry[0], &text) != nil || json.Unmarshal(entry[1], &score) != nil {
			return nil, nil, fmt.Errorf(`vocabulary entry %d: expected ["text", score]`, id)
		}
		texts = append(texts, text)
		scores = append(scores, score)
	}
	return texts, scores, nil
}

func newUnigram(spec *unigramSpec) (*unigram, error) {
	texts, scores, err := spec.pieces()
	if err != nil {
		return nil, err
	}
	switch {
	case len(texts) == 0:
		return nil, errors.New("the vocabulary is empty")
	case spec.UnkID == nil:
		return nil, errors.New("found no unk_id, expected one: without it a character that is not in the vocabulary has no id")
	case *spec.UnkID < 0 || *spec.UnkID >= len(texts):
		return nil, fmt.Errorf("found unk_id %d, expected an id of the vocabulary of %d", *spec.UnkID, len(texts))
	}
	m := &unigram{ids: make(map[string]int32, len(texts)), scores: scores, fallback: spec.ByteFallback, unknown: int32(*spec.UnkID), worst: math.Inf(1)}
	m.trie = newTrie()
	for id, text := range texts {
		m.ids[text] = int32(id)
		m.worst = min(m.worst, scores[id])
		m.trie.add(text, int32(id))
	}
	m.worst -= unknownPenalty
	for b := range m.byteIDs {
		m.byteIDs[b] = absent
		if id, ok := m.ids[fmt.Sprintf("<0x%02X>", b)]; ok {
			m.byteIDs[b] = id
		}
	}
	return m, nil
}

func (m *unigram) unknownID() int { return int(m.unknown) }

// best is the best path that ends at a byte of the word.
type best struct {
	score float64
	start int32 // where its last piece begins
	id    int32
	found bool
}

// encode appends the units of a word. Viterbi: forward over the bytes that begin a character, keeping for each end the best way there.
func (m *unigram) encode(word string, units []unit) []unit {
	ends := make([]best, len(word)+1)
	reach := func(end, start int, id int32, score float64) {
		if e := &ends[end]; !e.found || score > e.score {
			*e = best{score, int32(start), id, true}
		}
	}
	for start := 0; start < len(word); {
		_, width := utf8.DecodeRuneInString(word[start:])
		here := ends[start].score
		whole := false // a piece covers just this character
		at := m.trie.root()
		for end := start; end < len(word); {
			next, id, ok := m.trie.step(at, word[end])
			if !ok {
				break
			}
			at = next
			end++
			if id == absent {
				continue
			}
			reach(end, start, id, here+m.scores[id])
			whole = whole || end == start+width
		}
		if !whole {
			reach(start+width, start, m.unknown, here+m.worst)
		}
		start += width
	}
	// Walk back, joining unknown neighbours, then turn the pieces around.
	from := len(units)
	for end := len(word); end > 0; {
		e := ends[end]
		if n := len(units); e.id == m.unknown && n > from && units[n-1].id == m.unknown {
			units[n-1].start = e.start
		} else {
			units = append(units, unit{e.id, e.start, int32(end)})
		}
		end = int(e.start)
	}
	for i, j := from, len(units)-1; i < j; i, j = i+1, j-1 {
		units[i], units[j] = units[j], units[i]
	}
	return m.encodeUnknown(word, units, from)
}

// encodeUnknown gives unknown stretches their bytes, if the vocabulary has all of them.
func (m *unigram) encodeUnknown(word string, units []unit, from int) []unit {
	unknown := func(u unit) bool { return u.id == m.unknown }
	if !slices.ContainsFunc(units[from:], unknown) {
		return units
	}
	found := slices.Clone(units[from:])
	units = units[:from]
	for _, u := range found {
		text := word[u.start:u.end]
		// Unknown characters joined may spell a piece that the lattice did not reach.
		id, ok := m.ids[text]
		switch {
		case !unknown(u):
			units = append(units, u)
		case ok:
			units = append(units, unit{id, u.start, u.end})
		case m.fallback && hasBytes(&m.byteIDs, text):
			for at := u.start; at < u.end; at++ {
				units = append(units, unit{m.byteIDs[word[at]], at, at + 1})
			}
		default:
			units = append(units, u)
		}
	}
	return units
}

// trie finds all pieces that begin at a place. A child is found by its parent and byte in one map.
type trie struct {
	children map[uint64]int32
	ids      []int32 // per node; absent where no piece ends
}

func newTrie() trie { return trie{children: map[uint64]int32{}, ids: []int32{absent}} }

func (t *trie) root() int32 { return 0 }

func (t *trie) step(node int32, b byte) (next, id int32, ok bool) {
	next, ok = t.children[uint64(node)<<8|uint64(b)]
	if !ok {
		return 0, absent, false
	}
	return next, t.ids[next], true
}

func (t *trie) add(text string, id int32) {
	if text == "" {
		return
	}
	node := t.root()
	for i := range len(text) {
		key := uint64(node)<<8 | uint64(text[i])
		next, ok := t.children[key]
		if !ok {
			next = int32(len(t.ids))
			t.ids = append(t.ids, absent)
			t.children[key] = next
		}
		node = next
	}
	t.ids[node] = id
}
