package source_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/attune-lab/attune/pkg/corpus/source"
)

func ExampleReadAll() {
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
	rows, err := source.Rows(path)
	if err != nil {
		log.Fatal(err)
	}
	items, report, err := source.ReadAll(source.Items(rows, source.Columns{Options: []string{"yes", "no"}}), source.SetAside)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(items), "item,", len(report.Bad), "set aside")
	bad := report.Bad[0]
	fmt.Printf("%s:%d: %s: %v\n", filepath.Base(bad.File), bad.Line, bad.Kind, bad.Err)
	// Output:
	// 1 item, 1 set aside
	// own.csv:3: wrong label: answer "no", expected a letter from A to B or the text of an option
}
