// Package report holds what a result renders to: plain data that a notebook cell shows, that a note keeps and that the worker sends.
//
// A [Part] is one view of a result in the order in which a reader meets it: how it was measured, what was found, the numbers, tables, figures and
// samples of text. What has parts is a [Shower]. A [Number] is a row of results.json, whose names and JSON forms are a contract.
//
//	part := &report.Part{
//		Method:  "Share of heads whose mean attention on the first token exceeds 0.3, over 32 prompts of 64 tokens.",
//		Finding: "52.1 % of heads sink on the first token.",
//		Numbers: []report.Number{{Name: "sink_rate/0.3", Value: 0.521, Unit: "share", N: 32}},
//	}
//	err := report.Display(part) // in a notebook cell; nothing happens elsewhere
//
// [Text] and [Exact] write one value of a table, so that a number looks the same in a cell, in a note and in a terminal. [Clean] takes out of a
// model's text what would act on a terminal or reorder a page. The package knows neither models nor statistics, draws nothing and needs no kernel.
package report
