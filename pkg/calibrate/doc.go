// Package calibrate chooses the attention heads that an intervention acts on, on one part of a task's examples, and tests the choice on the rest.
//
// Three published interventions were proposed for chosen heads; they differ in rule and sign only:
//
//	act          sinks beyond the first one times 0.4, what is freed to the rest of the row (arXiv 2406.15765)
//	zero-tuning  the first token's attention times g or times 1/g, rows renormalised (arXiv 2505.11739)
//	pasta        the prompt outside its highlighted span times 0.01, rows renormalised (arXiv 2311.02262)
//
// Each head is tried alone on the choosing part. Its response is the mean change of a criterion, with p the probabilities of an example's choices
// (the softmax of their log-likelihoods) and a the right one:
//
//	score    log p[a] with the head changed - log p[a] without         (supervised, nats)
//	entropy  H(p) without - H(p) with the head changed                  (unsupervised: no answer is read; nats)
//
// The heads of largest positive response are chosen, at most as many as asked for. On the testing part the chosen heads together are compared with the
// untouched model and with as many random heads, the control of equal size, paired by example (package eval). The parts are split by content, so that
// neither duplicates nor examples that share a passage stand in both, and the testing part is not read before the choice is made.
//
// Heads are numbers that graphs take as inputs (package emulate/apply): trying all of them compiles as many graphs as trying one.
package calibrate
