// Package model is a decoder transformer in GoMLX, written around the attention site.
//
// A model is opened from a Hugging Face directory (config.json, model.safetensors, tokenizer.json) with Load, or made
// anew with New, and runs on any backend of package backend:
//
//	m, err := model.Load("testdata/attune-tiny", model.Options{})
//	out, err := m.Forward(model.Prompts(ids), model.Want{Logits: true}, nil)
//	text, err := m.Generate(prompts, model.GenerateOptions{MaxTokens: 64}, nil)
//
// # The attention site
//
// An Experiment is handed every layer's attention while the graph is being built: query, key, value, scale, mask and positions
// as graph nodes (type Site). It may observe (Site.Emit a reduction computed on the device) or rewrite
// (Site.SetProbs). Without an experiment every layer takes the fused path where the backend has one; with one, only the
// layers whose probabilities it asks for pay. What was compiled for each layer is recorded: Result.Plan.
//
// # Shapes
//
// Hidden states are [batch, tokens, hidden], queries [batch, heads, queries, head_dim], keys and values
// [batch, kv_heads, keys, head_dim], attention probabilities [batch, heads, queries, keys]. Batches are padded on the right,
// so the causal mask alone keeps padding away from every real token.
//
// # Numerics
//
// Norms, rotary angles, scores, softmax and everything an experiment does are float32 whatever the weights' type.
package model
