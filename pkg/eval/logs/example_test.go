package logs_test

import (
	"fmt"
	"log"

	"github.com/attune-lab/attune/pkg/eval/logs"
)

// Two runs of the harness on the same six items, compared without a model.
func ExampleCompare() {
	a, err := logs.Read("testdata/lm_eval/a/samples_tiny_piqa_2026-11-29T00-00-00.000000.jsonl", logs.Options{})
	if err != nil {
		log.Fatal(err)
	}
	b, err := logs.Read("testdata/lm_eval/b/samples_tiny_piqa_2026-11-29T00-00-00.000000.jsonl", logs.Options{})
	if err != nil {
		log.Fatal(err)
	}
	c, err := logs.Compare(a, b, 0)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d pairs, %d flipped right, %d flipped wrong, p = %.2f: %s\n", c.N, c.Gained, c.Lost, c.Exact, c.Word(c.Margin))
	// Output: 6 pairs, 2 flipped right, 2 flipped wrong, p = 1.00: not shown
}
