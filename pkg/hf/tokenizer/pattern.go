package tokenizer

import (
	"math"
	"unicode"
	"unicode/utf8"
)

// A pattern is a compiled regular expression of a tokenizer.json.
//
// Published tokenizers cut text with expressions such as GPT-2's
//
//	's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
//
// whose lookahead Go's regexp does not have. Three ways were open: matchers written by hand for each published expression (a list
// that is always one behind, and each a chance to differ), a backtracking library (github.com/dlclark/regexp2 works
// on decoded runes with .NET's rules for classes and case), or this: the subset that these expressions use, compiled to a graph of nodes and matched
// by backtracking, leftmost alternative first, as Oniguruma does, which defines their meaning. It works on bytes, needs no allocation,
// and refuses what is outside the subset, so that no expression is read with another meaning than its author's.
//
// The subset: literals, classes, \s \d \p{..} and their complements, groups, alternatives, (?i:...) over literals, lookahead,
// and ? * + {n,m} greedy or possessive. A group may carry ? only: without nested repetition the time to match is a
// polynomial of the text's length, and linear for every published expression.
type pattern struct {
	source   string
	shortest int  // characters of the shortest match
	slow     bool // three repetitions or more can share a text in many ways: failures are remembered
	start    *node
}

type nodeKind uint8

const (
	nodeDone      nodeKind = iota // the end of the expression or of a lookahead
	nodeSet                       // min to max characters of a set
	nodeBranch                    // the first alternative that leads to a match
	nodeLook                      // a lookahead
	nodeLineStart                 // ^: the start of a line, as Oniguruma has it
	nodeLineEnd                   // $: the end of a line
)

// unlimited is the max of * and +.
const unlimited = math.MaxInt

// node is one step of a compiled pattern; it knows the step after it.
type node struct {
	kind       nodeKind
	set        *charset
	min, max   int
	possessive bool    // a set gives back nothing it took
	negate     bool    // a lookahead that must fail
	branches   []*node // each runs on to the node after the group
	inside     *node   // of a lookahead
	next       *node
}

// failures remembers where in a text a node leads to no match; nil remembers nothing. What follows a node does not depend on the way
// that led there, so that no place is tried twice, whatever the expression.
type failures map[failure]struct{}

type failure struct {
	node *node
	at   int
}

// match returns the end of the match that begins at s[i], or -1.
func (n *node) match(s string, i int, seen failures) int {
	if seen == nil {
		return n.run(s, i, nil)
	}
	if _, ok := seen[failure{n, i}]; ok {
		return -1
	}
	end := n.run(s, i, seen)
	if end < 0 {
		seen[failure{n, i}] = struct{}{}
	}
	return end
}

func (n *node) run(s string, i int, seen failures) int {
	for {
		switch n.kind {
		case nodeDone:
			return i
		case nodeSet:
			count := 0
			for count < n.max {
				width := n.set.match(s, i)
				if width == 0 {
					break
				}
				i += width
				count++
			}
			if count < n.min {
				return -1
			}
			if count == n.min || n.possessive {
				n = n.next
				continue
			}
			if n.next.kind == nodeDone {
				return i
			}
			for {
				if end := n.next.match(s, i, seen); end >= 0 {
					return end
				}
				if count == n.min {
					return -1
				}
				_, width := utf8.DecodeLastRuneInString(s[:i])
				i -= width
				count--
			}
		case nodeBranch:
			for _, branch := range n.branches {
				if end := branch.match(s, i, seen); end >= 0 {
					return end
				}
			}
			return -1
		case nodeLineStart:
			if i > 0 && (s[i-1] != '\n' || i == len(s)) {
				return -1
			}
			n = n.next
		case nodeLineEnd:
			if i < len(s) && s[i] != '\n' {
				return -1
			}
			n = n.next
		case nodeLook:
			if (n.inside.match(s, i, seen) >= 0) == n.negate {
				return -1
			}
			n = n.next
		}
	}
}

// finder finds the parts of a text that a splitter or a replacement works on.
type finder interface {
	// next returns the first match at or after byte from; a match is never empty.
	next(s string, from int) (start, end int, ok bool)
	// least is a number of bytes that no match falls below.
	least() int
}

func (p *pattern) least() int { return max(p.shortest, 1) }

func (p *pattern) next(s string, from int) (start, end int, ok bool) {
	var seen failures
	if p.slow {
		seen = failures{}
	}
	for at := from; at < len(s); {
		if end := p.start.match(s, at, seen); end > at {
			return at, end, true
		}
		if s[at] < utf8.RuneSelf {
			at++
			continue
		}
		_, width := utf8.DecodeRuneInString(s[at:])
		at += width
	}
	return 0, 0, false
}

// charset is a set of characters. A byte that is not UTF-8 counts as U+FFFD, the replacement character.
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
