package tokenizer

import (
	"cmp"
	"slices"
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

// addedMatcher finds added tokens: the leftmost, and of those that begin there the longest.
type addedMatcher struct {
	first   [256][]addedPattern // by first byte, longest first
	initial string              // the first bytes that occur
}

type addedPattern struct {
	text  string
	token addedToken
}

// newAddedMatcher looks for each token under its text in patterns; nil if there are none.
func newAddedMatcher(patterns []addedPattern) *addedMatcher {
	m := &addedMatcher{}
	for _, p := range patterns {
		if p.text == "" {
			continue
		}
		b := p.text[0]
		if len(m.first[b]) == 0 {
			m.initial += p.text[:1]
		}
		m.first[b] = append(m.first[b], p)
	}
	if m.initial == "" {
		return nil
	}
	for _, list := range m.first {
		slices.SortStableFunc(list, func(a, b addedPattern) int { return cmp.Compare(len(b.text), len(a.text)) })
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
		}
		list := m.first[s[i]]
		for k := range list {
			if strings.HasPrefix(s[i:], list[k].text) {
				return i, &list[k]
			}
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
