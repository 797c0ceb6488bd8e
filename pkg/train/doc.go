// Package train pre-trains a model of package model on documents, with GoMLX's trainer and loop.
//
// What GoMLX leaves to its user is here: AdamW with decoupled weight decay on matrices only and clipping by the global gradient norm
// (Loshchilov and Hutter 2019; Pascanu et al. 2013), a learning rate with linear warm-up and cosine decay, and batches of
// documents of similar length, one document per row, whose loss counts real tokens only. The order of the documents depends on the seed
// alone, so a run on the Go backend can be repeated bit for bit; a GPU adds gradients in an order of its own.
package train
