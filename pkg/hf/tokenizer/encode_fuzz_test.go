package tokenizer_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/attune-lab/attune/pkg/hf/tokenizer"
)

// FuzzEncode holds the promises of the package for any text, broken UTF-8 among it: offsets tile the text where nothing was
// normalized away, decoding gives the text back, and a stream gives what decoding gives.
func FuzzEncode(f *testing.F) {
	layouts := map[string]*tokenizer.Tokenizer{
		"trained": trained(f, tokenizer.TrainOptions{VocabSize: 300, NoBOS: true}), "llama2": parse(f, llama2()), "unigram": parse(f, t5()),
	}
	for _, text := range []string{"", " ", "ab  a\n\tb", "é🦙 中文", "\xff\xc3", "a\u0301b", "<s>a</s>", "▁a ▁", "'s 123 4567!!", strings.Repeat("ab", 50)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		text = text[:min(len(text), 1000)]
		for name, tok := range layouts {
			tokens := tok.Tokens(text, false)
			ids := make([]int, len(tokens))
			for i, token := range tokens {
				ids[i] = token.ID
			}
			if utf8.ValidString(text) {
				checkTiling(t, text, tokens)
			}
			decoded := tok.Decode(ids)
			if !utf8.ValidString(decoded) {
				t.Fatalf("%s: %q decodes to %q", name, text, decoded)
			}
			if got := streamed(t, tok, ids); got != decoded && utf8.ValidString(text) {
				t.Fatalf("%s: %q: the stream gives %q, decoding %q", name, text, got, decoded)
			}
			// The other two write a space as ▁ and put unknown characters in one token: what they give back is theirs. Text that spells a
			// special token is that token, which decoding leaves out.
			if name == "trained" && utf8.ValidString(text) && !slices.ContainsFunc(tokens, func(t tokenizer.Token) bool { return t.Special }) && decoded != text {
				t.Fatalf("%q comes back as %q", text, decoded)
			}
		}
	})
}
