package tokenizer

import (
	"math"
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
	source string
	start  *node
}

type nodeKind uint8

const (
	nodeDone   nodeKind = iota // the end of the expression or of a lookahead
	nodeSet                    // min to max characters of a set
	nodeBranch                 // the first alternative that leads to a match
	nodeLook                   // a lookahead
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

// match returns the end of the match that begins at s[i], or -1.
func (n *node) match(s string, i int) int {
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
				if end := n.next.match(s, i); end >= 0 {
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
				if end := branch.match(s, i); end >= 0 {
					return end
				}
			}
			return -1
		case nodeLook:
			if (n.inside.match(s, i) >= 0) == n.negate {
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
}

func (p *pattern) next(s string, from int) (start, end int, ok bool) {
	for at := from; at < len(s); {
		if end := p.start.match(s, at); end > at {
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
