// Package source reads items and rows: the published sets, your own files, data sets of the hub.
//
// # Sets
//
// [Open] reads whatever a reference names, and recognises what it is:
//
//	set, err := source.Open(ctx, "own.csv", source.Options{Columns: "answer=label,options=a b c d,form=0"})
//
// [ReadSIQA], [ReadPIQA], [ReadMMLU] and [ReadGSM8K] read directories as they were published. Rows of those sets, of ARC, HellaSwag and BIG-Bench Hard in
// other files, such as the hub's, are known by their fields; of any other file [Columns] says which fields make an item.
//
// # Rows
//
// [Rows] reads a file row by row; [Items] makes items of rows. A row that cannot be used is a [corpus.RowError] with file, line and
// [corpus.ErrorKind]; [SkipBad] and [ReadAll] stop at it or set it aside and count it, as the caller chooses.
//
//	rows, err := source.Rows("own.csv")
//	items, report, err := source.ReadAll(source.Items(rows, source.Columns{Options: []string{"a", "b"}}), source.SetAside)
//	fmt.Print(report) // 98 good rows, 2 set aside (wrong label: 2), and where
//
// # Files as people have them
//
// Text is UTF-8, with or without a byte order mark; other encodings, packed files, pipes and devices are refused by name. Nothing is replaced or dropped in
// silence: bytes that are no UTF-8, half a surrogate pair, a name that is there twice, a null among options are errors of their row.
//
//   - CSV is RFC 4180. Lines end in LF, CR LF or CR; a line end inside quotes stays as it is. Where the header has no comma but semicolons or tabs, these
//     separate.
//   - JSON lines is RFC 7493 (no name twice, no NaN), an object for each line that is not blank. Only LF ends a line.
//   - Parquet is what pyarrow and others write: lists, structs and lists of structs, dictionaries, decimals, times. All sizes that a file
//     announces are compared with its own before anything is allocated.
//
// A row has at most 8 MiB.
//
// Sources: SIQA (arXiv 1904.09728), PIQA (arXiv 1911.11641), MMLU (arXiv 2009.03300), GSM8K (arXiv 2110.14168), ARC (arXiv 1803.05457), HellaSwag
// (arXiv 1905.07830), BIG-Bench Hard (arXiv 2210.09261).
package source
