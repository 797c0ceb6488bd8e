package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Class of a token. Non-semantic tokens are all but digits and content words.
type Class int

const (
	Special      Class = iota // added by the tokenizer: BOS, EOS, ...
	Whitespace                // spaces, newlines and lone SentencePiece space marks only
	Punctuation               // Unicode category P, typographic quotes and dashes among them
	Digit                     // Unicode category Nd, at least one and no letter
	Symbol                    // Unicode category S, and what fits nowhere else
	FunctionWord              // a closed list of English function words
	ContentWord               // any other word, or a piece of one
	numClasses   = iota
)

var classNames = [numClasses]string{"special", "whitespace", "punctuation", "digit", "symbol", "function word", "content word"}

func (c Class) String() string { return classNames[c] }

// Classes lists all classes in their order.
func Classes() []Class {
	out := make([]Class, numClasses)
	for i := range out {
		out[i] = Class(i)
	}
	return out
}

// Classify gives each token of a text the class it has in its word:
//
//   - A piece of a word counts as the word: "th" + "e" are both function words, the "he" of "theory" is none.
//   - A character split over several byte tokens has its class on all of them.
//   - Spaces that a tokenizer joins to a word do not make it whitespace; a space, or the mark that a tokenizer puts before a text,
//     does where it is a token of its own.
//
// tokens are those of [Tokenizer.Tokens] for the text.
func Classify(text string, tokens []Token) []Class {
	classes := make([]Class, len(tokens))
	for i, t := range tokens {
		switch {
		case t.Special:
			classes[i] = Special
		case t.Start >= t.End:
			classes[i] = Whitespace // A mark that a normalizer put in: it stands for no text.
		default:
			classes[i] = classOfStretch(text, t.Start, t.End)
		}
	}
	return classes
}

// VocabularyClasses returns the class of every id by its own text, for masks that name ids and so cannot know a token's neighbours.
//
// Where the vocabulary marks the beginning of words (Ġ or ▁), a piece of lower-case letters without the mark is taken for a piece inside a
// longer word and counts as a content word: most occurrences of "he" without a mark are those of "theory", not the pronoun. A part of
// a character, whose class depends on the rest of it, counts as a symbol, as do ids that do not exist.
func (t *Tokenizer) VocabularyClasses() []Class {
	classes := make([]Class, len(t.pieces))
	texts := make([]string, len(t.pieces))
	marked := false
	for id, e := range t.pieces {
		texts[id] = t.plainText(id)
		marked = marked || !e.added && len(texts[id]) > 1 && texts[id][0] == ' '
	}
	for id, e := range t.pieces {
		text := texts[id]
		switch {
		case e.special:
			classes[id] = Special
		case text == "" || !utf8.ValidString(text):
			classes[id] = Symbol
		default:
			classes[id] = classOfStretch(text, 0, len(text))
			if first, _ := utf8.DecodeRuneInString(text); marked && classes[id] == FunctionWord && unicode.IsLower(first) {
				classes[id] = ContentWord
			}
		}
	}
	return classes
}

// plainText is the text of one id with its spaces as spaces; no decoder has removed a leading one.
func (t *Tokenizer) plainText(id int) string {
	e := t.pieces[id]
	if m, ok := t.model.(*bpe); ok && m.bytes {
		if raw, ok := bytesOf(e.text); ok && !e.added {
			return raw
		}
		return e.text
	}
	if b, ok := byteToken(e.text); ok {
		return string([]byte{b})
	}
	return strings.ReplaceAll(e.text, boundaryMark, " ")
}

// classOfStretch is the class of bytes start to end of a text, widened to whole characters.
func classOfStretch(text string, start, end int) Class {
	for start > 0 && !utf8.RuneStart(text[start]) {
		start--
	}
	for end < len(text) && !utf8.RuneStart(text[end]) {
		end++
	}
	var letters, digits, punctuation, others int
	for _, r := range text[start:end] {
		switch {
		case unicode.IsSpace(r):
		case unicode.IsLetter(r) || unicode.IsMark(r):
			letters++
		case unicode.IsDigit(r):
			digits++
		case unicode.IsPunct(r):
			punctuation++
		default:
			others++
		}
	}
	switch {
	case letters > 0:
		if isFunctionWord(wordAround(text, start, end)) {
			return FunctionWord
		}
		return ContentWord
	case digits > 0:
		return Digit
	case punctuation > 0:
		return Punctuation
	case others > 0:
		return Symbol
	}
	return Whitespace
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
	return strings.Trim(strings.ReplaceAll(text[start:end], "’", "'"), "'")
}

func wordRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsMark(r) || r == '\'' || r == '’'
}

// isFunctionWord also knows a function word with a clitic: I'll, who's, they've.
func isFunctionWord(word string) bool {
	word = strings.ToLower(word)
	stem, _, _ := strings.Cut(word, "'")
	return functionWords[word] || functionWords[stem]
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
