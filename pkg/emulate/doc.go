// Package emulate changes attention by rule, without training: the emulation layer, in which the deeper layers of a transformer emulate the
// attention pattern of its first layer (arXiv 2403.14932, "Extending Token Computation for LLM Reasoning"), its variants and controls, and
// published neighbours.
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
// # Interventions are data
//
// A Spec is a plain struct whose zero value is off, which round-trips through JSON, has a stable hash and means the same on every backend, in
// prefill and in decoding. What the paper prints, what its released code does and what its first release did are three methods, each a
// preset: Released, Literal, FirstRelease. The fields vary each part of the formula: where the mask comes from (Source, Pairing), its threshold
// (Tau, PerKey, TopK, Quantile), what stays out of it (Diagonal, Exclude...), the gain over depth (Schedule, Last, Gains), where it acts
// (Layers, Heads, LayerHeads, Phase) and what becomes of the rows (Renormalise). Controls make the same change without the pattern: Uniform,
// Random, Local, Suppress. ACT, ZeroTuning and PASTA are neighbours behind the same struct. A Plan is several Specs in order.
//
// # Causality and decoding
//
// A row of a mask depends on the row's own query and on the keys up to it, never on later tokens, so decoding with a cache equals recomputing the
// whole sequence. The exceptions are the masks of received attention, MaskSinks and MaskRunningSinks, which need the attention of other
// queries than the row's own: they exist in prefill only, and Validate refuses them elsewhere. MaskSinks, the published form, also
// looks at queries after the row's own.
//
// A source later than layer 0 changes only the layers after it: Validate refuses earlier ones. Where layers see different keys, as in models
// with sliding windows, an entry is changed if the source marks it and the layer sees it. "Row" renormalisation divides by the sum over the real
// keys, so that a learned sink's share goes to them; "rest" and "keep-diagonal" keep each row's own sum.
//
// # Execution
//
// The package is data: nothing here knows a model or a graph. Package apply makes the experiment that carries a Spec or a Plan out.
package emulate
