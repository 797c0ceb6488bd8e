package calibrate_test

import (
	"context"
	"fmt"
	"log"

	"github.com/attune-lab/attune/pkg/calibrate"
	"github.com/attune-lab/attune/pkg/corpus/generate"
	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/eval"
	"github.com/attune-lab/attune/pkg/model"
)

// Two heads of layer 3 are chosen on a part of six questions and tested on the rest.
func ExampleRun() {
	m, err := model.Load("../../testdata/attune-tiny", model.Options{})
	if err != nil {
		log.Fatal(err)
	}
	runner := engine.New(m, engine.Options{})
	task, err := eval.LoadTask("generated:easy", 0, eval.TaskOptions{Corpus: generate.Options{HeldOut: 6}})
	if err != nil {
		log.Fatal(err)
	}
	c, err := calibrate.Run(context.Background(), task, calibrate.Options{Method: calibrate.ZeroTuning, Heads: 2, Layers: []int{3}, Draws: 1, Seed: 1,
		Eval: eval.Options{Runner: func() (*engine.Runner, error) { return runner, nil }}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("heads tried:", len(c.Profiles[0].Responses), "gains:", len(c.Profiles), "chosen:", len(c.Chosen))
	fmt.Println("examples to choose on and to test on:", c.Choosing+c.Testing)
	// Output:
	// heads tried: 10 gains: 2 chosen: 2
	// examples to choose on and to test on: 6
}
