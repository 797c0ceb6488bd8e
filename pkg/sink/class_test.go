package sink_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/hf/tokenizer"
	"github.com/attune-lab/attune/pkg/sink"
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
	for piece, want := range map[string]sink.Class{
		" the": sink.FunctionWord, "The": sink.FunctionWord, " cat": sink.ContentWord, ",": sink.Punctuation, " (": sink.Punctuation, "\n\n": sink.Whitespace, " ": sink.Whitespace,
		" 42": sink.Digit, "+": sink.Symbol, " €": sink.Symbol, "don't": sink.FunctionWord, "naïve": sink.ContentWord, "B": sink.ContentWord, "4th": sink.ContentWord, ".\"": sink.Punctuation,
	} {
		text, tokens := cut(piece)
		if got := sink.Classify(text, tokens); got[0] != sink.Special || got[1] != want {
			t.Errorf("%q is %v, expected [special %v]", piece, got, want)
		}
	}
}

func TestPiecesOfAWordHaveItsClass(t *testing.T) {
	text, tokens := cut("be", "cau", "se", " c", "an", "dle", "s", ".")
	want := []sink.Class{sink.Special, sink.FunctionWord, sink.FunctionWord, sink.FunctionWord, sink.ContentWord, sink.ContentWord, sink.ContentWord, sink.ContentWord, sink.Punctuation}
	for i, got := range sink.Classify(text, tokens) {
		if got != want[i] {
			t.Errorf("%q is %v, expected %v", tokens[i].Text, got, want[i])
		}
	}
}

func TestClassSharesOfUniformAttention(t *testing.T) {
	const n = 30
	p := prompt(1, n)
	s, err := sink.Run(uniformModel(t), [][]int{p}, sink.Options{})
	if err != nil {
		t.Fatal(err)
	}
	classes := make([]sink.Class, n)
	want := map[sink.Class]float64{}
	for k := range classes {
		classes[k] = []sink.Class{sink.ContentWord, sink.Punctuation, sink.ContentWord}[k%3]
		if k == 0 {
			classes[k] = sink.Special
		}
		for i := k; i < n; i++ { // every query spreads one unit over its i+1 keys
			want[classes[k]] += 1 / float64(i+1) / n
		}
	}
	shares, err := s.ByClass([][]sink.Class{classes})
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, c := range shares {
		if math.Abs(c.Attention-want[c.Class]) > 1e-6 || math.Abs(c.PerLayer[1]-want[c.Class]) > 1e-6 || math.Abs(c.PerPrompt[0]-want[c.Class]) > 1e-6 {
			t.Errorf("%v receives %g (layer 1: %g), expected %g", c.Class, c.Attention, c.PerLayer[1], want[c.Class])
		}
		sum += c.Attention
	}
	if math.Abs(sum-1) > 1e-6 {
		t.Errorf("shares sum to %g", sum)
	}
	if got := shares[sink.Punctuation].Tokens; math.Abs(got-10.0/30) > 1e-12 {
		t.Errorf("punctuation is %g of the tokens, expected a third", got)
	}
	if _, err := s.ByClass([][]sink.Class{classes[:5]}); err == nil {
		t.Error("too few classes are not refused")
	}
}

func ExampleClassify() {
	text := "The cat, 3!\n"
	tokens := []tokenizer.Token{{Special: true}, {Start: 0, End: 3}, {Start: 3, End: 7}, {Start: 7, End: 8}, {Start: 8, End: 10}, {Start: 10, End: 11}, {Start: 11, End: 12}}
	for i, c := range sink.Classify(text, tokens) {
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
