package tokenizer_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
)

// characters is a byte-fallback layout whose every character is its own token: what the steps before the model do shows in the tokens.
func characters(changes object) object {
	layout := with(llama2(), object{"normalizer": nil, "post_processor": nil, "decoder": nil})
	model := with(layout["model"].(object), object{"merges": []string{}})
	vocab := with(model["vocab"].(object), nil)
	for i, char := range strings.Split("defghijklmnopqrstuvwxyzéßş .,-123ABi̇", "") {
		vocab[char] = 1000 + i
	}
	model["vocab"] = vocab
	return with(with(layout, object{"model": model}), changes)
}

// spell joins the pieces of a text with their offsets.
func spell(t *testing.T, layout object, text string) (pieces string, spans [][2]int) {
	t.Helper()
	tok := parse(t, layout)
	var all []string
	for _, token := range tok.Tokens(text, false) {
		all = append(all, tok.Piece(token.ID))
		spans = append(spans, [2]int{token.Start, token.End})
	}
	return strings.Join(all, "|"), spans
}

func TestNormalizersKeepOffsetsIntoTheOriginal(t *testing.T) {
	replace := func(kind, pattern, content string) object {
		return object{"type": "Replace", "pattern": object{kind: pattern}, "content": content}
	}
	form := func(name string) object { return object{"type": name} }
	for _, test := range []struct {
		name       string
		normalizer object
		text, want string
		spans      [][2]int
	}{
		{"composed", form("NFC"), "ae\u0301b", "a|é|b", [][2]int{{0, 1}, {1, 4}, {4, 5}}},
		{"already composed", form("NFC"), "aéb", "a|é|b", [][2]int{{0, 1}, {1, 3}, {3, 4}}},
		{"decomposed", form("NFD"), "é", "e|<0xCC>|<0x81>", [][2]int{{0, 2}, {0, 2}, {0, 2}}},
		{"compatible", form("NFKC"), "aﬁ½", "a|f|i|1|<0xE2>|<0x81>|<0x84>|2", [][2]int{{0, 1}, {1, 4}, {1, 4}, {4, 6}, {4, 6}, {4, 6}, {4, 6}, {4, 6}}},
		{"compatible, decomposed", form("NFKD"), "é", "e|<0xCC>|<0x81>", [][2]int{{0, 2}, {0, 2}, {0, 2}}},
		{"lower case", form("Lowercase"), "Aé", "a|é", [][2]int{{0, 1}, {1, 3}}},
		{"lower case of two characters", form("Lowercase"), "İx", "i|\u0307|x", [][2]int{{0, 2}, {0, 2}, {2, 3}}},
		{"prepended", object{"type": "Prepend", "prepend": "▁a"}, "b", "▁|a|b", [][2]int{{0, 0}, {0, 0}, {0, 1}}},
		{"replaced", replace("String", " ", "▁"), "a b", "a|▁|b", [][2]int{{0, 1}, {1, 2}, {2, 3}}},
		{"shortened", replace("Regex", " {2,}", "▁"), "a   b c", "a|▁|b| |c", [][2]int{{0, 1}, {1, 4}, {4, 5}, {5, 6}, {6, 7}}},
		{"removed", replace("String", "b", ""), "abbc", "a|c", [][2]int{{0, 1}, {3, 4}}},
		{"one after another", sequence("Sequence", "normalizers", form("NFD"), replace("String", "\u0301", ""), form("Lowercase"), object{"type": "Prepend", "prepend": "▁"}),
			"Éa", "▁|e|a", [][2]int{{0, 0}, {0, 2}, {2, 3}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			pieces, spans := spell(t, characters(object{"normalizer": test.normalizer}), test.text)
			if pieces != test.want {
				t.Errorf("pieces %s, want %s", pieces, test.want)
			}
			if len(spans) != len(test.spans) {
				t.Fatalf("offsets %v, want %v", spans, test.spans)
			}
			for i := range spans {
				if spans[i] != test.spans[i] {
					t.Errorf("offsets %v, want %v", spans, test.spans)
					break
				}
			}
		})
	}
	// A text of which nothing is left has no tokens, and nothing is put in front of it.
	if pieces, _ := spell(t, characters(object{"normalizer": sequence("Sequence", "normalizers", replace("String", "b", ""), object{"type": "Prepend", "prepend": "▁"})}), "bb"); pieces != "" {
		t.Errorf("pieces %q of nothing", pieces)
	}
}

func TestSplitBehaviors(t *testing.T) {
	// The model keeps a word of its own id whole: words show as tokens.
	layout := characters(nil)
	model := with(layout["model"].(object), object{"ignore_merges": true})
	vocab := with(model["vocab"].(object), nil)
	for i, word := range []string{"the", "-final", "final-", "--", "-", "countdown", "the-", "-countdown"} {
		vocab[word] = 2000 + i
	}
	vocab["f"] = 3000
	model["vocab"] = vocab
	split := func(behavior string, invert bool) object {
		return object{"model": model, "pre_tokenizer": object{"type": "Split", "pattern": object{"String": "-"}, "behavior": behavior, "invert": invert}}
	}
	for _, test := range []struct {
		behavior string
		invert   bool
		want     string
	}{
		{"Removed", false, "the|countdown"},
		{"Isolated", false, "the|-|-|countdown"},
		{"MergedWithPrevious", false, "the-|-|countdown"},
		{"MergedWithNext", false, "the|-|-countdown"},
		{"Contiguous", false, "the|--|countdown"},
		{"Removed", true, "-|-"},
		{"Isolated", true, "the|-|-|countdown"},
	} {
		if got, _ := spell(t, with(layout, split(test.behavior, test.invert)), "the--countdown"); got != test.want {
			t.Errorf("%s, invert %v: got %s, want %s", test.behavior, test.invert, got, test.want)
		}
	}
}

