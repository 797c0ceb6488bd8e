package tokenizer

import (
	"unicode"
	"unicode/utf8"
)

// charset is a set of characters. A byte that is no UTF-8 counts as U+FFFD, the replacement character.
type charset struct {
	ascii  [2]uint64 // membership of U+0000 to U+007F, settled when the set is sealed
	ranges []runeRange
	in     []*unicode.RangeTable // members: every character of these tables
	notIn  []*unicode.RangeTable // members: every character outside one of these tables
	negate bool
}

type runeRange struct{ low, high rune }

// contains is the definition; match is the same, fast.
func (c *charset) contains(r rune) bool {
	for _, s := range c.ranges {
		if s.low <= r && r <= s.high {
			return !c.negate
		}
	}
	for _, table := range c.in {
		if unicode.Is(table, r) {
			return !c.negate
		}
	}
	for _, table := range c.notIn {
		if !unicode.Is(table, r) {
			return !c.negate
		}
	}
	return c.negate
}

// seal settles the ASCII table; the set must not change afterwards.
func (c *charset) seal() *charset {
	for r := range rune(utf8.RuneSelf) {
		if c.contains(r) {
			c.ascii[r>>6] |= 1 << (r & 63)
		}
	}
	return c
}

// match returns the width in bytes of the character at s[i] if it is a member, and 0 if it is not or s ends.
func (c *charset) match(s string, i int) int {
	if i >= len(s) {
		return 0
	}
	if b := s[i]; b < utf8.RuneSelf {
		return int(c.ascii[b>>6] >> (b & 63) & 1)
	}
	r, width := utf8.DecodeRuneInString(s[i:])
	if c.contains(r) {
		return width
	}
	return 0
}

// addFolded adds a character and those that differ from it in case only.
func (c *charset) addFolded(r rune) {
	c.ranges = append(c.ranges, runeRange{r, r})
	for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
		c.ranges = append(c.ranges, runeRange{other, other})
	}
}
