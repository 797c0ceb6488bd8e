// Package eval asks whether an intervention helps: multiple-choice tasks, scored by log-likelihood, every arm over the
// same examples in the same batches, compared by paired statistics.
//
// # Tasks
//
// [LoadTask] turns a set of items into examples: a prompt and one continuation per choice, by a [Template] that is data.
// The score of a choice is the sum of the log-probabilities of its tokens after the prompt,
//
//	s(c) = sum_t log p(c_t | prompt, c_<t)
//
// and the prediction the choice of largest score, the first among equals. `acc` is the share of right predictions;
// `acc_norm` divides s(c) by the number of characters of c first. A score's name carries the hash of its template,
// "siqa@0c46ba0e/acc", because tasks of one public name with different prompts are not comparable.
//
// # Comparison
//
// [Compare] runs all [Arm] values in one process. Batches are fixed before anything is scored, so the arms are paired by
// construction. With n items, b gained (only the arm is right) and c lost (only the baseline is right):
//
//	difference              (b - c) / n
//	its 95 % interval       percentile bootstrap over items        [PairedBootstrap]
//	p                       McNemar's exact test, two-sided        [McNemarExact]
//	adjusted p              Holm, over all arms and groups         [Holm]
//	could have been shown   n and an assumed share of flips        [MinimumDetectable]
//	accuracy's interval     Wilson's score interval                [Wilson]
//	against guessing        exact binomial tail, one-sided         [AboveChance]
//
// Each formula and its source is in the file that carries its name.
//
// # Journal
//
// With a journal, each result is on disk soon after it was computed, under a key of everything it depends on: the
// provenance that the caller gives (weights, tokenizer, backend, dtype, ...), the arm's spec, the task, its template, the
// example, and the batch it was computed in. A killed comparison goes on where it stopped. A batch that is not
// complete is scored again as a whole, because padding makes a score depend on its batch in the last digits: so the numbers
// are those of the run that was never interrupted.
package eval
