package prepare_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/attune-lab/attune/pkg/corpus/prepare"
)

// A table with one question twice becomes a set of two items with a card.
func ExampleRun() {
	dir, err := os.MkdirTemp("", "prepare")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	table := filepath.Join(dir, "own.csv")
	rows := "question,a,b,answer\nWhat is the child of a mother to her?,uncle,child,b\nWhat is the child of a mother to her?,uncle,child,b\nWhich of these numbers is even?,seven,twelve,b\n"
	if err := os.WriteFile(table, []byte(rows), 0o644); err != nil {
		log.Fatal(err)
	}
	result, err := prepare.Run(context.Background(), prepare.Options{Items: table, Columns: "options=a b", Shares: "train=1"}, filepath.Join(dir, "set"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(result.Duplicates), "repeated")
	for _, split := range result.Set.Splits {
		fmt.Println(split.Name, len(split.Items))
	}
	// Output:
	// 1 repeated
	// train 2
}
