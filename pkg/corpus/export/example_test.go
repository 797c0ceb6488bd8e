package export_test

import (
	"fmt"
	"log"
	"os"

	"github.com/attune-lab/attune/pkg/corpus"
	"github.com/attune-lab/attune/pkg/corpus/export"
)

func ExampleWriteJSONL() {
	items := []corpus.Item{{ID: "1", Domain: "mine", Question: "What is 2 plus 2?", Options: []string{"4", "5"}, Answer: 0, Source: "mine.csv:2"}}
	if err := export.WriteJSONL(os.Stdout, items); err != nil {
		log.Fatal(err)
	}
	set := export.Set{Name: "mine", About: "A sum.", Licence: "CC0-1.0", Splits: []export.Split{{Name: "test", Items: items}}}
	card, err := set.Card()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(card.Splits[0].Items, "item, answers", card.Splits[0].Answers)
	// Output:
	// {"id":"1","domain":"mine","stem":false,"question":"What is 2 plus 2?","options":["4","5"],"answer":"A","analysis":"","source":"mine.csv:2"}
	// 1 item, answers [1 0]
}
