package tokenizer

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/attune-lab/attune/pkg/internal/testlimit"
)

// The expressions of published tokenizers.
var publishedPatterns = map[string]string{
	"gpt2":     gpt2Pattern,
	"cl100k":   `'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`,
	"llama3":   `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
	"qwen2":    `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
	"o200k":    `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
	"tekken":   `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
	"deepseek": "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
	"cjk":      `[一-龥぀-ゟ゠-ヿ]+`,
}

// goPattern writes an expression for Go's regexp, an independent engine: Unicode white space spelled out, possessive repetition greedy (the
// published expressions match alike either way), and the lookahead taken off; the caller applies it to the group "tail".
func goPattern(source string) *regexp.Regexp {
	const space = `\t-\r \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}`
	source = strings.ReplaceAll(source, `\s+(?!\S)|\s+`, `(?P<tail>[`+space+`]+)`)
	source = strings.ReplaceAll(source, `\s*`, `[`+space+`]*`)
	source = strings.ReplaceAll(source, `\s`, space)
	source = strings.NewReplacer("?+", "?", "++", "+").Replace(source)
	return regexp.MustCompile(`\A(?:` + source + `)`)
}

// reference cuts a text with Go's engine; \s+(?!\S) is: white space before other text leaves its last character to what follows.
func reference(re *regexp.Regexp, text string) []string {
	var words []string
	between := 0
	for at := 0; at < len(text); {
		m := re.FindStringSubmatchIndex(text[at:])
		if m == nil || m[1] == 0 {
			_, width := utf8.DecodeRuneInString(text[at:])
			at += width
			continue
		}
		end := at + m[1]
		if tail := re.SubexpIndex("tail"); tail > 0 && m[2*tail] >= 0 && end < len(text) {
			if _, width := utf8.DecodeLastRuneInString(text[:end]); end-width > at {
				end -= width
			}
		}
		if between < at {
			words = append(words, text[between:at])
		}
		words = append(words, text[at:end])
		at, between = end, end
	}
	if between < len(text) {
		words = append(words, text[between:])
	}
	return words
}

func cutWords(t testing.TB, source, text string) []string {
	p, err := compile(source)
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	splitter{find: p, how: isolated}.split(piece{text: text}, func(w piece) { words = append(words, w.text) })
	return words
}

// randomText draws from characters that the expressions treat differently.
func randomText(r *rand.Rand, length int) string {
	alphabet := []rune("aZsStTreDlmvé ſ''  \t\n\r\u00a0\u3000 123٣½ⅷ.,!/_-(¿中あǅʰ\u0301ß🦙\u200dПр")
	var b strings.Builder
	for range length {
		b.WriteRune(alphabet[r.IntN(len(alphabet))])
	}
	return b.String()
}

func TestPatternsCutAsAnotherEngineDoes(t *testing.T) {
	for name, source := range publishedPatterns {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			re := goPattern(source)
			for range 5000 {
				text := randomText(r, r.IntN(24))
				got, want := cutWords(t, source, text), reference(re, text)
				if !slices.Equal(got, want) {
					t.Fatalf("%q:\n got %q\nwant %q", text, got, want)
				}
			}
		})
	}
}

func TestPatternsCutAsWorkedOutByHand(t *testing.T) {
	for _, test := range []struct{ pattern, text, want string }{
		{"gpt2", "I'll go,  there 12 times\n\n ok", "I|'ll| go|,| | there| 12| times|\n\n| ok"},
		{"gpt2", "a   ", "a|   "},
		{"gpt2", "'LL 'S", "'|LL| '|S"}, // GPT-2's contractions are lower case only
		{"llama3", "'LL 'S 1234 ok!!\n x", "'LL| '|S| |123|4| ok|!!\n| x"},
		{"llama3", "it'ſ", "it|'ſ"}, // U+017F folds to s
		{"qwen2", "12 x\n \n y", "1|2| x|\n \n| y"},
		{"cl100k", "a \n\n b", "a| \n\n| b"},
		{"o200k", "HelloWorld's ISN'T", "Hello|World's| ISN'T"},
		{"o200k", "a/b //\n/c", "a|/b| //\n/|c"},
		{"deepseek", "$abc x1", "$abc| x|1"},
		{"cjk", "ab中あc", "ab|中あ|c"},
	} {
		if got := strings.Join(cutWords(t, publishedPatterns[test.pattern], test.text), "|"); got != test.want {
			t.Errorf("%s, %q: got %q, want %q", test.pattern, test.text, got, test.want)
		}
	}
}

