// Package reason lets a model compute more before it answers, and counts what that costs.
//
// An [Arm] says how: at once, after reasoning, after reasoning that is forced on, after tokens that mean nothing, or by the majority of several reasonings. It is an
// [eval.Answer], carried out under an intervention or none, so that arms are compared there: over the same examples, with paired statistics and a store of results. The
// outcomes also keep for every example the tokens that were computed and what was reasoned, an arm's [Ledger]. The result is accuracy against computed tokens.
//
// An example's prompt ends in a line that asks for the answer, its cue: "Response:", "Answer:", "A:". Reasoning comes before it,
//
//	direct                         question, cue, answer
//	filler                         question, fillers, cue, answer
//	repeat                         question, question, cue, answer
//	cot, budget, self-consistency  question, "Analysis:", reasoning, cue, answer
//
// Fillers of as many tokens as another arm takes, item by item ([Arm].Like), are that arm's control of equal size: what the arm gains beyond them is not had from
// computing more alone.
//
// Reasoning ends where the model writes the cue itself, ends its text, or has used up its budget. The answer is then read like any other: the choice of largest
// log-likelihood after the cue. So every item has an answer, and what share of the reasoning came to an end by itself is reported beside the accuracy.
package reason
