package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Bounds on what a file may chain. Published files have up to 8 components and grow a text by a factor of 3 (▁ for a space).
const (
	maxDepth  = 8  // Sequence within Sequence
	maxChain  = 64 // components of one kind
	maxGrowth = 64 // times that the replacements of a chain may lengthen a text together
)

// chain adds up what a file chains.
type chain struct {
	components int
	growth     float64 // 0: nothing grows
}

// add counts a component that may put content in the place of least bytes.
func (c *chain) add(content string, least int) error {
	if c.components++; c.components > maxChain {
		return fmt.Errorf("found more than %d in a chain", maxChain)
	}
	c.growth = max(c.growth, 1) * max(1, float64(len(content))/float64(least))
	if c.growth > maxGrowth {
		return fmt.Errorf("its replacements make a text more than %d times as long", maxGrowth)
	}
	return nil
}

// typeOf returns the "type" of a component of a tokenizer.json, empty for null or a missing one.
func typeOf(raw json.RawMessage) (string, error) {
	if isNull(raw) {
		return "", nil
	}
	var head struct{ Type string }
	if err := json.Unmarshal(raw, &head); err != nil {
		return "", fmt.Errorf("expected an object with a type: %w", err)
	}
	if head.Type == "" {
		return "", errors.New("found no type, expected an object with one")
	}
	return head.Type, nil
}

func isNull(raw json.RawMessage) bool {
	return len(raw) == 0 || string(raw) == "null"
}

// strict decodes a component, refusing fields that the destination does not have: a
// setting that is not understood may change every id.
func strict(raw json.RawMessage, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return fmt.Errorf("field %q: found a JSON %s, expected %s", strings.ToLower(wrong.Field), wrong.Value, wrong.Type)
		}
		// What remains is an unknown field; the text around it was valid JSON.
		return fmt.Errorf("%s is not supported: what it asks for would be left out", strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("found more than one value")
	}
	return nil
}

// notSupported refuses a component by its name.
func notSupported(kind, name, supported string) error {
	return fmt.Errorf("%s %q is not supported (supported: %s); a model with it needs another tokenizer", kind, name, supported)
}

// patternSpec is the pattern of Split and Replace: {"String": "..."} or {"Regex": "..."}.
type patternSpec struct {
	String *string
	Regex  *string
}

func (p patternSpec) finder() (finder, error) {
	switch {
	case p.String != nil && p.Regex == nil:
		if *p.String == "" {
			return nil, errors.New("found an empty String pattern")
		}
		return literal(*p.String), nil
	case p.Regex != nil && p.String == nil:
		return compile(*p.Regex)
	}
	return nil, errors.New("pattern: expected either String or Regex")
}

// literal finds a text.
type literal string

func (l literal) least() int { return len(l) }

func (l literal) next(s string, from int) (start, end int, ok bool) {
	i := strings.Index(s[from:], string(l))
	if i < 0 {
		return 0, 0, false
	}
	return from + i, from + i + len(l), true
}

// Ids index a table. A file may leave gaps, but not so wide that a short file asks for a huge table.
const (
	gapFactor = 16
	gapSlack  = 1 << 16
)

