// Package corpus holds structured multiple-choice items: how they read as text, and which of that text is trained on.
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
// # Templates and the loss mask
//
// A [Row] is a record of any source, its fields by name. A [Template] gives a row its sections, and a [Text] remembers where they lie. A [Mask]
// names the sections that a model is trained to write; [Mask.TokenWeights] turns it into a weight per token through the tokenizer's byte offsets,
// and [HTML] shows it.
//
// # The other rooms
//
// corpus/generate makes items, corpus/source reads them from files and from the hub, corpus/clean splits them and finds duplicates and
// contamination, corpus/export writes them with a card.
package corpus