func TestDigitsAndWhitespaceSplit(t *testing.T) {
	layout := characters(nil)
	model := with(layout["model"].(object), object{"ignore_merges": true})
	vocab := with(model["vocab"].(object), object{"12": 2000, "a12": 2001, "ab": 2002})
	model["vocab"] = vocab
	for _, test := range []struct {
		name         string
		preTokenizer object
		text, want   string
	}{
		{"none", nil, "a12", "a12"},
		{"digits together", object{"type": "Digits", "individual_digits": false}, "a12", "a|12"},
		{"digits one by one", object{"type": "Digits", "individual_digits": true}, "a12", "a|1|2"},
		{"white space", object{"type": "WhitespaceSplit"}, "ab \n ab", "ab|ab"},
	} {
		if got, _ := spell(t, with(layout, object{"model": model, "pre_tokenizer": test.preTokenizer}), test.text); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}

func TestAddedTokens(t *testing.T) {
	layout := characters(object{
		"added_tokens": []any{
			addedToken(500, "<x>"), addedToken(501, "<x><x>"), addedToken(502, "<l>", "lstrip"), addedToken(503, "<r>", "rstrip"),
			addedToken(504, "um", "single_word"), addedToken(505, "É", "normalized"), addedToken(506, "Ö"),
		},
		"normalizer": object{"type": "Lowercase"},
	})
	for _, test := range []struct {
		name, text, want string
		spans            [][2]int
	}{
		{"the longest", "a<x><x><x>", "a|<x><x>|<x>", [][2]int{{0, 1}, {1, 7}, {7, 10}}},
		{"takes space before it", "a \n<l> b", "a|<l>| |b", [][2]int{{0, 1}, {1, 6}, {6, 7}, {7, 8}}},
		{"takes space after it", "a <r> \tb", "a| |<r>|b", [][2]int{{0, 1}, {1, 2}, {2, 7}, {7, 8}}},
		{"space that is taken already", "<r> <l>", "<r>|<l>", [][2]int{{0, 4}, {4, 7}}},
		{"a word of its own", "um, um", "um|,| |um", nil},
		{"not within a word", "umx xum umé", "u|m|x| |x|u|m| |u|m|É", nil},
		{"found in its normal form", "aÉé", "a|É|É", nil},
		{"found only as written", "Öö", "Ö|<0xC3>|<0xB6>", nil},
	} {
		pieces, spans := spell(t, layout, test.text)
		if pieces != test.want {
			t.Errorf("%s: %q gave %s, want %s", test.name, test.text, pieces, test.want)
			continue
		}
		for i := range test.spans {
			if spans[i] != test.spans[i] {
				t.Errorf("%s: offsets %v, want %v", test.name, spans, test.spans)
				break
			}
		}
	}
}

func TestByteLevelAddsAPrefixSpace(t *testing.T) {
	layout := llama3()
	layout["pre_tokenizer"] = object{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}
	check(t, parse(t, layout), []expectation{
		{text: "Hi Hi", want: []int{100, 12, 12}, spans: [][2]int{{0, 2}, {2, 5}}},
		{text: " Hi", want: []int{100, 12}},
	})
}

func TestDecodersWithoutAPlanOfTheirOwn(t *testing.T) {
	// No decoder at all joins by spaces, as published.
	if got := parse(t, characters(nil)).Decode([]int{260, 1, 261}); got != "a b" {
		t.Errorf("no decoder: %q", got)
	}
	// Gemma's: no Strip, so the leading space stays.
	layout := llama2()
	layout["decoder"] = sequence("Sequence", "decoders", object{"type": "Replace", "pattern": object{"String": "▁"}, "content": " "}, object{"type": "ByteFallback"}, object{"type": "Fuse"})
	if got := parse(t, layout).Decode([]int{262, byteID('!'), 264}); got != " a! ab" {
		t.Errorf("without Strip: %q", got)
	}
}

func TestOneTokenizerServesManyGoroutines(t *testing.T) {
	tok := parse(t, llama2())
	texts := []string{"ab a", "abc ab", "b\n🦙 é", strings.Repeat("ab abc ", 50)}
	var want [][]int
	for _, text := range texts {
		want = append(want, parse(t, llama2()).Encode(text))
	}
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for i := range 200 {
				k := (worker + i) % len(texts)
				if got := tok.Encode(texts[k]); !slices.Equal(got, want[k]) {
					t.Errorf("%q: got %v, want %v", texts[k], got, want[k])
					return
				}
			}
		})
	}
	group.Wait()
}
