package tokenizer_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/attune-lab/attune/pkg/hf/tokenizer"
)

// streamed decodes ids one by one, checking that each text is complete.
func streamed(t *testing.T, tok *tokenizer.Tokenizer, ids []int) string {
	t.Helper()
	stream := tok.NewStream()
	var b strings.Builder
	for _, id := range ids {
		text := stream.Push(id)
		if !utf8.ValidString(text) {
			t.Fatalf("%v: %q is not complete", ids, text)
		}
		b.WriteString(text)
	}
	b.WriteString(stream.Flush())
	return b.String()
}

func TestStreamGivesWhatDecodeGives(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	const text = "ab 🦙 é\n中文 a"
	for name, layout := range map[string]object{"llama2": llama2(), "unigram": t5(), "no decoder": with(llama2(), object{"decoder": nil})} {
		t.Run(name, func(t *testing.T) {
			tok := parse(t, layout)
			ids := tok.Encode(text)
			if got, want := streamed(t, tok, ids), tok.Decode(ids); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	// Byte level: equal for any ids whatever, also such as are no text.
	tok := trained(t, tokenizer.TrainOptions{VocabSize: 300})
	for range 2000 {
		ids := make([]int, r.IntN(12))
		for i := range ids {
			// Continuation and first bytes of UTF-8 often.
			if ids[i] = r.IntN(tok.MaxID() + 3); r.IntN(2) == 0 {
				ids[i] = 4 + []int{0xE2, 0x82, 0xAC, 0xF0, 0x9F, 0xED, 0xA0, 0xC0, 0x80, 0xF4, 0x90}[r.IntN(11)]
			}
		}
		got, want := streamed(t, tok, ids), tok.Decode(ids)
		if got != want || !utf8.ValidString(want) {
			t.Fatalf("%v: got %q, want %q", ids, got, want)
		}
	}
}

func TestStreamHoldsBackAnUnfinishedCharacter(t *testing.T) {
	for name, tok := range map[string]*tokenizer.Tokenizer{"byte level": trained(t, tokenizer.TrainOptions{VocabSize: 260, NoBOS: true}), "byte fallback": parse(t, llama2())} {
		t.Run(name, func(t *testing.T) {
			ids := tok.EncodePlain("é€🦙")
			stream := tok.NewStream()
			var texts []string
			for _, id := range ids {
				texts = append(texts, stream.Push(id))
			}
			// The last nine are the bytes of é, € and 🦙 (before them, in the second layout, the mark of the beginning).
			want := ",é,,,€,,,,🦙"
			if got := strings.Join(texts[len(texts)-9:], ","); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			stream.Push(ids[len(ids)-4])
			if got := stream.Flush(); got != "\uFFFD" {
				t.Errorf("flushed %q, want U+FFFD", got)
			}
			if got := stream.Flush(); got != "" {
				t.Errorf("flushed %q after the end", got)
			}
		})
	}
}

func TestBrokenBytesAreReplacedAsRustDoes(t *testing.T) {
	tok := trained(t, tokenizer.TrainOptions{VocabSize: 260})
	for broken, want := range map[string]string{
		"\xe2\x82":                 "\uFFFD",             // one for the beginning of a character
		"\xe2\x82a":                "\uFFFDa",            //
		"\xe2\xe2\x82\xac":         "\uFFFD€",            //
		"\xed\xa0\x80":             "\uFFFD\uFFFD\uFFFD", // a surrogate: no beginning of anything
		"\xf0\x9f\xa6":             "\uFFFD",             //
		"\xf4\x90\x80\x80":         "\uFFFD\uFFFD\uFFFD\uFFFD",
		"\xc0\x80":                 "\uFFFD\uFFFD",
		"a\x80b":                   "a\uFFFDb",
		"\xf0\x9f\xa6\x99\xf0\x9f": "🦙\uFFFD",
	} {
		if got := tok.Decode(tok.Encode(broken)); got != want {
			t.Errorf("%q: got %q, want %q", broken, got, want)
		}
	}
}
