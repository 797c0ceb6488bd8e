package tokenizer

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxPattern bounds the length of an expression in bytes; the longest published one (o200k) has 330.
const maxPattern = 4096

// Bounds that keep backtracking short whatever the file says; the published expressions stay far below them.
const (
	maxRepeat   = 1000 // the n and m of {n,m}
	maxGroups   = 32   // groups and lookaheads in an expression
	maxVariable = 12   // repetitions of variable length in one sequence
)

// compile compiles an expression of the subset described at [pattern]; anything else is an error that names it.
func compile(source string) (*pattern, error) {
	if len(source) > maxPattern {
		return nil, fmt.Errorf("pattern of %d bytes, expected at most %d", len(source), maxPattern)
	}
	if !utf8.ValidString(source) {
		return nil, fmt.Errorf("pattern %q is not UTF-8", source)
	}
	p := &parser{source: source}
	tree, err := p.alternatives()
	if err == nil && p.at < len(source) {
		err = p.refuse("a closing parenthesis without an opening one")
	}
	if err != nil {
		return nil, err
	}
	shortest := tree.shortest()
	if shortest == 0 {
		return nil, fmt.Errorf("pattern %q can match the empty string, which is not supported", source)
	}
	return &pattern{source: source, shortest: shortest, slow: tree.repetitions() > 2, start: tree.link(&node{kind: nodeDone})}, nil
}

// tree is a parsed expression: alternatives of sequences of items.
type tree [][]item

// item is one element of a sequence; exactly one of set, anchor, group and look is there.
type item struct {
	anchor     nodeKind // nodeLineStart or nodeLineEnd, else 0
	set        *charset
	folded     rune // the lower-case letter of a literal in (?i:...), else 0
	min, max   int
	possessive bool
	group      tree
	look       tree
	negate     bool
}

// link turns a tree into nodes that run on to next.
func (t tree) link(next *node) *node {
	starts := make([]*node, len(t))
	for i, sequence := range t {
		start := next
		for _, it := range slices.Backward(sequence) {
			switch {
			case it.set != nil:
				start = &node{kind: nodeSet, set: it.set, min: it.min, max: it.max, possessive: it.possessive, next: start}
			case it.anchor != 0:
				start = &node{kind: it.anchor, next: start}
			case it.look != nil:
				start = &node{kind: nodeLook, inside: it.look.link(&node{kind: nodeDone}), negate: it.negate, next: start}
			case it.min == 0:
				start = &node{kind: nodeBranch, branches: []*node{it.group.link(start), start}}
			default:
				start = it.group.link(start)
			}
		}
		starts[i] = start
	}
	if len(starts) == 1 {
		return starts[0]
	}
	return &node{kind: nodeBranch, branches: starts}
}

// repetitions returns how many sets of variable length a match may go through one after the other.
func (t tree) repetitions() int {
	most := 0
	for _, sequence := range t {
		sum := 0
		for _, it := range sequence {
			if it.set != nil && it.max > it.min+1 && !it.possessive {
				sum++
			}
			sum += it.group.repetitions() + it.look.repetitions()
		}
		most = max(most, sum)
	}
	return most
}

// shortest returns the least number of characters a match has.
func (t tree) shortest() int {
	least := unlimited
	for _, sequence := range t {
		sum := 0
		for _, it := range sequence {
			switch {
			case it.set != nil:
				sum += it.min
			case it.group != nil && it.min > 0:
				sum += it.group.shortest()
			}
		}
		least = min(least, sum)
	}
	return least
}

type parser struct {
	source string
	at     int
	fold   bool // inside (?i:...)
	groups int  // opened so far
}

func (p *parser) refuse(what string) error {
	return fmt.Errorf("pattern %q: %s at byte %d is not supported", p.source, what, p.at)
}

func (p *parser) rest() string { return p.source[p.at:] }

// take consumes a prefix if it is there.
func (p *parser) take(prefix string) bool {
	if strings.HasPrefix(p.rest(), prefix) {
		p.at += len(prefix)
		return true
	}
	return false
}

// alternatives parses up to a closing parenthesis or the end.
func (p *parser) alternatives() (tree, error) {
	t := tree{nil}
	variable := 0
	for p.at < len(p.source) && p.source[p.at] != ')' {
		if p.take("|") {
			t = append(t, nil)
			variable = 0
			continue
		}
		it, err := p.item()
		if err != nil {
			return nil, err
		}
		if err := p.quantifier(&it); err != nil {
			return nil, err
		}
		if it.min != it.max {
			variable++
		}
		if variable > maxVariable {
			return nil, p.refuse("so many repetitions in a sequence")
		}
		last := &t[len(t)-1]
		if n := len(*last); n > 0 && multiFold((*last)[n-1].folded, it.folded) {
			return nil, p.refuse("(?i:) over letters with a common ligature")
		}
		*last = append(*last, it)
	}
	return t, nil
}

