// Package train trains the models of package model on documents: from scratch, all their weights or some of them, or an adapter (LoRA) beside frozen ones. [Run] is the
// one loop for all of it.
//
// # The step
//
// With weights w_t of the tokens to predict, from the sections that a loss mask counts, the loss of a step is the mean over all its batches
//
//	loss = sum_t w_t (LSE(logits_t) - logits_t[label_t]) / sum_t w_t      in nats, float32
//
// and [AdamW] changes the weights by its gradient, clipped to a global norm, at a learning rate that warms up linearly and falls as a cosine. Weights and
// moments are float32; the products may be bfloat16, cast inside the graph ("mixed precision", Micikevicius et al. 2018). Forward pass, gradient, clipping and update are one
// compiled graph, or with accumulation two. Where a loss or a gradient is not finite the step changes nothing and the run says which documents it saw.
//
// # Packing
//
// Padding is wasted work, and documents of one length are no random sample. So documents are packed: [Pack] lays several into each row by best-fit
// decreasing, with positions that count from 0 in each document and a segment number for each. With the mask
//
//	query i sees key j  <=>  j <= i  and  segment(i) = segment(j)
//
// the loss of every token is that of its document alone. [Feed] packs a [Source] window by window, in memory or from disk, in an order that follows
// from seed and place, and continues from any [FeedState]. Sources are put together by [Concat] and [Shots]. [Encoder] gives each token its weight in the loss by the sections of a
// [github.com/attune-lab/attune/pkg/corpus.Mask].
//
// # Runs that can be killed
//
// A run with a directory writes its weights, moments, step and place in the feed as one safetensors file, by a temporary file, fsync and rename, and continues from the newest. It
// refuses to continue as another run: with other settings, documents or frozen weights. On the Go backend a run that was killed ends with the same bits as one that was
// not; a GPU adds gradients in an order of its own. log.jsonl has a [Row] for every few steps: loss, learning rate, gradient norm, speed, model-FLOP utilisation ([FLOPs])
// and what [Probe]s measured, such as how much attention sinks.
package train
