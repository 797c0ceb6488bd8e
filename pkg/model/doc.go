// Package model is a decoder transformer in GoMLX, written around the attention site.
//
// A model is opened from a Hugging Face directory (config.json, safetensors weights in one file or several, tokenizer.json) or a GGUF file with Load, or made
// with New, and runs on any backend of package backend:
//
//	m, err := model.Load("testdata/attune-tiny", model.Options{})
//	out, err := m.Forward(model.Prompts(ids), model.Outputs{Logits: true}, nil)
//	g, err := m.Generate(prompts, model.GenerateOptions{MaxTokens: 64, Stop: []string{"\n\n"}}, nil)
//
// # Families
//
// Families lists the model types that are read. Each is described as data (type architecture): norms and where they stand, the layout and names of projections, the
// rotary embedding, window, soft cap and sinks of every layer, the MLP or experts. block.go runs any such description. The families stand together by
// kind: llama.go (llama, mistral, ministral3, qwen2, qwen3, olmo to olmo3, phi3, smollm3), llamalike.go (those with one or two things of their own: granite, cohere, glm, stablelm,
// starcoder2, exaone4 and others), gemma.go, gpt.go (gpt2, gpt_neo, gpt_neox, gptj, opt, phi, falcon) and gptoss.go (those with experts: gpt_oss, mixtral, qwen2_moe,
// qwen3_moe, olmoe).
//
// config.json is read as transformers' configuration class of the family reads it, in the spelling of its versions 4 or 5: defaults.json holds the classes' fields, other
// names and defaults. A field that the class does not have is not read; one that it has and that is not computed here is refused by name, unless nothing depends on
// it. Save writes config.json back as it was, with weights under the names that transformers gives them.
//
// A GGUF file of llama, qwen2, qwen3, gemma2, gemma3 or phi3 opens like a directory (package gguf); weights in mxfp4 (gpt_oss) and fp8 are dequantised on reading; LoadAdapter attaches an adapter as PEFT saves it.
//
// # The attention site
//
// An Experiment (package attention) is asked for every layer what happens at its attention: query, key, value, scale, mask and positions as graph nodes, the same for
// every family. It may observe (Site.Emit a reduction computed on the device) or rewrite (Site.Change, SetProbs). Without an experiment every layer takes the fused
// path where the backend has one; with one, only the layers whose probabilities it asks for pay. What was compiled for each layer is recorded: Result.Plan.
//
// A forward pass goes through a few executables that layers and experiments share (pass.go); Outputs.Whole makes it one graph, as decoding and training are.
//
// What an intervention means where attention is not plain:
//   - Window: a query sees its last w keys. What lies further back has probability 0 and is above no threshold, so an emulation mask A_0 > tau taken from a
//     windowed layer 0 holds recent keys only, and a gain on a key outside a later layer's window multiplies a zero.
//   - Learned sink (gpt_oss): probabilities are those of the softmax over real keys and the sink, the sink's column left out, so that rows sum to less than 1
//     and A_0 > tau compares the key's share of all, sink included. Renormalising divides by the sum over the real keys.
//   - Soft cap (gemma2): scores are capped before the mask and the softmax; attention.Site.Scores has the cap in.
//   - Norm after the attention (gemma2, gemma3_text, olmo2): a uniform gain on all of a row has no effect on the residual stream.
//
// # Generation
//
// A prefill, then a compiled loop of several tokens a call against a cache that stays on the device. Prompts of many lengths share graphs on XLA, where they are padded
// to buckets and the cache has room from the start; Generation.Compilations says how many were new. The probabilities of answer letters come from Forward
// with Outputs.Targets, which applies the output head at their places only. Batch.Trees puts sequences that begin alike into one row, which computes what they share once.
//
// # Shapes
//
// Hidden states are [batch, tokens, hidden], queries [batch, heads, queries, head_dim], keys and values
// [batch, kv_heads, keys, head_dim], attention probabilities [batch, heads, queries, keys]. Batches are padded on the right,
// so the causal mask alone keeps padding away from every real token.
//
// # Numerics
//
// Norms, rotary angles, scores, softmax and everything an experiment does are float32 whatever the weights' type. In families with experts the residual stream and what
// routers read are, too: which experts a token is sent to is a decision, and rounding on the way there would change it. Rounded are the inputs of the experts' own products
// and, in long prompts on a GPU, queries, keys and values (attention.Site).
//
// # Memory
//
// Weights are read from mapped files straight into the backend, one tensor at a time. A model larger than Options.MaxBytes, by default what the system
// has available, is refused before anything is allocated, with the size that would fit. Options.Devices cuts a model over several devices, each of which then has its pieces
// of the weights and caches, or with Options.Place some of the layers; results do not change but for the order of sums. On the Go backend weights of 64 MiB and more make the garbage collector run
// earlier than by default, unless GOGC is set.
package model