// multiFold says whether Unicode folds one character (ß, ff, st ...) to these two letters: Oniguruma then matches
// one character for two, which this matcher does not.
func multiFold(a, b rune) bool {
	return a == 's' && (b == 's' || b == 't') || a == 'f' && (b == 'f' || b == 'i' || b == 'l')
}

func (p *parser) item() (item, error) {
	r, width := utf8.DecodeRuneInString(p.rest())
	switch r {
	case '(':
		return p.group()
	case '[':
		set, err := p.class()
		return item{set: set}, err
	case '\\':
		set := &charset{}
		_, err := p.escape(set)
		return item{set: set.seal()}, err
	case '^', '$':
		p.at++
		return item{anchor: map[rune]nodeKind{'^': nodeLineStart, '$': nodeLineEnd}[r]}, nil
	case '.', '*', '+', '?', '{', '}', ']':
		return item{}, p.refuse(strconv.Quote(string(r)))
	}
	p.at += width
	set := &charset{}
	if !p.fold {
		set.ranges = []runeRange{{r, r}}
		return item{set: set.seal()}, nil
	}
	if r >= utf8.RuneSelf {
		return item{}, p.refuse("(?i:) over other than ASCII")
	}
	set.addFolded(r)
	return item{set: set.seal(), folded: unicode.ToLower(r)}, nil
}

func (p *parser) group() (item, error) {
	it := item{min: 1, max: 1}
	outer := p.fold
	look := false
	if p.groups++; p.groups > maxGroups {
		return it, p.refuse("so many groups")
	}
	switch {
	case p.take("(?:"):
	case p.take("(?i:"):
		p.fold = true
	case p.take("(?!"):
		look, it.negate = true, true
	case p.take("(?="):
		look = true
	case strings.HasPrefix(p.rest(), "(?"), strings.HasPrefix(p.rest(), "(*"):
		return it, p.refuse("the group " + strconv.Quote(p.rest()[:min(4, len(p.rest()))]))
	default:
		p.take("(") // a capture, which a tokenizer does not use
	}
	inside, err := p.alternatives()
	if err != nil {
		return it, err
	}
	if !p.take(")") {
		return it, p.refuse("a group that does not close")
	}
	p.fold = outer
	if look {
		it.look = inside
	} else {
		it.group = inside
	}
	return it, nil
}

// quantifier reads what follows an item and sets its repetition.
func (p *parser) quantifier(it *item) error {
	it.min, it.max = 1, 1
	braces := false
	switch {
	case p.take("?"):
		it.min = 0
	case p.take("*"):
		it.min, it.max = 0, unlimited
	case p.take("+"):
		it.max = unlimited
	case strings.HasPrefix(p.rest(), "{"):
		if err := p.braces(it); err != nil {
			return err
		}
		braces = true
	default:
		return nil
	}
	if it.look != nil || it.anchor != 0 {
		return p.refuse("a repeated lookahead or anchor")
	}
	if it.group != nil && (it.min != 0 || it.max != 1) {
		return p.refuse("a repeated group")
	}
	if it.group == nil && !braces && p.take("+") {
		it.possessive = true
	}
	if p.at < len(p.source) && strings.IndexByte("?*+{", p.source[p.at]) >= 0 {
		return p.refuse("a lazy or doubled repetition")
	}
	return nil
}

// braces reads {n}, {n,} and {n,m}.
func (p *parser) braces(it *item) error {
	end := strings.IndexByte(p.rest(), '}')
	if end < 0 {
		return p.refuse("an open brace")
	}
	low, high, both := strings.Cut(p.rest()[1:end], ",")
	number := func(digits string) int {
		n, err := strconv.ParseUint(digits, 10, 31)
		if err != nil || n > maxRepeat || digits != strconv.Itoa(int(n)) {
			return -1
		}
		return int(n)
	}
	it.min = number(low)
	switch {
	case !both:
		it.max = it.min
	case high == "":
		it.max = unlimited
	default:
		it.max = number(high)
	}
	if it.min < 0 || it.max < it.min || it.max == 0 {
		return p.refuse("the repetition " + p.rest()[:end+1])
	}
	p.at += end + 1
	return nil
}

// class reads [...].
func (p *parser) class() (*charset, error) {
	set := &charset{}
	p.take("[")
	set.negate = p.take("^")
	if strings.HasPrefix(p.rest(), "]") {
		return nil, p.refuse("a class that begins with ]")
	}
	for {
		if p.take("]") {
			return set.seal(), nil
		}
		if p.at >= len(p.source) {
			return nil, p.refuse("a class that does not close")
		}
		low, err := p.member(set)
		if err != nil {
			return nil, err
		}
		// A dash makes a range unless it is the last of the class.
		if rest := p.rest(); len(rest) > 1 && rest[0] == '-' && rest[1] != ']' {
			p.at++
			if low < 0 {
				return nil, p.refuse("a range from a class")
			}
			high, err := p.member(&charset{})
			if err != nil {
				return nil, err
			}
			if high < low || p.fold {
				return nil, p.refuse("the range " + strconv.Quote(string(low)+"-"+string(max(high, 0))))
			}
			set.ranges = append(set.ranges, runeRange{low, high})
		}
	}
}

