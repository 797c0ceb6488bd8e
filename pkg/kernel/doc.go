// Package kernel is attention on a GPU that no library's kernel computes: with a gain on the probabilities that a mask covers, in one pass.
//
// With scores s, a row's probabilities p = softmax(s), and w the head's gain where the mask covers an entry and 1 elsewhere,
//
//	out[i] = sum_j p[i,j] w[i,j] v[j]                               rows as they come
//	out[i] = sum_j p[i,j] w[i,j] v[j] / sum_j p[i,j] w[i,j]         Options.Normalise
//
// which is the emulation layer (arXiv 2403.14932) as flash attention (arXiv 2205.14135): the weights are applied tile by tile, between the exponential and the
// product with the values, and the row's sum leaves them out. Two runs of a library's kernel with a bias give the same (package emulate), at twice the work.
//
// The mask is read from a bit per entry, or found along the way: an entry is covered where the product of other queries and keys passes the row's limit, so that
// nothing is stored that grows with the square of the length.
//
// The kernel is written in Triton's intermediate representation, which XLA compiles within the graph. It needs an NVIDIA GPU, half precision and a plugin that
// understands this text; Available tries it on a small case before anything relies on it.
package kernel
