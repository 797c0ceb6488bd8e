package reason_test

import (
	"context"
	"fmt"
	"log"

	"github.com/attune-lab/attune/pkg/corpus/generate"
	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/eval"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/reason"
)

// The same examples answered at once and after at most 12 tokens of reasoning: what each way costs in tokens.
func ExampleLedger() {
	m, err := model.Load("../../testdata/attune-tiny", model.Options{})
	if err != nil {
		log.Fatal(err)
	}
	task, err := eval.LoadTask("generated:easy", 0, eval.TaskOptions{Corpus: generate.Options{HeldOut: 2}})
	if err != nil {
		log.Fatal(err)
	}
	arms := []eval.Arm{
		{Name: "direct", Answer: reason.Arm{Kind: reason.Direct}},
		{Name: "cot", Answer: reason.Arm{Kind: reason.CoT, Budget: 12}},
	}
	comparison, err := eval.Compare(context.Background(), task, arms, eval.Options{Runner: func() (*engine.Runner, error) { return engine.New(m, engine.Options{}), nil }})
	if err != nil {
		log.Fatal(err)
	}
	for i, arm := range arms {
		entries, err := reason.Ledger(comparison, i)
		if err != nil {
			log.Fatal(err)
		}
		use := reason.Sum(entries)
		fmt.Printf("%s: reasoning within the budget: %v, more than none: %v\n", arm.Answer.Name(), use.Reasoning <= 12, use.Reasoning > 0)
	}
	// Output:
	// direct: reasoning within the budget: true, more than none: false
	// cot 12: reasoning within the budget: true, more than none: true
}
