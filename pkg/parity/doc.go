// Package parity compares a model with tensors that another implementation computed on the same weights.
//
// A reference is a safetensors file with `input_ids` [batch, tokens] and any of these, <l> a layer, <m> an intervention (see
// Interventions):
//
//	logits, logits.<m>      float [batch, tokens, vocab]            largest absolute difference
//	attentions.<l>          float [batch, heads, tokens, tokens]    largest absolute difference
//	sink.alpha              float [layers, batch, heads, tokens]    largest absolute difference
//	sink.rate               float [tokens], eps 0.3                 largest absolute difference
//	greedy, greedy.<m>      int [1, tokens+new]: the first row's tokens and their greedy continuation; share of new tokens that are equal
//
// A model without a reference has [Self]: what must hold of any.
//
// Parity is the specification: no figure about a model family counts before these numbers are right.
package parity
