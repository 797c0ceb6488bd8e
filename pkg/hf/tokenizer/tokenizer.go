package tokenizer

import (
	"fmt"
)

// Tokenizer turns text into ids and back. It does not change after it is made and may be used by several goroutines at once.
type Tokenizer struct {
	source   []byte // the tokenizer.json
	settings []byte // the tokenizer_config.json; nil: none
	config   config
	hash     string

	raw           *addedMatcher // added tokens found in the text as it is
	normalized    *addedMatcher // and in the normalized text
	normalizer    normalizer    // nil: none
	preTokenizer  preTokenizer  // nil: none
	model         model
	before, after []int // ids the post-processor adds
	decoder       *decoder

	pieces  []entry // by id
	count   int     // ids in use
	ids     map[string]int
	bos     int
	eos     int
	unknown int
}

// entry is what is known of an id.
type entry struct {
	text    string
	decoded string // what decoding sees: of a token that is looked for in normalized text, its normalized form
	exists  bool
	added   bool
	special bool
}

// Token is one token of a text.
type Token struct {
	ID         int
	Start, End int    // byte offsets into the text; equal for a token that stands for none of it
	Text       string // the text from Start to End; for a token the post-processor adds, its vocabulary entry
	Special    bool   // a special token, or one that the post-processor adds
}

// Encode returns the ids of a text with those the post-processor adds, such as BOS. The text may be up to 2 GiB.
func (t *Tokenizer) Encode(text string) []int {
	ids := make([]int, 0, len(t.before)+len(text)/4+len(t.after)+1)
	ids = append(ids, t.before...)
	ids = t.appendIDs(ids, text)
	return append(ids, t.after...)
}

// EncodePlain returns the ids of a text and nothing else.
func (t *Tokenizer) EncodePlain(text string) []int {
	return t.appendIDs(make([]int, 0, len(text)/4+1), text)
}

func (t *Tokenizer) appendIDs(ids []int, text string) []int {
	t.encode(text, func(p piece, units []unit) {
		for _, u := range units {
			ids = append(ids, int(u.id))
		}
	})
	return ids
}

// Tokens returns the tokens of a text with their offsets (see the package comment); addSpecial adds those of the post-processor.
func (t *Tokenizer) Tokens(text string, addSpecial bool) []Token {
	tokens := make([]Token, 0, len(text)/4+2)
	added := func(ids []int, at int) {
		for _, id := range ids {
			tokens = append(tokens, Token{id, at, at, t.Piece(id), true})
		}
	}
	if addSpecial {
		added(t.before, 0)
	}
	t.encode(text, func(p piece, units []unit) {
		for _, u := range units {
			start, end := p.origin(int(u.start), int(u.end))
			tokens = append(tokens, Token{int(u.id), start, end, text[start:end], t.IsSpecial(int(u.id))})
		}
	})
	if addSpecial {
		added(t.after, len(text))
	}
	return tokens
}

// encode runs the pipeline and visits the units of each word, which are valid during the visit.
func (t *Tokenizer) encode(text string, visit func(p piece, units []unit)) {
	var units []unit
	word := func(p piece) {
		units = t.model.encode(p.text, units[:0])
		visit(p, units)
	}
	added := func(p piece, id int) {
		units = append(units[:0], unit{int32(id), 0, int32(len(p.text))})
		visit(p, units)
	}
	cut := func(p piece) {
		if t.preTokenizer == nil {
			word(p)
		} else {
			t.preTokenizer.split(p, word)
		}
	}
	t.raw.split(piece{text: text}, func(p piece) {
		if t.normalizer != nil {
			p = t.normalizer.normalize(p)
		}
		t.normalized.split(p, cut, added)
	}, added)
}

// Decode returns the text of ids. Special tokens and ids that do not exist are left out; bytes that are no UTF-8
// come as U+FFFD.
func (t *Tokenizer) Decode(ids []int) string { return t.decode(ids, false) }

// DecodeWithSpecial is Decode with the special tokens written out.
func (t *Tokenizer) DecodeWithSpecial(ids []int) string { return t.decode(ids, true) }

func (t *Tokenizer) decode(ids []int, special bool) string {
	state := t.decoder.begin(false)
	for _, id := range ids {
		t.decodeInto(state, id, special)
	}
	state.end()
	return string(state.out)
}

func (t *Tokenizer) decodeInto(state *decoding, id int, special bool) {
	if e := t.entry(id); e.exists && (special || !e.special) {
		state.push(e.decoded, e.added)
	}
}

func (t *Tokenizer) entry(id int) entry {
	if id < 0 || id >= len(t.pieces) {
		return entry{}
	}
	return t.pieces[id]
}

// VocabSize returns the number of tokens, added ones included.
func (t *Tokenizer) VocabSize() int { return t.count }

// MaxID returns the largest id. It may exceed VocabSize-1: some vocabularies have gaps.
func (t *Tokenizer) MaxID() int { return len(t.pieces) - 1 }

// CheckVocab refuses the tokenizer for a model whose embedding has size rows: an id beyond them would read other memory or a wrong row.
func (t *Tokenizer) CheckVocab(size int) error {
	if t.MaxID() < size {
		return nil
	}
	return fmt.Errorf("tokenizer: found id %d (%q), expected ids below the model's vocabulary of %d; the tokenizer belongs to another model, or the model's embedding was not resized for added tokens",
		t.MaxID(), t.Piece(t.MaxID()), size)
}

// Piece returns the vocabulary entry of an id as tokenizer.json spells it (Ġthe, ▁the, <0x0A>), or the empty string.
func (t *Tokenizer) Piece(id int) string { return t.entry(id).text }

// ID returns the id of a vocabulary entry as tokenizer.json spells it.
func (t *Tokenizer) ID(piece string) (id int, ok bool) {
	id, ok = t.ids[piece]
	return id, ok
}

// IsSpecial says whether an id is a special token, one that Decode leaves out.
func (t *Tokenizer) IsSpecial(id int) bool { return t.entry(id).special }

// BOS returns the id that begins a text, if the tokenizer names one; whether [Tokenizer.Encode] adds it is another matter.
func (t *Tokenizer) BOS() (id int, ok bool) { return max(t.bos, 0), t.bos >= 0 }

// EOS returns the id that ends a text, if the tokenizer names one.
func (t *Tokenizer) EOS() (id int, ok bool) { return max(t.eos, 0), t.eos >= 0 }

// Unknown returns the id of text that the vocabulary cannot spell, if there is one.
func (t *Tokenizer) Unknown() (id int, ok bool) { return max(t.unknown, 0), t.unknown >= 0 }

// Hash identifies what the tokenizer does: SHA-256, in hexadecimal, of its tokenizer.json and of the settings read from its tokenizer_config.json.
func (t *Tokenizer) Hash() string { return t.hash }
