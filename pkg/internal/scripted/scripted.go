// Package scripted makes small models whose weights are written by hand, so that a test knows what they answer: what they say does not come out of training but out of a
// few ones and zeros. They read text with the embedded model's tokenizer and are opened as any checkpoint is.
package scripted

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/attune-lab/attune/pkg/hf/safetensors"
	"github.com/attune-lab/attune/pkg/hf/tokenizer"
	"github.com/attune-lab/attune/pkg/model"
)

// weights of a checkpoint by name, with their shapes.
type weights map[string]struct {
	shape  []int
	values []float32
}

// add makes a tensor of zeros, to be written into.
func (w weights) add(name string, shape ...int) []float32 {
	n := 1
	for _, d := range shape {
		n *= d
	}
	values := make([]float32, n)
	w[name] = struct {
		shape  []int
		values []float32
	}{shape, values}
	return values
}

// ones makes a tensor of ones.
func (w weights) ones(name string, n int) {
	values := w.add(name, n)
	for i := range values {
		values[i] = 1
	}
}

// load writes a checkpoint beside the embedded model's tokenizer into a directory and opens it. root is the repository's.
func (w weights) load(dir, root, config string) (*model.Model, error) {
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o644); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(root, "testdata", "attune-tiny", "tokenizer.json"))
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "tokenizer.json"), text, 0o644); err != nil {
		return nil, err
	}
	var tensors []safetensors.Tensor
	for name, t := range w {
		tensors = append(tensors, safetensors.FromFloat32s(name, t.shape, t.values))
	}
	slices.SortFunc(tensors, func(a, b safetensors.Tensor) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	if err := safetensors.Write(filepath.Join(dir, "model.safetensors"), tensors, nil); err != nil {
		return nil, err
	}
	return model.Load(dir, model.Options{})
}

// Tokenizer is the one that the models read with.
func Tokenizer(root string) (*tokenizer.Tokenizer, error) {
	return tokenizer.Load(filepath.Join(root, "testdata", "attune-tiny"))
}

// gpt2 is one layer of GPT-2 that does nothing, of as many hidden dimensions as positions, and its configuration.
func gpt2(vocab, positions int) (weights, string) {
	w, h := weights{}, positions
	w.add("transformer.wte.weight", vocab, h)
	w.add("transformer.wpe.weight", positions, h)
	for _, norm := range []string{"transformer.h.0.ln_1", "transformer.h.0.ln_2", "transformer.ln_f"} {
		w.ones(norm+".weight", h)
		w.add(norm+".bias", h)
	}
	for name, shape := range map[string][2]int{"attn.c_attn": {h, 3 * h}, "attn.c_proj": {h, h}, "mlp.c_fc": {h, 4}, "mlp.c_proj": {4, h}} {
		w.add("transformer.h.0."+name+".weight", shape[0], shape[1])
		w.add("transformer.h.0."+name+".bias", shape[1])
	}
	return w, fmt.Sprintf(`{"model_type":"gpt2","architectures":["GPT2LMHeadModel"],"vocab_size":%d,"n_embd":%d,"n_layer":1,"n_head":1,"n_positions":%d,"n_inner":4,"bos_token_id":0,"eos_token_id":1,"tie_word_embeddings":true}`,
		vocab, h, positions)
}

// Writer makes a model of so many positions that says script[p] behind position p, whatever it has read, and behind every other position any token with equal
// probability. dir is where its checkpoint is written.
func Writer(dir, root string, positions int, script map[int]int) (*model.Model, error) {
	tok, err := Tokenizer(root)
	if err != nil {
		return nil, err
	}
	w, config := gpt2(tok.VocabSize(), positions)
	for p := range positions { // a position is a dimension, large beside the tokens
		w["transformer.wpe.weight"].values[p*positions+p] = 100
	}
	for p, id := range script {
		w["transformer.wte.weight"].values[id*positions+p] = 1
	}
	return w.load(dir, root, config)
}

// Constant makes a model whose logits are the same behind every token: those given, and 0 for all others.
func Constant(dir, root string, logits map[int]float32) (*model.Model, error) {
	tok, err := Tokenizer(root)
	if err != nil {
		return nil, err
	}
	const positions = 512
	w, config := gpt2(tok.VocabSize(), positions)
	clear(w["transformer.ln_f.weight"].values)
	w["transformer.ln_f.bias"].values[0] = 1
	for id, logit := range logits {
		w["transformer.wte.weight"].values[id*positions] = logit
	}
	return w.load(dir, root, config)
}

// Counting is what a [Counter] prefers: behind a text that ends in Cue, with f the share of Filler among its tokens and c that of Cue,
//
//	logit(Yes) - logit(No) = (2 f + 10 (1 + 2 c) - 20 (1 - f - c)) / rms
//
// which is positive where f is above about 0.4; behind any other token the second term is 20 c, and the difference negative up to f of about 0.8.
type Counting struct{ Filler, Cue, Yes, No int }

// Margin is the sign-giving part of that difference.
func (c Counting) Margin(tokens []int) float64 {
	n, fillers, cues := float64(len(tokens)), 0.0, 0.0
	for _, id := range tokens {
		switch id {
		case c.Filler:
			fillers++
		case c.Cue:
			cues++
		}
	}
	x := [3]float64{2 * fillers / n, 2 * (n - fillers - cues) / n, 2 * cues / n}
	switch tokens[len(tokens)-1] {
	case c.Filler:
		x[0]++
	case c.Cue:
		x[2]++
	default:
		x[1]++
	}
	return x[0] - 10*x[1] + 10*x[2]
}

// Counter makes a model that reads nothing but how many fillers stand in the text and whether the text ends in the cue, see [Counting]. Its attention is the mean over
// all tokens, of which each is one of three directions.
func Counter(dir, root string, c Counting) (*model.Model, error) {
	tok, err := Tokenizer(root)
	if err != nil {
		return nil, err
	}
	const hidden = 4
	vocab, w := tok.VocabSize(), weights{}
	embed := w.add("model.embed_tokens.weight", vocab, hidden)
	for id := range vocab {
		switch id {
		case c.Filler:
			embed[id*hidden] = 1
		case c.Cue:
			embed[id*hidden+2] = 1
		default:
			embed[id*hidden+1] = 1
		}
	}
	layer := "model.layers.0."
	for _, norm := range []string{layer + "input_layernorm.weight", layer + "post_attention_layernorm.weight", "model.norm.weight"} {
		w.ones(norm, hidden)
	}
	for _, name := range []string{"q", "k", "v", "o"} {
		values := w.add(layer+"self_attn."+name+"_proj.weight", hidden, hidden)
		for i := range hidden {
			if name == "v" || name == "o" {
				values[i*hidden+i] = 1
			}
		}
	}
	for _, name := range []string{"gate", "up", "down"} {
		w.add(layer+"mlp."+name+"_proj.weight", hidden, hidden)
	}
	head := w.add("lm_head.weight", vocab, hidden)
	copy(head[c.Yes*hidden:], []float32{1, -10, 10, 0})
	return w.load(dir, root, fmt.Sprintf(`{"model_type":"llama","architectures":["LlamaForCausalLM"],"vocab_size":%d,"hidden_size":%d,"intermediate_size":%d,"num_hidden_layers":1,"num_attention_heads":1,"num_key_value_heads":1,"head_dim":%d,"max_position_embeddings":1024,"rms_norm_eps":1e-6,"rope_theta":10000,"hidden_act":"silu","bos_token_id":0,"eos_token_id":1,"tie_word_embeddings":false}`,
		vocab, hidden, hidden, hidden))
}
