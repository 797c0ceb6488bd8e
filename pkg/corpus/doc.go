// Package corpus holds structured multiple-choice items: where they come from, how they read as text, and what is known about a set of them.
//
// # Items and sections
//
// An [Item] is a question with options, one of them right, and optionally an analysis that says of every option why
// it is right or wrong. As training text it has four sections, always in this order ([TextTemplate]):
//
//	Question: Every cat is blue. Every dog is red. Tom is a cat. What colour is Tom?
//	Options:
//	A. green
//	B. blue
//	C. red
//	D. white
//	Analysis: A is wrong: nothing here is green. B is right: Tom is a cat and every cat is blue. C is wrong: ...
//	Response: B
//
// [Item.Prompt] is the same text without the analysis, up to the point where the response has to be given; the
// log-likelihoods of " A" to " D" after it are the score of a model that answers at once.
//
// # The generator
//
// [Generate] makes as many items as asked from twelve small domains, half of them STEM. A domain is a value with one
// method that draws a question; facts are stated in the question or come from small fixed tables, so that a model of
// a million parameters can learn them from scratch in minutes, and so that every answer is well defined.
//
// With [Options.Grades] each domain draws at three grades, easy, medium and hard: roughly one step, two steps, and two steps with something in
// the way ([Graded]; each domain says what its grades are). A wrong option is then the result of a mistake, and the analysis names it: another
// operation, a step too many, the feeling of the other person. There are at least 480,000 distinct training items. Without grades the
// generator makes the items of its first edition, ten domains without grades, byte for byte: models were trained on them
// and are evaluated on their held-out split.
//
// Item i of (domain, grade, split) is a pure function of (seed, domain, grade, split, i): its random stream is PCG seeded with the
// SHA-256 of those. It does not depend on the machine, on the number of cores or on how many items are made.
//
// The two splits are disjoint by construction, for every pair of seeds: each draw names the combination it tests
// (operands, stated facts, word and options; see [Draft.Key]), a fixed hash puts one combination in [heldOutOneIn] into
// the held-out split, and a draw that belongs to the other split is drawn again. So held-out items are new
// combinations and not merely new orders of the options.
//
// # Other sources
//
// [Rows] reads CSV, JSON lines, parquet and files of @name: sections row by row; [Items] and [Texts] make items and texts of rows; [HubSet.Fetch]
// gets a data set of the hub. A row that cannot be used is a [BadRow] with file, line and [Fault]; [Sift] and [Collect] stop at it or set it aside
// and count it, as the caller chooses.
//
//	rows, err := corpus.Rows("own.csv")
//	items, tally, err := corpus.Collect(corpus.Items(rows, corpus.Columns{Options: []string{"a", "b"}}), corpus.SetAside)
//	fmt.Print(tally) // 98 good rows, 2 set aside (wrong label: 2), and where
//
// [OpenStream] is for sets that do not fit in memory: it checks every row once, keeps 16 bytes for each, and [Stream.Shuffled] reads them in an order
// that is computed and not stored, from any place on.
//
// # Templates and the loss mask
//
// A [Template] gives a row its sections, and a [Text] remembers where they lie. A [Mask] names the sections that a model is trained to write;
// [Mask.TokenWeights] turns it into a weight per token through the tokenizer's byte offsets, and [HTML] shows it.
//
// # Clean sets
//
// [Splitter] splits by the hash of the content, [Duplicates] finds exact and near repeats, [Decontaminate] reports evaluation items among training
// texts. [Corpus.ExportHub] writes a data set with its card as the hub has them.
//
// # Published sets
//
// [ReadSIQA], [ReadPIQA], [ReadMMLU] and [ReadGSM8K] read the files as they are published, [ReadJSONL] one's own items in the format
// that [Corpus.Export] writes, and [ReadAny] whichever set of items it finds. A malformed item is an error that names file and line.
//
// Sources: SIQA (arXiv 1904.09728), PIQA (arXiv 1911.11641), MMLU (arXiv 2009.03300), GSM8K (arXiv 2110.14168).
package corpus
