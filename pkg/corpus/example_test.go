package corpus_test

import (
	"fmt"
	"log"

	"github.com/attune-lab/attune/pkg/corpus"
)

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
