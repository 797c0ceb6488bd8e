// Package eval asks whether an intervention helps: multiple-choice tasks, scored by log-likelihood, every arm over the
// same examples, compared by paired statistics.
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
// An [Arm] is an intervention and an [Answer], the way in which examples are answered: by the log-likelihood of their [Choices], or after a computation as in
// package reason. [Compare] gives all arms the same examples, so they are paired by construction. Every arm is compared with the first one and, where it has one, with its control of equal size, over all examples and in
// each group ([Groups]); all of that is one family of package stats, whose [stats.Paired] says what each number is. Where examples share
// a passage ([Example].Cluster), errors are clustered. An [Interaction] says whether an arm changes one group more than the other.
//
// # Results
//
// With a store (package store), each [Outcome] is on disk as soon as it was computed, under everything that it depends on: weights,
// tokenizer, numerics and sources from [Options].Job, the template, the arm's plan and answer, and the example. A killed comparison continues
// where it stopped, arms that another comparison had are not computed again, and where everything is known no model is opened. A result does
// not depend on what else was asked (package engine), so the numbers are those of a run that was never interrupted.
//
// An example that does not fit into the model's context is refused, unless its arm says that it may be cut: it is named in
// [Comparison].Refused and left out in all arms.
package eval
