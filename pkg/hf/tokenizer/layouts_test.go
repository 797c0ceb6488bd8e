package tokenizer_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/hf/tokenizer"
)

// object is a JSON object.
type object = map[string]any

// with returns a layout with some fields replaced.
func with(layout object, changes object) object {
	changed := maps.Clone(layout)
	maps.Copy(changed, changes)
	return changed
}

func encodeJSON(t testing.TB, value any) []byte {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func parse(t testing.TB, layout object) *tokenizer.Tokenizer {
	t.Helper()
	tok, err := tokenizer.Parse(encodeJSON(t, layout), nil)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func addedToken(id int, content string, flags ...string) object {
	token := object{"id": id, "content": content}
	for _, flag := range []string{"single_word", "lstrip", "rstrip", "normalized", "special"} {
		token[flag] = slices.Contains(flags, flag)
	}
	return token
}

// template is a TemplateProcessing that puts one token in front.
func template(token string, id int) object {
	return object{
		"type":           "TemplateProcessing",
		"single":         []any{object{"SpecialToken": object{"id": token, "type_id": 0}}, object{"Sequence": object{"id": "A", "type_id": 0}}},
		"pair":           []any{},
		"special_tokens": object{token: object{"id": token, "ids": []int{id}, "tokens": []string{token}}},
	}
}

func sequence(kind, field string, parts ...any) object {
	return object{"type": kind, field: parts}
}

// llama2 is Llama-2's layout in small: <unk> <s> </s>, 256 bytes from id 3, and eight pieces from 259.
func llama2() object {
	vocab := object{"<unk>": 0, "<s>": 1, "</s>": 2}
	for b := range 256 {
		vocab[fmt.Sprintf("<0x%02X>", b)] = 3 + b
	}
	for i, text := range []string{"▁", "a", "b", "▁a", "ab", "▁ab", "c", "bc"} {
		vocab[text] = 259 + i
	}
	replace := func(from, to string) object {
		return object{"type": "Replace", "pattern": object{"String": from}, "content": to}
	}
	return object{
		"version": "1.0", "truncation": nil, "padding": nil,
		"added_tokens":  []any{addedToken(0, "<unk>", "special"), addedToken(1, "<s>", "special"), addedToken(2, "</s>", "special")},
		"normalizer":    sequence("Sequence", "normalizers", object{"type": "Prepend", "prepend": "▁"}, replace(" ", "▁")),
		"pre_tokenizer": nil, "post_processor": template("<s>", 1),
		"decoder": sequence("Sequence", "decoders", replace("▁", " "), object{"type": "ByteFallback"}, object{"type": "Fuse"},
			object{"type": "Strip", "content": " ", "start": 1, "stop": 0}),
		"model": object{
			"type": "BPE", "dropout": nil, "unk_token": "<unk>", "continuing_subword_prefix": nil, "end_of_word_suffix": nil,
			"fuse_unk": true, "byte_fallback": true, "ignore_merges": false, "vocab": vocab,
			"merges": []string{"▁ a", "b c", "a b", "▁a b"},
		},
	}
}

const llama3Pattern = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`

// llama3 is Llama-3's layout in small.
func llama3() object {
	vocab := object{}
	for i, text := range strings.Fields("H i Ġ ! 1 2 3 4 5 12 123 Hi ĠHi s ' 's Ċ ĠĠ ¿ !! Ã ©") {
		vocab[text] = i
	}
	return object{
		"version": "1.0", "truncation": nil, "padding": nil,
		"added_tokens": []any{addedToken(100, "<|begin_of_text|>", "special"), addedToken(101, "<|end_of_text|>", "special")},
		"normalizer":   nil,
		"pre_tokenizer": sequence("Sequence", "pretokenizers",
			object{"type": "Split", "pattern": object{"Regex": llama3Pattern}, "behavior": "Isolated", "invert": false},
			object{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}),
		"post_processor": sequence("Sequence", "processors",
			object{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true}, template("<|begin_of_text|>", 100)),
		"decoder": object{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
		"model": object{
			"type": "BPE", "dropout": nil, "unk_token": nil, "continuing_subword_prefix": nil, "end_of_word_suffix": nil,
			"fuse_unk": false, "byte_fallback": false, "ignore_merges": true, "vocab": vocab,
			// Ġ and Hi have no merge to ĠHi: only ignore_merges reaches it.
			"merges": [][]string{{"1", "2"}, {"12", "3"}, {"H", "i"}, {"'", "s"}, {"!", "!"}},
		},
	}
}

// t5 is the layout of SentencePiece's Unigram in small.
func t5() object {
	piece := func(text string, score float64) []any { return []any{text, score} }
	return object{
		"version": "1.0", "truncation": nil, "padding": nil,
		"added_tokens":   []any{addedToken(0, "<unk>", "special"), addedToken(1, "</s>", "special")},
		"normalizer":     nil,
		"pre_tokenizer":  object{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true},
		"post_processor": nil,
		"decoder":        object{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true},
		"model": object{"type": "Unigram", "unk_id": 0, "byte_fallback": false, "vocab": []any{
			piece("<unk>", 0), piece("</s>", 0), piece("▁", -2), piece("a", -3), piece("b", -3), piece("ab", -4), piece("▁a", -3.5), piece("▁ab", -10), piece("bb", -9),
		}},
	}
}

// expectation is a text and what it must become.
type expectation struct {
	text string
	want []int
	// spans are the tokens' offsets; nil where the tokens must tile the text.
	spans [][2]int
}

// check verifies ids, offsets, and that decoding gives the text back.
func check(t *testing.T, tok *tokenizer.Tokenizer, tests []expectation) {
	t.Helper()
	for _, test := range tests {
		if got := tok.Encode(test.text); !slices.Equal(got, test.want) {
			t.Errorf("%q: got %v, want %v", test.text, got, test.want)
			continue
		}
		tokens := tok.Tokens(test.text, false)
		if test.spans == nil {
			checkTiling(t, test.text, tokens)
		} else {
			var got [][2]int
			for _, token := range tokens {
				got = append(got, [2]int{token.Start, token.End})
			}
			if !slices.Equal(got, test.spans) {
				t.Errorf("%q: offsets %v, want %v", test.text, got, test.spans)
			}
		}
	}
}

// ids written out: <0xNN> of llama2.
func byteID(b byte) int { return 3 + int(b) }

func TestLlama2Layout(t *testing.T) {
	tok := parse(t, llama2())
	check(t, tok, []expectation{
		{text: "", want: []int{1}},
		{text: "ab a", want: []int{1, 264, 262}, spans: [][2]int{{0, 2}, {2, 4}}}, // ▁ab ▁a
		{text: "abc", want: []int{1, 262, 266}},                                   // ▁a first, then b c before a b: ▁a bc
		{text: " ab", want: []int{1, 259, 264}},                                   // ▁ ▁ab: the prepended mark has no width
		{text: "a  b", want: []int{1, 262, 259, 259, 261}},                        // ▁a ▁ ▁ b
		{text: "é", want: []int{1, 259, byteID(0xC3), byteID(0xA9)}},              // one byte each
		{text: "b\n🦙", want: []int{1, 259, 261, byteID('\n'), byteID(0xF0), byteID(0x9F), byteID(0xA6), byteID(0x99)}},
		{text: "a<s>b", want: []int{1, 262, 1, 259, 261}}, // each stretch between added tokens gets its mark
		{text: "a\xffb", want: []int{1, 262, byteID(0xff), 261}},
	})
	for _, text := range []string{"ab a", "abc", " ab", "a  b", "é", "b\n🦙", " "} {
		if got := tok.Decode(tok.Encode(text)); got != text {
			t.Errorf("%q came back as %q", text, got)
		}
	}
	if got := tok.DecodeWithSpecial([]int{1, 262, 2}); got != "<s> a</s>" {
		t.Errorf("with special tokens: %q", got)
	}
	// A run of byte tokens that is not UTF-8 is replaced as a whole, as published.
	if got := tok.Decode([]int{260, byteID(0xE2), byteID(0x82), byteID('x'), 261}); got != "a\uFFFD\uFFFD\uFFFDb" {
		t.Errorf("broken bytes: %q", got)
	}
	if got := tok.EncodePlain("a"); !slices.Equal(got, []int{262}) {
		t.Errorf("plain: %v", got)
	}
}

func TestLlama2LayoutWithMetaspace(t *testing.T) {
	layout := with(llama2(), object{"normalizer": nil, "pre_tokenizer": object{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": false}})
	check(t, parse(t, layout), []expectation{
		{text: "ab a", want: []int{1, 264, 262}},
		{text: "a<s>b", want: []int{1, 262, 1, 261}}, // first: only the start of the text gets a mark
		{text: " ab", want: []int{1, 264}},           // none where one is already
	})
	layout["pre_tokenizer"] = object{"type": "Metaspace", "replacement": "▁", "add_prefix_space": false, "split": false}
	check(t, parse(t, layout), []expectation{{text: "ab a", want: []int{1, 263, 262}}})
}

func TestLlama3Layout(t *testing.T) {
	tok := parse(t, llama3())
	check(t, tok, []expectation{
		{text: "", want: []int{100}},
		{text: "Hi Hi!", want: []int{100, 11, 12, 3}},               // Hi, then ĠHi by ignore_merges
		{text: "12345", want: []int{100, 10, 7, 8}},                 // 123 | 45: digits in threes, no merge of 4 and 5
		{text: "Hi's", want: []int{100, 11, 15}},                    // the contraction is a word
		{text: "Hi  Hi", want: []int{100, 11, 2, 12}},               // Hi | one space | space Hi
		{text: "Hi!!\nHi", want: []int{100, 11, 19, 16, 11}},        // the newline belongs to !!, as bytes merge
		{text: "Hi  ", want: []int{100, 11, 17}},                    // trailing spaces are one word: ĠĠ
		{text: "é", want: []int{100, 20, 21}},                       // one token per byte, tiling inside the character
		{text: "Hi<|end_of_text|>", want: []int{100, 11, 101}},      // found before anything is cut
		{text: "<|end_of_text|>Hi", want: []int{100, 101, 11}},      //
		{text: "<|end_of_text|", want: []int{100}, spans: noTokens}, // none of these characters is in this small vocabulary
	})
	if got := tok.Decode([]int{100, 11, 12, 20, 21, 101}); got != "Hi Hié" {
		t.Errorf("decoded %q", got)
	}
	if got := tok.DecodeWithSpecial([]int{100, 11, 101}); got != "<|begin_of_text|>Hi<|end_of_text|>" {
		t.Errorf("decoded %q", got)
	}
	if got := tok.Decode([]int{11, 50, -1, 9999, 3}); got != "Hi!" {
		t.Errorf("ids that do not exist: %q", got)
	}
	if tok.VocabSize() != 24 || tok.MaxID() != 101 {
		t.Errorf("size %d, largest id %d, want 24 and 101", tok.VocabSize(), tok.MaxID())
	}
	if bos, ok := tok.BOS(); !ok || bos != 100 {
		t.Errorf("BOS %d %v", bos, ok)
	}
	if eos, ok := tok.EOS(); !ok || eos != 101 {
		t.Errorf("EOS %d %v", eos, ok)
	}
}

// noTokens is an expectation of no tokens at all.
var noTokens = [][2]int{}

func TestUnigramLayout(t *testing.T) {
	layout := t5()
	tok := parse(t, layout)
	tests := []expectation{
		{text: "ab", want: []int{2, 5}},          // ▁ + ab = -6 over ▁a + b = -6.5 and ▁ab = -10
		{text: "a b", want: []int{6, 2, 4}},      // ▁a | ▁ b
		{text: "abb", want: []int{2, 5, 4}},      // ▁ ab b = -9 over ▁a b b = -9.5 and ▁a bb = -12.5
		{text: "aéüb", want: []int{6, 0, 4}},     // unknown neighbours are one
		{text: "a é", want: []int{6, 2, 0}},      //
		{text: "</s>a", want: []int{1, 6}},       // the mark is put before the rest
		{text: "a\u00A0b", want: []int{6, 0, 4}}, // only U+0020 is a space here
	}
	check(t, tok, tests)
	if got := tok.Decode([]int{2, 5, 2, 4, 6}); got != "ab b a" {
		t.Errorf("decoded %q", got)
	}
	// Byte fallback: unknown text becomes its bytes where all are pieces.
	model := with(layout["model"].(object), object{"byte_fallback": true})
	model["vocab"] = append(slices.Clone(model["vocab"].([]any)), []any{"<0xC3>", -50.0}, []any{"<0xA9>", -50.0})
	tok = parse(t, with(layout, object{"model": model}))
	check(t, tok, []expectation{
		{text: "aéb", want: []int{6, 9, 10, 4}},
		{text: "aüb", want: []int{6, 0, 4}}, // <0xBC> is not a piece
	})
}
