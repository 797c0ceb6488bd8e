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
// [Generate] makes as many items as asked from ten small domains, half of them STEM. A domain is a value with one
// method that draws a question; facts are stated in the question or come from small fixed tables, so that a model of
// a million parameters can learn them from scratch in minutes, and so that every answer is well defined.
//
// Item i of (domain, split) is a pure function of (seed, domain, split, i): its random stream is PCG seeded with the
// SHA-256 of those four. It does not depend on the machine, on the number of cores or on how many items are made.
//
// The two splits are disjoint by construction, for every pair of seeds: each draw names the combination it tests
// (operands, stated facts, word and options; see [Draft.Key]), a fixed hash puts one combination in [heldOutOneIn] into
// the held-out split, and a draw that belongs to the other split is drawn again. So held-out items are new
// combinations and not merely new orders of the options.
//
// # Published sets
//
// [ReadSIQA], [ReadPIQA] and [ReadMMLU] read the files as they are published, [ReadJSONL] one's own items in the format
// that [Corpus.Export] writes, and [ReadAny] whichever it finds. A malformed item is an error that names file and line.
//
// Sources: SIQA (arXiv 1904.09728), PIQA (arXiv 1911.11641), MMLU (arXiv 2009.03300).
package corpus
