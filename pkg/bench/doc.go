// Package bench measures how fast a model runs, and what part of the machine that is.
//
// Two numbers bound every measurement. A decode step reads every weight once: tokens/s per sequence cannot pass memory bandwidth / bytes of the
// weights. A prefill does 2 * parameters * tokens operations and the attention's 2 * layers * heads * head_dim * tokens² (causal): its
// tokens/s cannot pass the matrix units' rate over that. Weights are random: speed does not depend on their values.
//
// Times are medians over repeats after a warm-up that compiles; decoding is the difference of a long and a short generation, so that the
// prefill and the call's fixed costs are not in it.
package bench
