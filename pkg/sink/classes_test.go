package sink_test

import (
	"math"
	"testing"

	"github.com/attune-lab/attune/pkg/hf/tokenizer"
	"github.com/attune-lab/attune/pkg/sink"
)

func TestClassSharesOfUniformAttention(t *testing.T) {
	const n = 30
	p := prompt(1, n)
	s, err := sink.Run(uniformModel(t), [][]int{p}, sink.Options{})
	if err != nil {
		t.Fatal(err)
	}
	classes := make([]tokenizer.Class, n)
	want := map[tokenizer.Class]float64{}
	for k := range classes {
		classes[k] = []tokenizer.Class{tokenizer.ContentWord, tokenizer.Punctuation, tokenizer.ContentWord}[k%3]
		if k == 0 {
			classes[k] = tokenizer.Special
		}
		for i := k; i < n; i++ { // every query spreads one unit over its i+1 keys
			want[classes[k]] += 1 / float64(i+1) / n
		}
	}
	shares, err := s.ByClass([][]tokenizer.Class{classes})
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
	if got := shares[tokenizer.Punctuation].Tokens; math.Abs(got-10.0/30) > 1e-12 {
		t.Errorf("punctuation is %g of the tokens, expected a third", got)
	}
	if _, err := s.ByClass([][]tokenizer.Class{classes[:5]}); err == nil {
		t.Error("too few classes are not refused")
	}
}
