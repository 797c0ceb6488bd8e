package eval_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"strings"

	"github.com/attune-lab/attune/pkg/corpus/generate"
	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/eval"
	"github.com/attune-lab/attune/pkg/model"
)

// overlap answers without a transformer: it likes short options, and those that the question mentions.
type overlap struct{ weight float64 }

func (m overlap) Name() string { return "overlap" }

func (m overlap) JSON() json.RawMessage { return fmt.Appendf(nil, `{"weight":%g}`, m.weight) }

func (m overlap) Run(_ context.Context, _ *engine.Runner, _ model.Experiment, xs []eval.Example, each func(int, eval.Outcome) error) error {
	for i, e := range xs {
		var o eval.Outcome
		question, options, _ := strings.Cut(e.Prompt, "\nOptions:\n")
		for _, option := range strings.Split(options, "\n")[:len(e.Choices)] {
			o.Scores = append(o.Scores, m.weight*float64(strings.Count(question, option[len("A. "):]))-0.01*float64(len(option)))
		}
		if err := each(i, o); err != nil {
			return err
		}
	}
	return nil
}

func ExampleCompare() {
	task, err := eval.LoadTask(eval.Generated, 0, eval.TaskOptions{Corpus: generate.Options{Domains: []string{"logic", "places"}, HeldOut: 400}})
	if err != nil {
		log.Fatal(err)
	}
	comparison, err := eval.Compare(context.Background(), task, []eval.Arm{
		{Name: "baseline", Answer: overlap{0}},
		{Name: "overlap", Answer: overlap{1}},
	}, eval.Options{Runner: func() (*engine.Runner, error) { return nil, nil }}) // a model's: engine.New(m, engine.Options{})
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