// member reads one member of a class into the set and returns it, or -1 if it was a class of its own such as \s.
func (p *parser) member(set *charset) (rune, error) {
	r, width := utf8.DecodeRuneInString(p.rest())
	switch {
	case p.at >= len(p.source):
		return 0, p.refuse("a class that does not close")
	case r == '\\':
		return p.escape(set)
	case r == '[':
		return 0, p.refuse("a class within a class")
	case strings.HasPrefix(p.rest(), "&&"):
		return 0, p.refuse("an intersection of classes")
	case p.fold && r >= utf8.RuneSelf:
		return 0, p.refuse("(?i:) over other than ASCII")
	}
	p.at += width
	if p.fold {
		set.addFolded(r)
	} else {
		set.ranges = append(set.ranges, runeRange{r, r})
	}
	return r, nil
}

// escape reads a backslash and what follows into the set, and returns the character it stands for or -1 for a class.
// Classes are Unicode's, as in Oniguruma: \s is White_Space, \d is Nd.
func (p *parser) escape(set *charset) (rune, error) {
	start := p.at
	p.at++
	r, width := utf8.DecodeRuneInString(p.rest())
	p.at += width
	literal := func(r rune) (rune, error) {
		if p.fold {
			set.addFolded(r)
		} else {
			set.ranges = append(set.ranges, runeRange{r, r})
		}
		return r, nil
	}
	switch r {
	case 's':
		set.in = append(set.in, unicode.White_Space)
	case 'S':
		set.notIn = append(set.notIn, unicode.White_Space)
	case 'd':
		set.in = append(set.in, unicodeClass("Nd"))
	case 'D':
		set.notIn = append(set.notIn, unicodeClass("Nd"))
	case 'w':
		set.in = append(set.in, onigurumaWord())
	case 'W':
		set.notIn = append(set.notIn, onigurumaWord())
	case 'p', 'P':
		return -1, p.property(set, r == 'P', start)
	case 'r':
		return literal('\r')
	case 'n':
		return literal('\n')
	case 't':
		return literal('\t')
	case 'f':
		return literal('\f')
	case 'v':
		return literal('\v')
	case 'x', 'u':
		return p.hex(r, start, literal)
	default:
		// Punctuation stands for itself; an unknown letter or digit would have a meaning this matcher does not know.
		if width > 0 && r > ' ' && r < utf8.RuneSelf && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return literal(r)
		}
		p.at = start
		return 0, p.refuse("the escape " + strconv.Quote(p.rest()[:1+width]))
	}
	return -1, nil
}

// property reads the {Name} of \p or \P: a general category such as L or Lu, or a script such as Han; {^Name} is the complement.
func (p *parser) property(set *charset, complement bool, start int) error {
	unknown := func() error {
		p.at = start
		return p.refuse("the property " + strconv.Quote(p.rest()[:min(12, len(p.rest()))]))
	}
	end := strings.IndexByte(p.rest(), '}')
	if end < 1 || !p.take("{") || p.fold {
		return unknown()
	}
	if p.take("^") {
		complement = !complement
		end--
	}
	name := p.rest()[:end-1]
	table := unicodeClass(name)
	if table == nil {
		return unknown()
	}
	p.at += end
	if complement {
		set.notIn = append(set.notIn, table)
	} else {
		set.in = append(set.in, table)
	}
	return nil
}

// hex reads the digits of \xHH, \x{H...} and \uHHHH.
func (p *parser) hex(kind rune, start int, literal func(rune) (rune, error)) (rune, error) {
	digits := ""
	switch {
	case kind == 'x' && p.take("{"):
		if end := strings.IndexByte(p.rest(), '}'); end >= 0 {
			digits = p.rest()[:end]
			p.at += end + 1
		}
	case kind == 'x' && len(p.rest()) >= 2:
		digits = p.rest()[:2]
		p.at += 2
	case kind == 'u' && len(p.rest()) >= 4:
		digits = p.rest()[:4]
		p.at += 4
	}
	value, err := strconv.ParseUint(digits, 16, 32)
	// \x80 to \xFF are raw bytes in Oniguruma, parts of a character.
	rawByte := kind == 'x' && len(digits) == 2 && value >= utf8.RuneSelf && p.source[p.at-1] != '}'
	if err != nil || !utf8.ValidRune(rune(value)) || value > unicode.MaxRune || rawByte {
		p.at = start
		return 0, p.refuse("the escape " + strconv.Quote(p.rest()[:min(6, len(p.rest()))]))
	}
	return literal(rune(value))
}
