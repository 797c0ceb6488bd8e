package model

import (
	"maps"
	"slices"
	"strings"
)

// family is a model_type: how it describes its decoder, and what defaults.json does not say.
type family struct {
	build        func(c *Config, f *fields) *architecture
	eps          float64 // of the norms, where the class has no such field
	fixedHeadDim bool    // a head is hidden_size / num_attention_heads whatever head_dim says
	// partial is the share of a head that the plain rotary embedding turns where no field says it; 0 = it turns the whole head whatever a field says.
	partial float64
	// legacyRope: the fields of the rotary embedding are rotary_emb_base and rotary_pct.
	legacyRope bool
}

// families are the model types that Load accepts.
var families map[string]family

func init() { // not a literal: builders read the table
	families = map[string]family{
		"llama":       {build: llama},
		"mistral":     {build: mistral},
		"qwen2":       {build: qwen2},
		"qwen3":       {build: qwen3},
		"gemma2":      {build: gemma2},
		"gemma3_text": {build: gemma3},
		"gpt2":        {build: gpt2, fixedHeadDim: true},
		"gpt_neo":     {build: gptNeo, fixedHeadDim: true},
		"gpt_neox":    {build: gptNeoX, partial: 0.25, legacyRope: true},
		"olmo2":       {build: olmo2},
		"phi3":        {build: phi3, partial: 1},
		"smollm3":     {build: smollm3},
		"gpt_oss":     {build: gptOss},
	}
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

// everyLayer is the window of families in which all layers have the same.
func (f *fields) everyLayer(c *Config) []int {
	return f.windows(c, f.integer(0, "sliding_window"), func(int) bool { return true })
}
