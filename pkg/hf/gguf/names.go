package gguf

import (
	"fmt"
	"strings"
)

// architecture says what a file's general.architecture means in transformers.
type architecture struct {
	modelType   string
	blocks      map[string]string // tensor of a block -> module of a layer
	interleaved bool              // rows of queries and keys lie as llama.cpp rotates them, see deinterleave
	plusOne     bool              // norms hold 1 + w
	keys        []string          // of the metadata, beyond commonKeys
}

// architectures are those whose tensors and metadata are known. Names are those of llama.cpp's convert_hf_to_gguf.py, read the other way round.
var architectures = map[string]architecture{
	"llama":  {modelType: "llama", blocks: llamaBlocks, interleaved: true},
	"qwen2":  {modelType: "qwen2", blocks: llamaBlocks},
	"qwen3":  {modelType: "qwen3", blocks: llamaBlocks},
	"gemma2": {modelType: "gemma2", blocks: gemmaBlocks, plusOne: true, keys: []string{"attn_logit_softcapping", "final_logit_softcapping", "attention.sliding_window"}},
	"gemma3": {modelType: "gemma3_text", blocks: gemmaBlocks, plusOne: true, keys: []string{"attention.sliding_window", "attention.sliding_window_pattern", "rope.freq_base_swa", "final_logit_softcapping"}},
	"phi3":   {modelType: "phi3", blocks: phi3Blocks, keys: []string{"attention.sliding_window"}},
}

var llamaBlocks = map[string]string{
	"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
	"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
	"attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm",
	"ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}

// gemmaBlocks is llamaBlocks with norms behind attention and MLP.
var gemmaBlocks = with(llamaBlocks, map[string]string{
	"post_attention_norm": "post_attention_layernorm", "ffn_norm": "pre_feedforward_layernorm", "post_ffw_norm": "post_feedforward_layernorm",
})

// phi3Blocks is llamaBlocks with fused projections.
var phi3Blocks = with(llamaBlocks, map[string]string{"attn_qkv": "self_attn.qkv_proj", "ffn_up": "mlp.gate_up_proj"})

func with(base, changes map[string]string) map[string]string {
	out := map[string]string{}
	for _, m := range []map[string]string{base, changes} {
		for k, v := range m {
			out[k] = v
		}
	}
	return out
}

// The tensors outside the blocks.
var outerNames = map[string]string{"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}

// Tables of the rotary embedding, which become part of config.json.
const (
	ropeFreqs  = "rope_freqs.weight"
	ropeLong   = "rope_factors_long.weight"
	ropeShort  = "rope_factors_short.weight"
	headWeight = "output.weight"
)

// checkpointName is the name that transformers gives a tensor; empty for a table that config.json describes.
func (a architecture) checkpointName(name string) (string, error) {
	if name == ropeFreqs || name == ropeLong || name == ropeShort {
		return "", nil
	}
	parts := strings.Split(name, ".")
	suffix := parts[len(parts)-1]
	switch {
	case suffix != "weight" && suffix != "bias":
	case len(parts) == 2 && outerNames[parts[0]] != "":
		return outerNames[parts[0]] + "." + suffix, nil
	case len(parts) == 4 && parts[0] == "blk" && a.blocks[parts[2]] != "":
		return fmt.Sprintf("model.layers.%s.%s.%s", parts[1], a.blocks[parts[2]], suffix), nil
	}
	return "", fmt.Errorf("tensor %q: found a name that is not part of a %s model, expected token_embd, output_norm, output or blk.<layer>.<part>", name, a.modelType)
}

// isRotated reports whether the rows of a tensor of the file are those of rotated heads.
func isRotated(name string) bool {
	return strings.Contains(name, ".attn_q.") || strings.Contains(name, ".attn_k.")
}

// deinterleave orders the rows of each head as transformers has them: llama.cpp rotates neighbouring entries of a head, transformers the first half against the
// second, so row 2i of a head was row i and row 2i+1 was row i+half.
func deinterleave(values []float32, rows, heads int) []float32 {
	width, dim := len(values)/rows, rows/heads
	half := dim / 2
	out := make([]float32, len(values))
	for r := range rows {
		head, i := r/dim, r%dim
		from := head*dim + i%half*2 + i/half
		copy(out[r*width:(r+1)*width], values[from*width:])
	}
	return out
}
