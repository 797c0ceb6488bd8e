package model

import (
	"maps"
	"slices"
	"strings"
)

// family is a model_type: what config.json may leave out, and how it describes its decoder.
type family struct {
	build   func(c *Config, f *fields) *architecture
	tied    bool    // tie_word_embeddings where it is absent
	headDim int     // head_dim where it is absent; 0 = hidden_size / num_attention_heads
	eps     float64 // of the norms
	theta   float64 // base of the rotary embedding
	act     string  // activation
}

// families are the model types that Load accepts, each in the file of its name. Defaults are those of transformers' configuration classes.
var families = map[string]family{
	"llama":       {build: llama, eps: 1e-6, theta: 10000, act: "silu"},
	"mistral":     {build: mistral, eps: 1e-6, theta: 10000, act: "silu"},
	"qwen2":       {build: qwen2, eps: 1e-6, theta: 10000, act: "silu"},
	"qwen3":       {build: qwen3, eps: 1e-6, theta: 10000, act: "silu", headDim: 128},
	"gemma2":      {build: gemma2, eps: 1e-6, theta: 10000, act: "gelu_pytorch_tanh", headDim: 256, tied: true},
	"gemma3_text": {build: gemma3, eps: 1e-6, theta: 1e6, act: "gelu_pytorch_tanh", headDim: 256, tied: true},
	"gpt2":        {build: gpt2, eps: 1e-5, act: "gelu_new", tied: true},
	"gpt_neo":     {build: gptNeo, eps: 1e-5, act: "gelu_new", tied: true},
	"gpt_neox":    {build: gptNeoX, eps: 1e-5, theta: 10000, act: "gelu"},
	"olmo2":       {build: olmo2, eps: 1e-5, theta: 10000, act: "silu"},
	"phi3":        {build: phi3, eps: 1e-5, theta: 10000, act: "silu"},
	"smollm3":     {build: smollm3, eps: 1e-6, theta: 2e6, act: "silu", tied: true},
	"gpt_oss":     {build: gptOss, eps: 1e-5, theta: 150000, act: "silu", headDim: 64},
}

// Families lists the model types that Load accepts.
func Families() []string { return slices.Sorted(maps.Keys(families)) }

func familyNames() string { return strings.Join(Families(), ", ") }

// windows reads which layers have a sliding window of which size, from layer_types or, where that is absent, from the family's rule. 0 = none.
func (f *fields) windows(c *Config, size int, sliding func(l int) bool) []int {
	windows := make([]int, c.Layers)
	types := read[[]string](f, "a list of strings", nil, "layer_types")
	if types != nil && len(types) != c.Layers {
		f.fail("layer_types has %d entries, expected one for each of the %d layers", len(types), c.Layers)
		return windows
	}
	if size < 0 {
		f.fail("sliding_window is %d, expected a number of keys", size)
	}
	for l := range windows {
		slides := types == nil && sliding(l)
		if types != nil {
			switch types[l] {
			case "sliding_attention":
				slides = true
			case "full_attention":
			default:
				f.fail("layer_types holds %q, expected full_attention or sliding_attention", types[l])
			}
		}
		if slides {
			windows[l] = size
		}
	}
	return windows
}

// everyOther is the rule of families in which the first layer slides, the second does not, and so on.
func everyOther(l int) bool { return l%2 == 0 }