// buildModel reads the model and enters its vocabulary.
func (t *Tokenizer) buildModel(raw json.RawMessage, bytes bool) error {
	if isNull(raw) {
		return errors.New("missing")
	}
	var head struct {
		Type   string
		Merges json.RawMessage
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return err
	}
	// Early files have no type; of the models supported only BPE has merges.
	if head.Type == "" && head.Merges != nil {
		head.Type = "BPE"
	}
	switch head.Type {
	case "BPE":
		var spec bpeSpec
		if err := strict(raw, &spec); err != nil {
			return fmt.Errorf("BPE: %w", err)
		}
		if err := t.enterAll(spec.Vocab); err != nil {
			return fmt.Errorf("BPE: %w", err)
		}
		m, err := newBPE(&spec, bytes)
		if err != nil {
			return fmt.Errorf("BPE: %w", err)
		}
		t.model = m
	case "Unigram":
		var spec unigramSpec
		if err := strict(raw, &spec); err != nil {
			return fmt.Errorf("Unigram: %w", err)
		}
		if bytes {
			return errors.New("Unigram: a ByteLevel pre-tokenizer before it is not supported")
		}
		m, err := newUnigram(&spec)
		if err != nil {
			return fmt.Errorf("Unigram: %w", err)
		}
		if err := t.enterAll(m.vocabulary()); err != nil {
			return fmt.Errorf("Unigram: %w", err)
		}
		if len(m.ids) != len(m.scores) {
			return errors.New("Unigram: found a text twice in the vocabulary, expected each once")
		}
		t.model = m
	default:
		return notSupported("model", head.Type, "BPE Unigram")
	}
	return nil
}

func (m *unigram) vocabulary() map[string]int {
	all := make(map[string]int, len(m.ids))
	for text, id := range m.ids {
		all[text] = int(id)
	}
	return all
}

// enterAll enters a model's vocabulary.
func (t *Tokenizer) enterAll(vocabulary map[string]int) error {
	largest := 0
	for text, id := range vocabulary {
		if id < 0 || id > gapFactor*len(vocabulary)+gapSlack {
			return fmt.Errorf("found id %d of %q, expected ids from 0 and no wide gaps in a vocabulary of %d", id, text, len(vocabulary))
		}
		largest = max(largest, id)
	}
	t.ids = vocabulary
	t.pieces = make([]entry, largest+1)
	for text, id := range vocabulary {
		if e := t.pieces[id]; e.exists {
			// Sorted, so that the message is the same in every run.
			return fmt.Errorf("found id %d twice, of %q and %q, expected each id once", id, min(text, e.text), max(text, e.text))
		}
		t.pieces[id] = entry{text: text, decoded: text, exists: true}
	}
	t.count = len(vocabulary)
	return nil
}

// addTokens enters the added tokens and readies the search for them.
func (t *Tokenizer) addTokens(tokens []addedToken) error {
	var raw, normalized []addedPattern
	for _, token := range tokens {
		if token.Content == "" {
			continue
		}
		if err := t.addToken(&token); err != nil {
			return err
		}
		pattern := addedPattern{token.Content, token}
		if !token.Normalized {
			raw = append(raw, pattern)
			continue
		}
		if t.normalizer != nil {
			pattern.text = t.normalizer.normalize(piece{text: token.Content}).text
			t.pieces[token.ID].decoded = pattern.text
		}
		normalized = append(normalized, pattern)
	}
	t.raw, t.normalized = newAddedMatcher(raw), newAddedMatcher(normalized)
	return nil
}

func (t *Tokenizer) addToken(token *addedToken) error {
	if token.named {
		known, ok := t.ids[token.Content]
		if token.ID = len(t.pieces); ok {
			token.ID = known
		}
	}
	id := token.ID
	if known, ok := t.ids[token.Content]; ok && known != id {
		return fmt.Errorf("found %q with id %d, expected its id %d of the vocabulary", token.Content, id, known)
	}
	if id < 0 || id > gapFactor*(t.count+1)+gapSlack {
		return fmt.Errorf("found id %d of %q, expected ids from 0 and no wide gaps in a vocabulary of %d", id, token.Content, t.count)
	}
	for id >= len(t.pieces) {
		t.pieces = append(t.pieces, entry{})
	}
	e := &t.pieces[id]
	if e.exists && e.text != token.Content {
		return fmt.Errorf("found id %d of %q, which is that of %q; expected each id once", id, token.Content, e.text)
	}
	if !e.exists {
		t.count++
		t.ids[token.Content] = id
	}
	*e = entry{text: token.Content, decoded: token.Content, exists: true, added: true, special: e.special || token.Special}
	return nil
}
