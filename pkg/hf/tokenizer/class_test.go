package tokenizer_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/hf/tokenizer"
)

// cut makes tokens of a text at the given separators, the first a BOS that covers no text.
func cut(pieces ...string) (string, []tokenizer.Token) {
	text := strings.Join(pieces, "")
	tokens := []tokenizer.Token{{ID: 1, Text: "<s>", Special: true}}
	at := 0
	for _, p := range pieces {
		tokens = append(tokens, tokenizer.Token{Start: at, End: at + len(p), Text: p})
		at += len(p)
	}
	return text, tokens
}

func TestClassify(t *testing.T) {
	for piece, want := range map[string]tokenizer.Class{
		" the": tokenizer.FunctionWord, "The": tokenizer.FunctionWord, " cat": tokenizer.ContentWord, ",": tokenizer.Punctuation, " (": tokenizer.Punctuation, "\n\n": tokenizer.Whitespace, " ": tokenizer.Whitespace,
		" 42": tokenizer.Digit, "+": tokenizer.Symbol, " €": tokenizer.Symbol, "don't": tokenizer.FunctionWord, "naïve": tokenizer.ContentWord, "B": tokenizer.ContentWord, "4th": tokenizer.ContentWord, ".\"": tokenizer.Punctuation,
	} {
		text, tokens := cut(piece)
		if got := tokenizer.Classify(text, tokens); got[0] != tokenizer.Special || got[1] != want {
			t.Errorf("%q is %v, expected [special %v]", piece, got, want)
		}
	}
}

func TestPiecesOfAWordHaveItsClass(t *testing.T) {
	text, tokens := cut("be", "cau", "se", " c", "an", "dle", "s", ".")
	want := []tokenizer.Class{tokenizer.Special, tokenizer.FunctionWord, tokenizer.FunctionWord, tokenizer.FunctionWord, tokenizer.ContentWord, tokenizer.ContentWord, tokenizer.ContentWord, tokenizer.ContentWord, tokenizer.Punctuation}
	for i, got := range tokenizer.Classify(text, tokens) {
		if got != want[i] {
			t.Errorf("%q is %v, expected %v", tokens[i].Text, got, want[i])
		}
	}
}

func TestAPieceInsideAWordIsNoFunctionWord(t *testing.T) {
	text, tokens := cut("t", "he", "ory", " and", " he", " said", " so")
	want := []tokenizer.Class{tokenizer.Special, tokenizer.ContentWord, tokenizer.ContentWord, tokenizer.ContentWord, tokenizer.FunctionWord, tokenizer.FunctionWord, tokenizer.ContentWord, tokenizer.FunctionWord}
	if got := tokenizer.Classify(text, tokens); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestASplitCharacterHasItsClassOnAllItsBytes(t *testing.T) {
	for char, want := range map[string]tokenizer.Class{"é": tokenizer.ContentWord, "中": tokenizer.ContentWord, "“": tokenizer.Punctuation, "—": tokenizer.Punctuation, "🦙": tokenizer.Symbol, "٣": tokenizer.Digit, "\u3000": tokenizer.Whitespace} {
		var pieces []string
		for i := range len(char) {
			pieces = append(pieces, char[i:i+1])
		}
		text, tokens := cut(pieces...)
		for i, got := range tokenizer.Classify(text, tokens)[1:] {
			if got != want {
				t.Errorf("byte %d of %q is %v, expected %v", i, char, got, want)
			}
		}
	}
}

func TestTypographicMarksArePunctuationAndApostrophesBelongToTheirWord(t *testing.T) {
	for piece, want := range map[string]tokenizer.Class{"‘": tokenizer.Punctuation, "’": tokenizer.Punctuation, " “": tokenizer.Punctuation, "”": tokenizer.Punctuation, " –": tokenizer.Punctuation, "—": tokenizer.Punctuation, "…": tokenizer.Punctuation, "«": tokenizer.Punctuation,
		"don’t": tokenizer.FunctionWord, "I’ll": tokenizer.FunctionWord, "‘the’": tokenizer.FunctionWord, "dog’s": tokenizer.ContentWord} {
		text, tokens := cut(piece)
		if got := tokenizer.Classify(text, tokens)[1]; got != want {
			t.Errorf("%q is %v, expected %v", piece, got, want)
		}
	}
}

func TestALoneSentencePieceMarkIsWhitespace(t *testing.T) {
	tok := parse(t, llama2())
	text := "  a"
	tokens := tok.Tokens(text, true)
	classes := tokenizer.Classify(text, tokens)
	if len(tokens) < 3 || classes[0] != tokenizer.Special {
		t.Fatalf("tokens are %+v", tokens)
	}
	for i, token := range tokens[1 : len(tokens)-1] {
		if strings.Trim(tok.Piece(token.ID), "▁") == "" && classes[1+i] != tokenizer.Whitespace {
			t.Errorf("%q is %v, expected whitespace", tok.Piece(token.ID), classes[1+i])
		}
	}
}

func TestVocabularyClassesKnowWordBeginnings(t *testing.T) {
	layout := llama2()
	model := layout["model"].(object)
	vocab := object{}
	for i, piece := range []string{"<unk>", "<s>", "</s>", "▁", "▁▁", "▁he", "he", "The", "the", "▁theory", ",", "“", "7", "<0xE2>", "<0x42>", "<0x0A>"} {
		vocab[piece] = i
	}
	layout["model"] = with(model, object{"vocab": vocab, "merges": []string{}})
	want := []tokenizer.Class{tokenizer.Special, tokenizer.Special, tokenizer.Special, tokenizer.Whitespace, tokenizer.Whitespace, tokenizer.FunctionWord, tokenizer.ContentWord, tokenizer.FunctionWord, tokenizer.ContentWord,
		tokenizer.ContentWord, tokenizer.Punctuation, tokenizer.Punctuation, tokenizer.Digit, tokenizer.Symbol, tokenizer.ContentWord, tokenizer.Whitespace}
	if got := parse(t, layout).VocabularyClasses(); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func ExampleClassify() {
	text := "The cat, 3!\n"
	tokens := []tokenizer.Token{{Special: true}, {Start: 0, End: 3}, {Start: 3, End: 7}, {Start: 7, End: 8}, {Start: 8, End: 10}, {Start: 10, End: 11}, {Start: 11, End: 12}}
	for i, c := range tokenizer.Classify(text, tokens) {
		fmt.Printf("%q %v\n", text[tokens[i].Start:tokens[i].End], c)
	}
	// Output:
	// "" special
	// "The" function word
	// " cat" content word
	// "," punctuation
	// " 3" digit
	// "!" punctuation
	// "\n" whitespace
}
