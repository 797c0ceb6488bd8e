package extract

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	bracketed   = regexp.MustCompile(`\(([A-Za-z])\)`)
	firstLetter = regexp.MustCompile(`^\**\(?([A-Z])(?:\)|\*|[.:,]|$|\s)`)
	loneLetter  = regexp.MustCompile(`^\W*([A-Za-z])\W*$`)
	wordPattern = regexp.MustCompile(`[\pL']+`)
	negation    = regexp.MustCompile(`(?i)\b(?:not|neither|nor|none|cannot)\b|n't\b`)
	sentenceEnd = regexp.MustCompile(`[.!?;](?:\s|$)`)
)

// letter reads an option's letter: "(B)" if no other letter stands in brackets; a letter alone; one that begins the text, set off by a mark
// ("B. the text"); or an option written out.
func (q Question) letter(final string, marked bool) (string, bool) {
	if marked {
		final = firstSentence(final)
	}
	found := ""
	for _, m := range bracketed.FindAllStringSubmatch(final, -1) {
		if found != "" && !strings.EqualFold(m[1], found) {
			return "", false // two letters
		}
		found = m[1]
	}
	begins := strings.HasPrefix(strings.TrimLeft(final, "*\"' "), "(")
	switch {
	case found != "" && (marked || begins) && !negation.MatchString(final[:strings.Index(final, "("+found+")")]):
		return q.inRange(found)
	case found != "":
		return "", false // mentioned on the way, not given as the answer
	}
	if m := loneLetter.FindStringSubmatch(final); m != nil {
		return q.inRange(m[1])
	}
	written := -1
	for i, option := range q.Options {
		if !strings.EqualFold(tidy(final), tidy(option)) {
			continue
		}
		if written >= 0 {
			return "", false // two options say the same
		}
		written = i
	}
	if written >= 0 {
		return q.inRange(string(rune('A' + written)))
	}
	if m := firstLetter.FindStringSubmatch(final); m != nil {
		rest := final[len(m[0]):]
		set := strings.ContainsAny(m[0], ").:,*")
		if set || (m[1] != "A" && m[1] != "I" && rest != "") { // "A dog" and "I think" begin sentences
			return q.inRange(m[1])
		}
	}
	return "", false
}

// inRange refuses letters that no option has.
func (q Question) inRange(letter string) (string, bool) {
	letter = strings.ToUpper(letter)
	n := q.Letters
	if n == 0 {
		n = len(q.Options)
	}
	if n > 0 && int(letter[0]-'A') >= n {
		return "", false
	}
	return letter, true
}

// firstSentence ends at the first full stop that is followed by white space, but keeps "B. the text".
func firstSentence(text string) string {
	for _, at := range sentenceEnd.FindAllStringIndex(text, -1) {
		if head := strings.Trim(text[:at[0]], "*( "); len(head) > 1 {
			return text[:at[0]]
		}
	}
	return text
}

// numberPattern is a sign, a currency, digits with thousands, decimals, an exponent, and a denominator.
var numberPattern = regexp.MustCompile(`[-+]?[$€£]?[-+]?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?(?:/\d+)?`)

// number reads the only number of the text: two are two answers. Without a mark the text must be a single line.
func number(final string, marked bool) (string, bool) {
	if marked {
		final = firstSentence(final)
	} else if strings.Contains(final, "\n") {
		return "", false
	}
	final = signs.ReplaceAllString(strings.ReplaceAll(final, "−", "-"), "$1-$2")
	var found float64
	seen := false
	for _, at := range numberPattern.FindAllStringIndex(final, -1) {
		if at[0] > 0 && isWord(final[at[0]-1]) && final[at[0]] != '-' {
			continue // "x2"; but "5-6" is two numbers
		}
		v, ok := value(final[at[0]:at[1]])
		if !ok || seen && v != found {
			return "", false
		}
		found, seen = v, true
	}
	if !seen || negation.MatchString(final) {
		return "", false
	}
	return strconv.FormatFloat(found, 'f', -1, 64), true
}

// signs stand apart from their number: "- 5" at the beginning or behind a bracket or an equals sign.
var signs = regexp.MustCompile(`(^\s*|[(=]\s*)-\s+(\d)`)

func isWord(b byte) bool {
	return b == '_' || '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z'
}

// value is the number that a text is, all of it.
func value(text string) (float64, bool) {
	text = strings.TrimSpace(strings.TrimSuffix(strings.TrimSuffix(strings.TrimSpace(text), "."), "%"))
	text = strings.ReplaceAll(text, "−", "-")
	if numberPattern.FindString(text) != text || text == "" {
		return 0, false
	}
	text = strings.NewReplacer(",", "", "$", "", "€", "", "£", "").Replace(text)
	above, below, fraction := strings.Cut(text, "/")
	v, err := strconv.ParseFloat(above, 64)
	if err != nil {
		return 0, false
	}
	if fraction {
		d, err := strconv.ParseFloat(below, 64)
		if err != nil || d == 0 {
			return 0, false
		}
		v /= d
	}
	return v, true
}

// same allows for the rounding of a fraction.
func same(a, b float64) bool { return a == b || math.Abs(a-b) <= 1e-9*max(math.Abs(a), math.Abs(b)) }

// label reads a word of the set: the first word, if a mark or the end follows it; else the only word of the set in the text, which must be
// a single line where no mark led to it. A negation makes it unreadable: "not valid" is not an answer of the set.
func (q Question) label(final string, marked bool) (string, bool) {
	if marked {
		final = firstSentence(final)
	}
	words := wordPattern.FindAllStringIndex(final, -1)
	if len(words) == 0 {
		return "", false
	}
	known := func(at []int) (string, bool) {
		word := strings.ToLower(final[at[0]:at[1]])
		return word, slices.Contains(q.Labels, word)
	}
	if word, ok := known(words[0]); ok {
		rest := strings.TrimLeft(final[words[0][1]:], "*\"'”’ ")
		if rest == "" || strings.ContainsRune(",.:;!\n)", rune(rest[0])) {
			return word, true
		}
	}
	if !marked && strings.Contains(final, "\n") || negation.MatchString(final) {
		return "", false
	}
	found := ""
	for _, at := range words {
		word, ok := known(at)
		if !ok {
			continue
		}
		if found != "" && word != found {
			return "", false
		}
		found = word
	}
	return found, found != ""
}
