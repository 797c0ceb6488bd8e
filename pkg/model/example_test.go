package model_test

import (
	"fmt"
	"log"

	"github.com/attune-lab/attune/pkg/model"
)

// A checkpoint of a directory continues a prompt, greedily.
func ExampleModel_Generate() {
	m, err := model.Load("../../testdata/attune-tiny", model.Options{})
	if err != nil {
		log.Fatal(err)
	}
	prompt := m.Tokenizer.Encode("Question: Ada is the mother of Ben. Ben is the father of Cora. What is Ada to Cora?\nOptions:\nA. aunt\nB. sister\nC. grandmother\nD. mother\nAnalysis:")
	g, err := m.Generate([][]int{prompt}, model.GenerateOptions{MaxTokens: 24}, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%q\n", m.Tokenizer.Decode(g.Tokens[0]))
	// Output:
	// " A is wrong: an aunt is the sister of a parent. B is wrong: a sister is one step away and"
}

// How probable is each of two answers after a prompt? The output head is applied at their place only.
func ExampleModel_Forward() {
	m, err := model.Load("../../testdata/attune-tiny", model.Options{})
	if err != nil {
		log.Fatal(err)
	}
	prompt := m.Tokenizer.Encode("Question: Ada is the mother of Ben. What is Ben to Ada?\nOptions:\nA. uncle\nB. child\nResponse:")
	var targets []model.Target
	for _, answer := range []string{" A", " B"} {
		targets = append(targets, model.Target{Position: len(prompt) - 1, Token: m.Tokenizer.EncodePlain(answer)[0]})
	}
	result, err := m.Forward(model.Prompts(prompt), model.Outputs{Targets: model.Targets{targets}}, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("B is the more probable:", result.LogProbs[0][1] > result.LogProbs[0][0])
	// Output:
	// B is the more probable: true
}
