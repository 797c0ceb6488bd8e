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
	// bfloat16: its checkpoints of testdata/reference stay within 2e-2 of float32 in bfloat16 on CUDA, so that this is what "auto" means there.
	bfloat16 bool
	// legacyRope: the fields of the rotary embedding are rotary_emb_base and rotary_pct.
	legacyRope bool
}

// families are the model types that Load accepts.
var families map[string]family

func init() { // not a literal: builders read the table
	families = map[string]family{
		"llama":            {build: llama, bfloat16: true},
		"mistral":          {build: mistral, bfloat16: true},
		"ministral3":       {build: ministral3, bfloat16: true},
		"qwen2":            {build: qwen2, bfloat16: true},
		"qwen3":            {build: qwen3, bfloat16: true},
		"olmo":             {build: olmo, bfloat16: true, eps: 1e-5},
		"olmo2":            {build: olmo2, bfloat16: true},
		"olmo3":            {build: olmo3},
		"phi3":             {build: phi3, bfloat16: true, partial: 1},
		"smollm3":          {build: smollm3, bfloat16: true},
		"granite":          {build: granite, bfloat16: true},
		"cohere":           {build: cohere, bfloat16: true, fixedHeadDim: true},
		"cohere2":          {build: cohere2, bfloat16: true, fixedHeadDim: true},
		"starcoder2":       {build: starcoder2, bfloat16: true},
		"stablelm":         {build: stableLM, bfloat16: true, fixedHeadDim: true, partial: 0.25},
		"glm":              {build: glm, bfloat16: true, partial: 0.5},
		"glm4":             {build: glm4, bfloat16: true, partial: 0.5},
		"seed_oss":         {build: seedOSS, bfloat16: true},
		"arcee":            {build: arcee, bfloat16: true},
		"nanochat":         {build: nanochat, bfloat16: true},
		"apertus":          {build: apertus, bfloat16: true},
		"ernie4_5":         {build: ernie, bfloat16: true},
		"hunyuan_v1_dense": {build: hunyuan, bfloat16: true},
		"exaone4":          {build: exaone4, bfloat16: true},
		"gemma":            {build: gemma1, bfloat16: true},
		"gemma2":           {build: gemma2, bfloat16: true},
		"gemma3_text":      {build: gemma3, bfloat16: true},
		"gemma4_text":      {build: gemma4},
		"gpt2":             {build: gpt2, bfloat16: true, fixedHeadDim: true},
		"gpt_neo":          {build: gptNeo, bfloat16: true, fixedHeadDim: true},
		"gpt_neox":         {build: gptNeoX, bfloat16: true, partial: 0.25, legacyRope: true},
		"gptj":             {build: gptJ, bfloat16: true, fixedHeadDim: true},
		"opt":              {build: opt, bfloat16: true, fixedHeadDim: true, eps: 1e-5},
		"phi":              {build: phi, bfloat16: true, partial: 0.5},
		"falcon":           {build: falcon, bfloat16: true, fixedHeadDim: true},
		"gpt_oss":          {build: gptOss, bfloat16: true},
		"mixtral":          {build: mixtral, bfloat16: true},
		"qwen2_moe":        {build: qwen2Moe, bfloat16: true},
		"qwen3_moe":        {build: qwen3Moe, bfloat16: true},
		"olmoe":            {build: olmoe, bfloat16: true},
	}
}

// Families lists the model types that Load accepts.
func Families() []string { return slices.Sorted(maps.Keys(families)) }

// unread says what keeps a known model_type from being read; empty for one that is not known.
func unread(modelType string) string {
	for _, kind := range []struct{ types, why string }{
		{"qwen3_next qwen3_5 qwen3_5_text qwen3_5_moe qwen3_5_moe_text kimi_linear olmo_hybrid", "it mixes attention with layers of gated delta networks"},
		{"lfm2 lfm2_moe lfm2_vl", "it mixes attention with layers of short convolutions"},
		{"jamba bamba zamba zamba2 granitemoehybrid nemotron_h falcon_h1", "it mixes attention with layers of state space models"},
		{"recurrent_gemma minimax", "it mixes attention with layers of linear recurrences"},
		{"mamba mamba2 falcon_mamba rwkv xlstm", "it has no attention"},
		{"deepseek_v2 deepseek_v3", "its keys and values are made of a latent vector (multi-head latent attention)"},
		{"bert roberta modernbert", "it is an encoder, not a decoder that generates"},
		{"t5 t5gemma bart", "it has an encoder beside its decoder"},
	} {
		if slices.Contains(strings.Fields(kind.types), modelType) {
			return kind.why
		}
	}
	return ""
}

func familyNames() string { return strings.Join(Families(), ", ") }

// windows reads which layers have a sliding window of which size, from layer_types or, where that is absent, from the family's rule. 0 = none.
func (f *fields) windows(c *Config, size int, sliding func(l int) bool) []int {
	windows := make([]int, c.Layers)
	if size < 0 {
		f.fail("sliding_window is %d, expected a number of keys", size)
	}
	for l, slides := range f.sliding(c, sliding) {
		if slides {
			windows[l] = size
		}
	}
	return windows
}

// sliding reads which layers are of the type with a window, whether they have one or not.
func (f *fields) sliding(c *Config, rule func(l int) bool) []bool {
	slides := make([]bool, c.Layers)
	types := read[[]string](f, "a list of strings", nil, "layer_types")
	if types != nil && len(types) != c.Layers {
		f.fail("layer_types has %d entries, expected one for each of the %d layers", len(types), c.Layers)
		return slides
	}
	for l := range slides {
		switch {
		case types == nil:
			slides[l] = rule(l)
		case types[l] == "sliding_attention":
			slides[l] = true
		case types[l] != "full_attention":
			f.fail("layer_types holds %q, expected full_attention or sliding_attention", types[l])
		}
	}
	return slides
}

// threeOfFour is the rule of families in which every fourth layer does not slide.
func threeOfFour(l int) bool { return (l+1)%4 != 0 }

// everyOther is the rule of families in which the first layer slides, the second does not, and so on.
func everyOther(l int) bool { return l%2 == 0 }

// everyLayer is the window of families in which all layers have the same.
func (f *fields) everyLayer(c *Config) []int {
	return f.windows(c, f.integer(0, "sliding_window"), func(int) bool { return true })
}
