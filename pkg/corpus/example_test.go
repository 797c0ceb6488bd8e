package corpus_test

import (
	"fmt"
	"log"

	"github.com/attune-lab/attune/pkg/corpus"
)

func ExampleGenerate() {
	c, err := corpus.Generate(corpus.Options{Train: 100, HeldOut: 20, Domains: []string{"logic", "kinship"}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(c.Train[0].Text())
	fmt.Println("---")
	fmt.Println(c.HeldOut[1].Prompt())
	fmt.Println("---")
	for _, split := range c.Card.Splits {
		fmt.Println(split.Name, split.Items, "items")
	}
	// Output:
	// Question: Every cat is brown. Every fox is blue. Every frog is pink. Rosa is a fox. What colour is Rosa?
	// Options:
	// A. brown
	// B. pink
	// C. black
	// D. blue
	// Analysis: A is wrong: every cat is brown but Rosa is a fox. B is wrong: every frog is pink but Rosa is a fox. C is wrong: nothing here is black. D is right: Rosa is a fox and every fox is blue.
	// Response: D
	// ---
	// Question: Ida is the sister of Leo. Leo is the father of Nora. What is Ida to Nora?
	// Options:
	// A. grandmother
	// B. uncle
	// C. mother
	// D. aunt
	// Response:
	// ---
	// train 100 items
	// heldout 20 items
}
