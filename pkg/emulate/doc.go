// Package emulate lets the deeper layers of a transformer emulate the attention pattern of its first layer, without training
// (arXiv 2403.14932, "Extending Token Computation for LLM Reasoning").
//
// With A_l[h,i,j] the post-softmax attention of layer l, head h, query i and key j, and last = L-1:
//
//	M[h,i,j] = 1  if A_0[h,i,j] > tau and i != j, else 0
//	g_l      = 1 + alpha * (1 - l / last)
//	A_l[h,i,j] <- A_l[h,i,j] * g_l   where M[h,i,j] = 1,  l = 1 .. L-1
//
// Layer 0 is untouched, the factor of the last layer is exactly 1, and rows are not renormalised unless the Spec says so. In decoding the
// mask row of the new token is computed from layer 0 at every step. The mask is per query head, also with grouped queries.
// Mask, softmax and gain are float32 whatever the model's type.
//
// An intervention is data: a Spec is a plain struct whose zero value is off, which round-trips through JSON, has a stable hash and
// means the same on every backend, in prefill and in decoding. What the paper prints, what its released code does and what its first release did
// are three methods, each a preset: Released, Literal, FirstRelease.
package emulate
