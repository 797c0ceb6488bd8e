package corpus_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

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

func ExampleGenerate_graded() {
	c, err := corpus.Generate(corpus.Options{Train: 1, HeldOut: -1, Domains: []string{"arithmetic"}, Grades: []corpus.Grade{corpus.Hard}})
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

func ExampleTemplate() {
	template, err := corpus.ParseTemplate("@Case: {case}\n@Finding: {finding}\n@Code?: {code}\n")
	if err != nil {
		log.Fatal(err)
	}
	text, err := template.Render(corpus.Row{Text: map[string]string{"case": "cough, fever", "finding": "a cold"}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(text.Text)
	mask := corpus.Mask{Sections: []string{"Finding"}}
	for _, r := range mask.Regions(text) {
		fmt.Printf("%g %q\n", r.Weight, text.Text[r.Start:r.End])
	}
	// Output:
	// @Case: cough, fever
	// @Finding: a cold
	// 0 "@Case: cough, fever\n@Finding:"
	// 1 " a cold\n"
}

func ExampleCollect() {
	dir, err := os.MkdirTemp("", "corpus")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "own.csv")
	table := "question,yes,no,answer\nIs 2 even?,it is,it is not,A\nIs 3 even?,it is,it is not,no\n"
	if err := os.WriteFile(path, []byte(table), 0o644); err != nil {
		log.Fatal(err)
	}
	rows, err := corpus.Rows(path)
	if err != nil {
		log.Fatal(err)
	}
	items, tally, err := corpus.Collect(corpus.Items(rows, corpus.Columns{Options: []string{"yes", "no"}}), corpus.SetAside)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(items), "item,", len(tally.Bad), "set aside")
	bad := tally.Bad[0]
	fmt.Printf("%s:%d: %s: %v\n", filepath.Base(bad.File), bad.Line, bad.Fault, bad.Err)
	// Output:
	// 1 item, 1 set aside
	// own.csv:3: wrong label: answer "no", expected a letter from A to B
}
