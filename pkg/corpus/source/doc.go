// Package source reads items and rows: the published sets, one's own files, data sets of the hub.
//
// # Rows
//
// [Rows] reads CSV, JSON lines, parquet and files of @name: sections row by row; [Items] and [Texts] make items and texts of rows; [HubSet.Fetch]
// gets a data set of the hub. A row that cannot be used is a [corpus.RowError] with file, line and [corpus.ErrorKind]; [SkipBad] and [ReadAll] stop at it or
// set it aside and count it, as the caller chooses.
//
//	rows, err := source.Rows("own.csv")
//	items, report, err := source.ReadAll(source.Items(rows, source.Columns{Options: []string{"a", "b"}}), source.SetAside)
//	fmt.Print(report) // 98 good rows, 2 set aside (wrong label: 2), and where
//
// # Published sets
//
// [ReadSIQA], [ReadPIQA], [ReadMMLU] and [ReadGSM8K] read the files as they are published, [ReadJSONL] one's own items in the format that
// corpus/export writes, and [ReadAny] whichever set of items it finds. A malformed item is an error that names file and line.
//
// Sources: SIQA (arXiv 1904.09728), PIQA (arXiv 1911.11641), MMLU (arXiv 2009.03300), GSM8K (arXiv 2110.14168).
package source
