package clean_test

import (
	"fmt"
	"log"
	"slices"

	"github.com/attune-lab/attune/pkg/corpus/clean"
)

func ExampleDuplicates() {
	found, err := clean.Duplicates([]string{"The cat sat on the mat.", "A dog barked.", "the cat sat, on the mat"}, clean.NearOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for _, d := range found {
		fmt.Printf("text %d repeats text %d, exactly: %v\n", d.Index, d.Of, d.Exact)
	}
	// Output:
	// text 2 repeats text 0, exactly: true
}

func ExampleDecontaminate() {
	training := []clean.Named{{ID: "page 1", Text: "He said: which of these metals melts at room temperature on a hot summer day in Rome?"}}
	exam := map[string][]clean.Named{"exam": {{ID: "q1", Text: "Which of these metals melts at room temperature on a hot summer day in Rome?"}, {ID: "q2", Text: "What is 2 plus 2?"}}}
	fmt.Print(clean.Decontaminate(slices.Values(training), exam))
	// Output:
	// 1 training texts against 1 sets, 13 words in a row:
	// exam: 1 of 2 items found, 1 too short to judge
	// exam: q1 is in page 1: "which of these metals melts at room temperature on a hot summer day"
}
