package eval_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/attune-lab/attune/pkg/corpus/generate"
	"github.com/attune-lab/attune/pkg/eval"
)

// overlap is a model without a transformer: it likes short options, and those that the question mentions.
type overlap struct{ weight float64 }

func (m overlap) Score(_ context.Context, examples []eval.Example) ([][]float64, error) {
	scores := make([][]float64, len(examples))
	for i, e := range examples {
		question, options, _ := strings.Cut(e.Prompt, "\nOptions:\n")
		for _, option := range strings.Split(options, "\n")[:len(e.Choices)] {
			scores[i] = append(scores[i], m.weight*float64(strings.Count(question, option[len("A. "):]))-0.01*float64(len(option)))
		}
	}
	return scores, nil
}

func ExampleCompare() {
	task, err := eval.LoadTask(eval.Generated, 0, eval.TaskOptions{Corpus: generate.Options{Domains: []string{"logic", "places"}, HeldOut: 400}})
	if err != nil {
		log.Fatal(err)
	}
	comparison, err := eval.Compare(context.Background(), task, []eval.Arm{
		{Name: "baseline", SpecHash: "off", Scorer: overlap{0}},
		{Name: "overlap", SpecHash: "on", Scorer: overlap{1}},
	}, eval.CompareOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for _, arm := range []string{"baseline", "overlap"} {
		row, _ := comparison.Row(eval.Acc, eval.GroupAll, arm)
		fmt.Printf("%s: %.3f [%.3f, %.3f] of %d, at chance: %v\n", row.Arm, row.Accuracy, row.CI95.Low, row.CI95.High, row.N, row.AtChance())
		if v := row.Versus; v != nil {
			fmt.Printf("difference %+.3f [%+.3f, %+.3f], gained %d, lost %d, p below 0.001: %v\n",
				v.Difference, v.CI95.Low, v.CI95.High, v.Gained, v.Lost, v.Adjusted < 0.001)
		}
	}
	// Output:
	// baseline: 0.249 [0.210, 0.295] of 400, at chance: true
	// overlap: 0.357 [0.312, 0.406] of 400, at chance: false
	// difference +0.105 [+0.078, +0.141], gained 39, lost 0, p below 0.001: true
}
