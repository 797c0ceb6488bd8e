package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// addedToken is an entry of added_tokens: a text that is found before anything else looks at the input.
type addedToken struct {
	ID         int    `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"` // only where no word character is beside it
	LStrip     bool   `json:"lstrip"`      // takes the white space before it along
	RStrip     bool   `json:"rstrip"`      // and after it
	Normalized bool   `json:"normalized"`  // looked for in the normalized text, in its own normalized form
	Special    bool   `json:"special"`     // left out by Decode
	named      bool   // by a tokenizer_config.json: its id is the one of the vocabulary, or the one behind the last
}

// addedMatcher finds added tokens: the leftmost, and of those that begin there the longest. Some vocabularies have thousands.
type addedMatcher struct {
	patterns []addedPattern
	trie     trie   // from a text to its place in patterns
	initial  string // the first bytes that occur
}

type addedPattern struct {
	text  string
	token addedToken
}

// newAddedMatcher looks for each token under its text in patterns; nil if there are none. Of two with one text the first counts.
func newAddedMatcher(patterns []addedPattern) *addedMatcher {
	m := &addedMatcher{patterns: patterns, trie: newTrie()}
	seen := map[string]bool{}
	for i, p := range patterns {
		if p.text == "" || seen[p.text] {
			continue
		}
		seen[p.text] = true
		m.trie.add(p.text, int32(i))
		if strings.IndexByte(m.initial, p.text[0]) < 0 {
			m.initial += p.text[:1]
		}
	}
	if m.initial == "" {
		return nil
	}
	return m
}

// find returns the next match at or after from.
func (m *addedMatcher) find(s string, from int) (start int, p *addedPattern) {
	for i := from; i < len(s); i++ {
		if len(m.initial) == 1 {
			skip := strings.IndexByte(s[i:], m.initial[0])
			if skip < 0 {
				break
			}
			i += skip
		} else if strings.IndexByte(m.initial, s[i]) < 0 {
			continue
		}
		at := m.trie.root()
		for k := i; k < len(s); k++ {
			next, id, ok := m.trie.step(at, s[k])
			if !ok {
				break
			}
			if at = next; id != absent {
				p = &m.patterns[id]
			}
		}
		if p != nil {
			return i, p
		}
	}
	return len(s), nil
}

// split cuts a piece at the added tokens; a nil matcher leaves it whole. Empty stretches are left out.
func (m *addedMatcher) split(p piece, plain func(piece), token func(p piece, id int)) {
	s := p.text
	done := 0
	for from := 0; m != nil; {
		start, found := m.find(s, from)
		if found == nil {
			break
		}
		end := start + len(found.text)
		from = end
		if found.token.SingleWord && (endsInWord(s[:start]) || beginsWithWord(s[end:])) {
			continue
		}
		if found.token.LStrip {
			start = max(done, len(strings.TrimRightFunc(s[:start], unicode.IsSpace)))
		}
		if found.token.RStrip {
			end = len(s) - len(strings.TrimLeftFunc(s[end:], unicode.IsSpace))
		}
		if done < start {
			plain(p.slice(done, start))
		}
		token(p.slice(start, end), found.token.ID)
		done = end
	}
	if done < len(s) {
		plain(p.slice(done, len(s)))
	}
}

func endsInWord(s string) bool {
	r, width := utf8.DecodeLastRuneInString(s)
	return width > 0 && isWord(r)
}

func beginsWithWord(s string) bool {
	r, width := utf8.DecodeRuneInString(s)
	return width > 0 && isWord(r)
}

func isWord(r rune) bool { return unicode.Is(wordClass(), r) }
