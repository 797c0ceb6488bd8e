package gguf

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// commonKeys are the keys of an architecture that are read, or that change nothing here.
var commonKeys = []string{
	"block_count", "context_length", "embedding_length", "feed_forward_length", "attention.head_count", "attention.head_count_kv",
	"attention.key_length", "attention.value_length", "attention.layer_norm_rms_epsilon",
	"rope.dimension_count", "rope.freq_base", "rope.scaling.type", "rope.scaling.factor", "rope.scaling.original_context_length", "rope.scaling.attn_factor",
	"rope.scaling.finetuned", "rope.scale_linear",
	"vocab_size", "tensor_data_layout", "attention.causal", "expert_count", "expert_used_count",
}

// checkKeys refuses metadata of the architecture that is not understood: it may change the arithmetic.
func (c *Checkpoint) checkKeys() error {
	for _, key := range c.file.Keys() {
		name, ours := strings.CutPrefix(key, c.name+".")
		if ours && !slices.Contains(commonKeys, name) && !slices.Contains(c.arch.keys, name) {
			return fmt.Errorf("metadata key %q is not understood for architecture %q and may change what the model computes; take the model's safetensors", key, c.name)
		}
	}
	return nil
}

// metadata reads an architecture's keys and keeps the first error.
type metadata struct {
	file   *File
	prefix string
	err    error
}

func (m *metadata) fail(key, found, expected string) {
	if m.err == nil {
		m.err = fmt.Errorf("metadata key %q: found %s, expected %s", m.prefix+key, found, expected)
	}
}

func (m *metadata) has(key string) bool { return m.file.Value(m.prefix + key).Found() }

// integer reads a whole number. Some writers store one for each layer: equal ones are one.
func (m *metadata) integer(key string, def int) int {
	v := m.file.Value(m.prefix + key)
	if !v.Found() {
		return def
	}
	if list, ok := v.Ints(); ok && len(list) > 0 {
		if slices.Max(list) != slices.Min(list) {
			m.fail(key, "values that differ by layer", "the same for every layer")
		}
		return int(list[0])
	}
	n, ok := v.Int()
	if !ok || n < 0 || n > math.MaxInt32 {
		m.fail(key, fmt.Sprintf("%v", n), "a whole number of at most 31 bits")
	}
	return int(n)
}

// number reads a number with the digits that tell it from other float32: 9.999999747378752e-06 was written as 1e-05.
func (m *metadata) number(key string, def float64) float64 {
	v := m.file.Value(m.prefix + key)
	if !v.Found() {
		return def
	}
	x, ok := v.Float()
	if !ok || math.IsNaN(x) || math.IsInf(x, 0) {
		m.fail(key, "no finite number", "one")
		return def
	}
	short, err := strconv.ParseFloat(strconv.FormatFloat(x, 'g', -1, 32), 64)
	if err != nil || float32(short) != float32(x) {
		return x
	}
	return short
}

func (m *metadata) text(key, def string) string {
	if v := m.file.Value(m.prefix + key); v.Found() {
		s, ok := v.Text()
		if !ok {
			m.fail(key, "no text", "text")
		}
		return s
	}
	return def
}

// Config returns the config.json that transformers would have for the model, from the metadata and the tensors.
func (c *Checkpoint) Config() ([]byte, error) {
	m := &metadata{file: c.file, prefix: c.name + "."}
	out := map[string]any{"model_type": c.arch.modelType, "dtype": "float32"}
	hidden, layers := m.integer("embedding_length", 0), m.integer("block_count", 0)
	headDim := m.integer("attention.key_length", hidden/max(1, c.heads))
	if m.integer("attention.value_length", headDim) != headDim {
		m.fail("attention.value_length", fmt.Sprint(m.integer("attention.value_length", 0)), fmt.Sprintf("the %d of attention.key_length", headDim))
	}
	embedding, ok := c.file.tensors["token_embd.weight"]
	if !ok || len(embedding.Shape) != 2 {
		return nil, fmt.Errorf("gguf: %s: tensor %q: not found or no matrix, expected the embedding", c.file.path, "token_embd.weight")
	}
	if n := m.integer("expert_count", 0); n > 0 {
		m.fail("expert_count", fmt.Sprint(n), "0: mixtures of experts are not read from GGUF; take the model's safetensors")
	}
	if v := c.file.Value(c.name + ".attention.causal"); v.Found() {
		if causal, ok := v.Bool(); !ok || !causal {
			m.fail("attention.causal", "false", "true: an encoder does not generate")
		}
	}
	theta := m.number("rope.freq_base", 10000)
	for key, value := range map[string]any{
		"vocab_size": embedding.Shape[0], "hidden_size": hidden, "num_hidden_layers": layers, "num_attention_heads": c.heads, "num_key_value_heads": c.kv,
		"head_dim": headDim, "intermediate_size": m.integer("feed_forward_length", 0), "max_position_embeddings": m.integer("context_length", 0),
		"rms_norm_eps": m.number("attention.layer_norm_rms_epsilon", 0), "rope_theta": theta, "tie_word_embeddings": !c.has(headWeight),
	} {
		out[key] = value
	}
	if c.arch.modelType == "llama" {
		out["attention_bias"] = c.has("blk.0.attn_q.bias")
	}
	if n := m.integer("rope.dimension_count", headDim); n != headDim && headDim > 0 {
		out["partial_rotary_factor"] = float64(n) / float64(headDim)
	}
	c.window(m, out)
	c.gemma(m, out, hidden, layers, headDim)
	scaling, err := c.ropeScaling(m, theta, headDim)
	if err := firstOf(err, m.err); err != nil {
		return nil, fmt.Errorf("gguf: %s: %w", c.file.path, err)
	}
	if scaling != nil {
		out["rope_scaling"] = scaling
	}
	c.specialTokens(out, embedding.Shape[0])
	return json.Marshal(out)
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *Checkpoint) has(name string) bool { _, ok := c.file.tensors[name]; return ok }

