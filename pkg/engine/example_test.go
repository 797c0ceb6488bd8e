package engine_test

import (
	"context"
	"fmt"
	"log"

	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/model"
)

// How probable is each of two answers after a prompt?
func ExampleRunner_Score() {
	m, err := model.Load("../../testdata/attune-tiny", model.Options{})
	if err != nil {
		log.Fatal(err)
	}
	prompt := m.Tokenizer.Encode("Question: Ada is the mother of Ben. What is Ben to Ada?\nOptions:\nA. uncle\nB. child\nResponse:")
	last := len(prompt) - 1
	var targets []model.Target
	for _, answer := range []string{" A", " B"} {
		targets = append(targets, model.Target{Position: last, Token: m.Tokenizer.EncodePlain(answer)[0]})
	}
	r := engine.New(m, engine.Options{})
	err = r.Score(context.Background(), []engine.Sequence{{Tokens: prompt, Targets: targets}}, nil, func(_ int, logProbs []float64) error {
		fmt.Println("B is the more probable:", logProbs[1] > logProbs[0])
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: B is the more probable: true
}
