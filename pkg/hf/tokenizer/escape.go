package tokenizer

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

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
		set.in = append(set.in, unicode.Nd)
	case 'D':
		set.notIn = append(set.notIn, unicode.Nd)
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
	table := unicode.Categories[name]
	if table == nil {
		table = unicode.Scripts[name]
	}
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
