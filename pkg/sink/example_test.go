package sink_test

import (
	"fmt"
	"log"

	"github.com/attune-lab/attune/pkg/hf/tokenizer"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/sink"
)

// Where does attention sink in one text? A rate is a share of heads; its threshold and length belong to it.
func ExampleRun() {
	m, err := model.Load("../../testdata/attune-tiny", model.Options{})
	if err != nil {
		log.Fatal(err)
	}
	const text = "Question: Ada is the mother of Ben. Ben is the father of Cora. What is Ada to Cora?\nOptions:\nA. aunt\nB. sister\nC. grandmother\nD. mother\nResponse:"
	survey, err := sink.Run(m, [][]int{m.Tokenizer.Encode(text)}, sink.Options{})
	if err != nil {
		log.Fatal(err)
	}
	rate, err := survey.SinkRate(0, sink.DefaultEps)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("sink rate of position 0, eps %.1f: %.1f %%\n", rate.Eps, 100*rate.Value)

	shares, err := survey.ByClass([][]tokenizer.Class{tokenizer.Classify(text, m.Tokenizer.Tokens(text, true))})
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range shares {
		fmt.Printf("%-13s %4.1f %% of tokens, %4.1f %% of attention\n", s.Class, 100*s.Tokens, 100*s.Attention)
	}
	// Output:
	// sink rate of position 0, eps 0.3: 2.5 %
	// special        2.0 % of tokens,  9.9 % of attention
	// whitespace    12.2 % of tokens,  4.7 % of attention
	// punctuation   20.4 % of tokens, 17.9 % of attention
	// digit          0.0 % of tokens,  0.0 % of attention
	// symbol         0.0 % of tokens,  0.0 % of attention
	// function word 20.4 % of tokens, 21.4 % of attention
	// content word  44.9 % of tokens, 46.1 % of attention
}
