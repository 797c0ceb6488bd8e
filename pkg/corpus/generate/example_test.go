package generate_test

import (
	"fmt"
	"log"

	"github.com/attune-lab/attune/pkg/corpus"
	"github.com/attune-lab/attune/pkg/corpus/generate"
)

func ExampleGenerate() {
	c, err := generate.Generate(generate.Options{Train: 100, HeldOut: 20, Domains: []string{"logic", "kinship"}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(c.Train[0].Text())
	fmt.Println("---")
	fmt.Println(c.HeldOut[1].Prompt())
	fmt.Println("---")
	fmt.Println("train", len(c.Train), "items")
	fmt.Println("heldout", len(c.HeldOut), "items")
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

func ExampleGenerate_graded() {
	c, err := generate.Generate(generate.Options{Train: 1, HeldOut: -1, Domains: []string{"arithmetic"}, Grades: []corpus.Grade{corpus.Hard}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(c.Train[0].Text())
	// Output:
	// Question: What is 27 plus 4 times 6?
	// Options:
	// A. 24
	// B. 41
	// C. 51
	// D. 50
	// Analysis: A is wrong: 24 leaves out the 27. B is wrong: 41 is 10 too few. C is right: 4 times 6 is 24 and 27 plus 24 is 51. D is wrong: 50 is 1 too few.
	// Response: C
}
