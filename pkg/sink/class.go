package sink

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/attune-lab/attune/pkg/hf/tokenizer"
)

// Class of a token. Non-semantic tokens are all but digits and content words.
type Class int

const (
	Special      Class = iota // added by the tokenizer: BOS, EOS, ...
	Whitespace                // spaces and newlines only
	Punctuation               // Unicode category P
	Digit                     // Unicode category Nd, at least one and no letter
	Symbol                    // Unicode category S, and what fits nowhere else
	FunctionWord              // a closed list of English function words
	ContentWord               // any other word, or a piece of one
	numClasses   = iota
)

var classNames = [...]string{"special", "whitespace", "punctuation", "digit", "symbol", "function word", "content word"}

func (c Class) String() string { return classNames[c] }

// Classes lists all classes in their order.
func Classes() []Class {
	out := make([]Class, numClasses)
	for i := range out {
		out[i] = Class(i)
	}
	return out
}

// Classify gives each token of a text its class. A piece of a word counts as the word: "th" + "e" are both function words.
// Spaces that a tokenizer glues to a word do not make it whitespace.
func Classify(text string, tokens []tokenizer.Token) []Class {
	classes := make([]Class, len(tokens))
	for i, t := range tokens {
		if t.Special || t.Start >= t.End {
			classes[i] = Special
			continue
		}
		classes[i] = classifyPiece(text, t.Start, t.End)
	}
	return classes
}

func classifyPiece(text string, start, end int) Class {
	piece := strings.TrimSpace(text[start:end])
	if piece == "" {
		return Whitespace
	}
	var letters, digits, punctuation int
	for _, r := range piece {
		switch {
		case unicode.IsLetter(r) || unicode.IsMark(r):
			letters++
		case unicode.IsDigit(r):
			digits++
		case unicode.IsPunct(r):
			punctuation++
		}
	}
	switch {
	case letters > 0:
		if functionWords[strings.ToLower(wordAround(text, start, end))] {
			return FunctionWord
		}
		return ContentWord
	case digits > 0:
		return Digit
	case punctuation > 0:
		return Punctuation
	}
	return Symbol
}

// wordAround widens a piece to the whole run of letters that it belongs to; apostrophes inside a word belong to it.
func wordAround(text string, start, end int) string {
	for start < end {
		r, n := utf8.DecodeRuneInString(text[start:])
		if wordRune(r) {
			break
		}
		start += n
	}
	for end > start {
		r, n := utf8.DecodeLastRuneInString(text[:end])
		if wordRune(r) {
			break
		}
		end -= n
	}
	for start > 0 {
		r, n := utf8.DecodeLastRuneInString(text[:start])
		if !wordRune(r) {
			break
		}
		start -= n
	}
	for end < len(text) {
		r, n := utf8.DecodeRuneInString(text[end:])
		if !wordRune(r) {
			break
		}
		end += n
	}
	return strings.Trim(text[start:end], "'’")
}

func wordRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsMark(r) || r == '\'' || r == '’'
}

// functionWords are English determiners, pronouns, prepositions, conjunctions, auxiliaries, and the commonest particles and adverbs of
// degree and negation: the closed classes.
var functionWords = func() map[string]bool {
	const list = `a an the this that these those some any no every each either neither both all such
i me my mine myself you your yours yourself he him his himself she her hers herself it its itself we us our ours ourselves
they them their theirs themselves who whom whose which what whoever whatever one someone something anyone anything nobody nothing everyone everything
of in on at by for with from to into onto upon about above below under over between among through during before after against across along around behind beside beyond
near off out outside inside since until till toward towards up down within without per via
and or but nor so yet if then else when while whereas because although though unless than as whether where why how
be am is are was were been being have has had having do does did doing can could will would shall should may might must ought
not n't don't doesn't didn't isn't aren't wasn't weren't can't couldn't won't wouldn't shouldn't hasn't haven't hadn't it's i'm you're he's she's we're they're that's there's
there here also just only very too more most less least much many few little own same other another again once ever never`
	m := map[string]bool{}
	for _, w := range strings.Fields(list) {
		m[w] = true
	}
	return m
}()
