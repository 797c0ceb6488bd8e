package bench_test

import (
	"fmt"
	"log"

	"github.com/attune-lab/attune/pkg/bench"
	"github.com/attune-lab/attune/pkg/model"
)

// Published dimensions by name, for weights that are random.
func ExampleConfig() {
	c, err := bench.Config("llama-2-7b")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d layers, hidden size %d, %d heads of %d: %.2f billion parameters\n", c.Layers, c.HiddenSize, c.Heads, c.HeadDim, float64(c.NumParameters())/1e9)
	// Output:
	// 32 layers, hidden size 4096, 32 heads of 128: 6.74 billion parameters
}

// The speed of a forward pass: the median of so many repeats, after one that compiles.
func ExamplePrefill() {
	m, err := model.Load("../../testdata/attune-tiny", model.Options{})
	if err != nil {
		log.Fatal(err)
	}
	rate, err := bench.Prefill(m, 32, 3, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(rate.Seconds), "repeats, tokens per second above 0:", rate.TokensPerSecond > 0)
	// Output:
	// 3 repeats, tokens per second above 0: true
}
