// Package train pre-trains a model of package model on documents, with GoMLX's trainer and loop.
//
// What GoMLX leaves to its user is here: AdamW with decoupled weight decay on matrices only and clipping by the global gradient norm
// (Loshchilov and Hutter 2019; Pascanu et al. 2013), a learning rate with linear warm-up and cosine decay, and batches of
// documents of similar length, one document per row, whose loss counts real tokens only. The order of the documents depends on the seed
// alone, so a run on the Go backend can be repeated bit for bit; a GPU adds gradients in an order of its own.
//
// # Packing
//
// Padding is wasted work, and documents of one length are no random sample. So documents are also packed: [Pack] lays several into each row by best-fit
// decreasing, with positions that count from 0 in each document and a segment number for each. With the mask
//
//	query i sees key j  <=>  j <= i  and  segment(i) = segment(j)
//
// the loss of every token is that of its document alone. [Feed] packs a [Source] window by window, in memory or from disk, in an order that follows
// from seed and place, and goes on from any [FeedState]. [Encoder] gives each token its weight in the loss by the sections of a
// [github.com/attune-lab/attune/pkg/corpus.Mask].
package train
