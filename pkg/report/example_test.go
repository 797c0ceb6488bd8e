package report_test

import (
	"fmt"

	"github.com/attune-lab/attune/pkg/report"
)

// A view of a result: a notebook cell shows it, a note keeps it.
func ExamplePart() {
	part := &report.Part{
		Method:  "Share of heads whose mean attention on the first token exceeds 0.3, over 32 prompts of 64 tokens.",
		Finding: "52.1 % of heads sink on the first token.",
		Numbers: []report.Number{{Name: "sink_rate/0.3", Value: 0.5208333, Unit: "share", N: 32}},
		Tables:  []report.Table{{Name: "rates", Title: "Sink rate", Columns: []string{"threshold", "share"}, Rows: [][]any{{0.3, 0.5208333}}}},
	}
	if err := report.Display(part); err != nil { // in a notebook cell; nothing happens elsewhere
		fmt.Println(err)
	}
	table, err := part.Tables[0].CSV()
	fmt.Print(report.Text(part.Numbers[0].Value), "\n", string(table), err)
	// Output:
	// 0.5208
	// threshold,share
	// 0.3,0.5208333
	// <nil>
}
