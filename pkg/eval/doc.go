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
// and the prediction the choice of largest score. `acc` is the share of right predictions; `acc_norm` divides s(c) by the number of
// characters of c first. A tie is broken by the example's hash; where all choices tie, nothing was answered: it counts as guessing (1/k)
// and leaves paired tests ([Judge]). A score's name carries the hash of its template, "siqa@0c46ba0e/acc", because tasks of one public
// name with different prompts are not comparable.
//
// # Comparison
//
// [Compare] runs all [Arm] values in one process. Batches are fixed before anything is scored, so the arms are paired by
// construction. Every arm is compared with the first one and, where it has one, with its control of equal size, over all examples and in
// each group ([Groups]); all of that is one family of package stats, whose [stats.Paired] says what each number is. Where examples share
// a passage ([Example].Cluster), errors are clustered. An [Interaction] says whether an arm changes one group more than the other.
//
// # Journal
//
// With a journal, each result is on disk soon after it was computed, under a key of everything it depends on: the
// provenance that the caller gives (weights, tokenizer, backend, dtype, ...), the arm's spec, the task, its template, the
// example, and the batch it was computed in. A killed comparison goes on where it stopped. A batch that is not
// complete is scored again as a whole, because padding makes a score depend on its batch in the last digits: so the numbers
// are those of the run that was never interrupted.
package eval