// window writes the sliding window of the families that have one.
func (c *Checkpoint) window(m *metadata, out map[string]any) {
	if !m.has("attention.sliding_window") {
		return
	}
	if n := m.integer("attention.sliding_window", 0); n > 0 {
		out["sliding_window"] = n
	}
	if n := m.integer("attention.sliding_window_pattern", 0); n > 0 {
		out["sliding_window_pattern"] = n
	}
}

// gemma writes what only the Gemma families have. The scale of the scores is not in the file; llama.cpp derives it from the number of layers, which tells the
// 27B models, where it is that of hidden_size / heads, from the others, where it is that of a head.
func (c *Checkpoint) gemma(m *metadata, out map[string]any, hidden, layers, headDim int) {
	if !c.arch.plusOne {
		return
	}
	scalar := headDim
	if (c.name == "gemma2" && layers == 46 || c.name == "gemma3" && layers == 62) && c.heads > 0 {
		scalar = hidden / c.heads
	}
	out["query_pre_attn_scalar"] = scalar
	out["hidden_activation"] = "gelu_pytorch_tanh"
	if m.has("rope.freq_base_swa") {
		out["rope_local_base_freq"] = m.number("rope.freq_base_swa", 0)
	}
	for _, key := range []string{"attn_logit_softcapping", "final_logit_softcapping"} {
		if m.has(key) {
			out[key] = m.number(key, 0)
		}
	}
}

// specialTokens writes the ids at which a text begins and ends. llama.cpp ends at the end of a turn, too.
func (c *Checkpoint) specialTokens(out map[string]any, vocab int) {
	id := func(key string) (int, bool) {
		n, ok := c.file.Value("tokenizer.ggml." + key).Int()
		return int(n), ok && n >= 0 && n < int64(vocab)
	}
	if n, ok := id("bos_token_id"); ok {
		out["bos_token_id"] = n
	}
	var ends []int
	for _, key := range []string{"eos_token_id", "eot_token_id"} {
		if n, ok := id(key); ok && !slices.Contains(ends, n) {
			ends = append(ends, n)
		}
	}
	if len(ends) > 0 {
		out["eos_token_id"] = ends
	}
}

// ropeScaling is config.json's rope_scaling; nil for none.
func (c *Checkpoint) ropeScaling(m *metadata, theta float64, headDim int) (map[string]any, error) {
	kind := m.text("rope.scaling.type", "none")
	factor := m.number("rope.scaling.factor", m.number("rope.scale_linear", 0))
	original := m.integer("rope.scaling.original_context_length", 0)
	scaling := map[string]any{}
	if original > 0 {
		scaling["original_max_position_embeddings"] = original
	}
	switch {
	case c.has(ropeLong) || c.has(ropeShort):
		scaling["rope_type"] = "longrope"
		for field, name := range map[string]string{"long_factor": ropeLong, "short_factor": ropeShort} {
			table, ok := c.file.tensors[name]
			if !ok {
				return nil, fmt.Errorf("tensor %q: not found, expected it beside its twin for the long or short contexts", name)
			}
			scaling[field] = table.Float32s()
		}
		if m.has("rope.scaling.attn_factor") {
			scaling["attention_factor"] = m.number("rope.scaling.attn_factor", 1)
		}
		return scaling, nil
	case c.has(ropeFreqs):
		return llama3Scaling(c.file.tensors[ropeFreqs].Float32s(), theta, headDim)
	case kind == "none" || kind == "linear" && (factor == 0 || factor == 1):
		return nil, nil
	case kind == "linear", kind == "yarn":
		if a := m.number("rope.scaling.attn_factor", 1); a != 1 {
			m.fail("rope.scaling.attn_factor", fmt.Sprint(a), "1 with "+kind+" scaling")
		}
		scaling["rope_type"], scaling["factor"] = kind, factor
		return scaling, nil
	}
	m.fail("rope.scaling.type", strconv.Quote(kind), "none, linear or yarn")
	return nil, nil
}

// llama3Scaling recognises Llama 3's published scaling, of which the file keeps nothing but the divisor of each pair's frequency.
func llama3Scaling(divisors []float32, theta float64, headDim int) (map[string]any, error) {
	const low, high, original = 1.0, 4.0, 8192
	factor := float64(0)
	for _, d := range divisors {
		factor = math.Max(factor, float64(d))
	}
	scaling := map[string]any{"rope_type": "llama3", "factor": factor, "low_freq_factor": low, "high_freq_factor": high, "original_max_position_embeddings": original}
	for i, d := range divisors {
		turns := original * math.Pow(theta, -2*float64(i)/float64(headDim)) / (2 * math.Pi)
		want := 1.0
		switch {
		case turns < low:
			want = factor
		case turns <= high:
			smooth := (turns - low) / (high - low)
			want = 1 / ((1-smooth)/factor + smooth)
		}
		if math.Abs(float64(d)-want) > 1e-4*want {
			return nil, fmt.Errorf("tensor %q: found divisor %v for pair %d, expected %.6g, that of Llama 3's scaling by %v; other tables are not read, take the model's safetensors", ropeFreqs, d, i, want, factor)
		}
	}
	return scaling, nil
}
