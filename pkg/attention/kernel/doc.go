// Package kernel is attention on a GPU that no library's kernel computes, as flash attention (arXiv 2205.14135): one pass that never holds a row of probabilities.
// It has what models add, soft caps, windows, learned sinks and heads of 256, and what interventions do: a gain on the probabilities that a mask covers.
//
// With scores s, a row's probabilities p = softmax(s), and w the head's gain where the mask covers an entry and 1 elsewhere,
//
//	out[i] = sum_j p[i,j] w[i,j] v[j]                               rows as they come
//	out[i] = sum_j p[i,j] w[i,j] v[j] / sum_j p[i,j] w[i,j]         Gain.Normalise
//
// which is the emulation layer (arXiv 2403.14932): weights are applied tile by tile, between the exponential and the product with the values, and the row's sum
// leaves them out. Two runs of a library's kernel with a bias give the same (package emulate), at twice the work.
//
// The mask is read from a bit per entry, or found along the way: an entry is covered where the product of other queries and keys passes the row's limit, so that
// nothing is stored that grows with the square of the length.
//
// Statistics adds attention up instead, over queries, from the keys' side: what each key receives and what surveys ask of whole heads, with no probability formed.
//
// The kernels are written in Triton's intermediate representation (attention.mlir, statistics.mlir), which XLA compiles within the graph. They need an NVIDIA GPU, half precision and a
// plugin that understands this text; Available and StatisticsAvailable test each kind on a small
// case before anything relies on it.
//
// On an H200, bfloat16, 4,096 tokens, 32 heads of 128 (of 256), a pass takes, in ms (go test -bench Attention): cuDNN's plain attention 0.28 (it has none); this one
// plain 0.36 (0.87), with a gain from bits 0.48 (1.05), by limits 0.59 (1.87), with a soft cap 0.49 (0.97), with a window of 1,024 0.19 (0.40).
// Statistics over 8 heads of keys, of 64 (of 128): received attention 0.13 (0.18), with rows 0.15, everything beside a source 0.30.
package kernel