func TestPossessiveRepetitionGivesNothingBack(t *testing.T) {
	for _, test := range []struct{ pattern, text, want string }{
		{`a?ab`, "xab", "x|ab"},
		{`a?+ab`, "xab", "xab"}, // a?+ takes the only a and keeps it
		{`a?+ab`, "xaab", "x|aab"},
		{`a{2,3}(?=b)`, "aaaab", "a|aaa|b"},
		{`(ab)?c`, "abcc", "abc|c"},
		{`[^\S\n]+`, "a \n\tb", "a| |\n|\t|b"},
		{`\x41|\u0042|\x{1F999}`, "AB🦙C", "A|B|🦙|C"},
		{`\p{^L}\P{L}`, "a12b", "a|12|b"},
	} {
		if got := strings.Join(cutWords(t, test.pattern, test.text), "|"); got != test.want {
			t.Errorf("%s, %q: got %q, want %q", test.pattern, test.text, got, test.want)
		}
	}
}

func TestCompileRefusesWhatItDoesNotMatch(t *testing.T) {
	for _, source := range []string{
		`(a+)+`, `(a)*`, `(ab){2}`, `a*?b`, `a+?`, `a**`, `a{2}{3}`, `a{2}+`, `a{3,2}`, `a{0}`, `a{,3}`, `a{x}`, `a{01}`, `a{9999}`,
		`\bfoo`, `\h`, `\A`, `\1a`, `\k<a>`, `\xff`, `\x{110000}`, `\uD800`, `\x{}`, `\p{Nope}`, `\pL`, `\p{}`, `a\`,
		`^*a`, `a$+`, `.`, `[[:alpha:]]`, `[a&&b]`, `[]a]`, `[a`, `[\s-z]`, `[z-a]`, `[a-\s]`, `[`, `[\`,
		`(?<=a)b`, `(?<n>a)`, `(?>a)b`, `(?i)a`, `(?m:a)`, `(*F)a`, `(?i:é)`, `(?i:ss)`, `(?i:fi)`, `(?i:[a-z])`, `(?i:\p{Lu})`,
		`(a`, `a)`, `a|`, `|a`, ``, `a?`, `(?!a)`, `(?:)`, `(?=a)+b`, "\xff",
		strings.Repeat("a", maxPattern+1), strings.Repeat("(", 40) + "a" + strings.Repeat(")", 40), strings.Repeat("a?", 20) + "b",
	} {
		if _, err := compile(source); err == nil {
			t.Errorf("%.40q compiled, want a refusal", source)
		}
	}
}

// FuzzCompile compiles anything; what compiles must match short texts without panic and cover them.
func FuzzCompile(f *testing.F) {
	for _, source := range publishedPatterns {
		f.Add(source, "Hello  it's 123 ,!\n é🦙\xff")
	}
	f.Fuzz(func(t *testing.T, source, text string) {
		if len(source) > 200 {
			return
		}
		text = text[:min(len(text), 30)]
		testlimit.Run(t, len(source)+len(text), func() { checkCovers(t, source, text) })
	})
}

// checkCovers compiles an expression and, where it compiles, splits a text by it: no byte is lost.
func checkCovers(t *testing.T, source, text string) {
	p, err := compile(source)
	if err != nil {
		return
	}
	covered := 0
	splitter{find: p, how: isolated}.split(piece{text: text}, func(w piece) {
		if w.base != covered || w.text == "" {
			t.Fatalf("%q on %q: a word at %d, want %d", source, text, w.base, covered)
		}
		covered += len(w.text)
	})
	if covered != len(text) {
		t.Fatalf("%q on %q: covered %d of %d bytes", source, text, covered, len(text))
	}
}

func TestNoExpressionTakesForEver(t *testing.T) {
	text := strings.Repeat("a", 300)
	for _, source := range []string{`a*a*a*a*a*a*a*a*a*a*a*b`, `a+(?:a*a*)?(?:a*a*)?(?:a*a*)?(?:a*a*)?b`, `a+a+(?=a+a+a+b)`, `a{1,9}a{1,99}a{1,999}a{1,999}b`} {
		p, err := compile(source)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if _, _, ok := p.next(text, 0); ok {
			t.Errorf("%s matches", source)
		}
		if took := time.Since(start); took > testlimit.TimeSlack*testlimit.Time {
			t.Errorf("%s took %v", source, took)
		}
	}
}
