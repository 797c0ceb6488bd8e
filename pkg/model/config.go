package model

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
)

// Config describes a decoder's architecture, as read from a Hugging Face config.json.
type Config struct {
	ModelType        string  // model_type, e.g. "llama"
	VocabSize        int     // rows of the embedding
	HiddenSize       int     // width of the residual stream
	IntermediateSize int     // width of the MLP
	Layers           int     // num_hidden_layers
	Heads            int     // num_attention_heads: query heads
	KVHeads          int     // num_key_value_heads: key and value heads; Heads is a multiple
	HeadDim          int     // head_dim; hidden_size / num_attention_heads when absent
	MaxPositions     int     // max_position_embeddings: the longest context
	NormEps          float64 // rms_norm_eps
	RopeTheta        float64 // base of the rotary embedding
	TieEmbeddings    bool    // the output head is the embedding
	AttentionBias    bool    // q, k, v (and, for llama, o) projections carry a bias
	MLPBias          bool    // MLP projections carry a bias
	BOS              int     // bos_token_id, -1 when absent
	EOS              []int   // eos_token_id: one or several, empty when absent
	InitializerRange float64 // standard deviation of random weights, 0.02 when absent
}

// configJSON holds the fields of config.json that matter here, in their old and new spellings. Pointers tell an absent field from
// a zero one.
type configJSON struct {
	ModelType        string          `json:"model_type"`
	VocabSize        int             `json:"vocab_size"`
	HiddenSize       int             `json:"hidden_size"`
	IntermediateSize int             `json:"intermediate_size"`
	Layers           int             `json:"num_hidden_layers"`
	Heads            int             `json:"num_attention_heads"`
	KVHeads          *int            `json:"num_key_value_heads"`
	HeadDim          *int            `json:"head_dim"`
	MaxPositions     int             `json:"max_position_embeddings"`
	NormEps          *float64        `json:"rms_norm_eps"`
	HiddenAct        string          `json:"hidden_act"`
	TieEmbeddings    bool            `json:"tie_word_embeddings"`
	AttentionBias    bool            `json:"attention_bias"`
	MLPBias          bool            `json:"mlp_bias"`
	BOS              *int            `json:"bos_token_id"`
	EOS              json.RawMessage `json:"eos_token_id"`
	InitializerRange *float64        `json:"initializer_range"`
	RopeTheta        *float64        `json:"rope_theta"`      // transformers 4
	RopeScaling      *ropeJSON       `json:"rope_scaling"`    // transformers 4
	RopeParameters   *ropeJSON       `json:"rope_parameters"` // transformers 5: both in one
}

type ropeJSON struct {
	Theta   *float64 `json:"rope_theta"`
	Type    string   `json:"rope_type"`
	OldType string   `json:"type"`
}

// families lists the model types that Load accepts.
var families = []string{"llama"}

// LoadConfig reads DIR/config.json. Errors name the file, the field, what was found and what is accepted.
func LoadConfig(dir string) (*Config, error) {
	path := filepath.Join(dir, "config.json")
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the model's configuration: %w (a model directory holds config.json, model.safetensors and tokenizer.json)", err)
	}
	c, err := parseConfig(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func parseConfig(data []byte) (*Config, error) {
	var j configJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return nil, fmt.Errorf("not a model configuration: %w", err)
	}
	if !slices.Contains(families, j.ModelType) {
		known := slices.Clone(families)
		sort.Strings(known)
		return nil, fmt.Errorf("model_type %q is not supported, expected one of: %s", j.ModelType, strings.Join(known, ", "))
	}
	if j.HiddenAct != "" && j.HiddenAct != "silu" {
		return nil, fmt.Errorf("hidden_act %q is not supported for model_type %q, expected silu", j.HiddenAct, j.ModelType)
	}
	c := &Config{
		ModelType: j.ModelType, VocabSize: j.VocabSize, HiddenSize: j.HiddenSize, IntermediateSize: j.IntermediateSize,
		Layers: j.Layers, Heads: j.Heads, MaxPositions: j.MaxPositions, TieEmbeddings: j.TieEmbeddings,
		AttentionBias: j.AttentionBias, MLPBias: j.MLPBias,
		KVHeads: valueOr(j.KVHeads, j.Heads), NormEps: valueOr(j.NormEps, 1e-6),
		BOS: valueOr(j.BOS, -1), InitializerRange: valueOr(j.InitializerRange, 0.02),
	}
	if c.Heads > 0 {
		c.HeadDim = valueOr(j.HeadDim, c.HiddenSize/c.Heads)
	}
	var err error
	if c.EOS, err = parseEOS(j.EOS); err != nil {
		return nil, err
	}
	if c.RopeTheta, err = parseRope(&j); err != nil {
		return nil, err
	}
	return c, c.Validate()
}

// parseEOS accepts a number, a list of numbers or null.
func parseEOS(raw json.RawMessage) ([]int, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	var one int
	if json.Unmarshal(raw, &one) == nil {
		return []int{one}, nil
	}
	var many []int
	if err := json.Unmarshal(raw, &many); err != nil {
		return nil, fmt.Errorf("eos_token_id is %s, expected a token id or a list of them", raw)
	}
	return many, nil
}

// parseRope reads the rotary base from the new (rope_parameters) or the old (rope_theta, rope_scaling) fields.
func parseRope(j *configJSON) (theta float64, err error) {
	theta = valueOr(j.RopeTheta, 10000)
	for _, r := range []*ropeJSON{j.RopeScaling, j.RopeParameters} {
		if r == nil {
			continue
		}
		theta = valueOr(r.Theta, theta)
		kind := r.Type
		if kind == "" {
			kind = r.OldType
		}
		if kind != "" && kind != "default" {
			return 0, fmt.Errorf("rope_type %q is not supported, expected default", kind)
		}
	}
	if !(theta > 0) {
		return 0, fmt.Errorf("rope_theta is %v, expected a positive number", theta)
	}
	return theta, nil
}

// maxConfigValue bounds every dimension of a configuration, far above any published model, so that products of two cannot overflow.
const maxConfigValue = 1 << 24

// Validate reports the first field that no model can have.
func (c *Config) Validate() error {
	for _, f := range []struct {
		name  string
		value int
	}{
		{"vocab_size", c.VocabSize}, {"hidden_size", c.HiddenSize}, {"intermediate_size", c.IntermediateSize},
		{"num_hidden_layers", c.Layers}, {"num_attention_heads", c.Heads}, {"num_key_value_heads", c.KVHeads},
		{"head_dim", c.HeadDim}, {"max_position_embeddings", c.MaxPositions},
	} {
		if f.value < 1 || f.value > maxConfigValue {
			return fmt.Errorf("%s is %d, expected 1 to %d", f.name, f.value, maxConfigValue)
		}
	}
	if c.Heads%c.KVHeads != 0 {
		return fmt.Errorf("num_attention_heads %d is not a multiple of num_key_value_heads %d", c.Heads, c.KVHeads)
	}
	if c.HeadDim%2 != 0 {
		return fmt.Errorf("head_dim %d is odd, rotary embeddings rotate pairs", c.HeadDim)
	}
	if !(c.NormEps > 0) {
		return fmt.Errorf("rms_norm_eps is %v, expected a positive number", c.NormEps)
	}
	for _, id := range append([]int{c.BOS}, c.EOS...) {
		if id < -1 || id >= c.VocabSize {
			return fmt.Errorf("special token id %d is outside the vocabulary of %d", id, c.VocabSize)
		}
	}
	return nil
}

// NumParameters counts the weights of the architecture.
func (c *Config) NumParameters() int {
	n := 0
	for _, w := range c.weights() {
		size := 1
		for _, d := range w.shape {
			size *= d
		}
		n += size
	}
	return n
}

// MarshalJSON writes the fields of config.json that transformers reads, with the rotary base in the old and the new place.
func (c *Config) MarshalJSON() ([]byte, error) {
	fields := map[string]any{
		"architectures": []string{"LlamaForCausalLM"}, "model_type": c.ModelType,
		"vocab_size": c.VocabSize, "hidden_size": c.HiddenSize, "intermediate_size": c.IntermediateSize,
		"num_hidden_layers": c.Layers, "num_attention_heads": c.Heads, "num_key_value_heads": c.KVHeads,
		"head_dim": c.HeadDim, "max_position_embeddings": c.MaxPositions, "rms_norm_eps": c.NormEps,
		"rope_theta": c.RopeTheta, "rope_parameters": map[string]any{"rope_type": "default", "rope_theta": c.RopeTheta},
		"hidden_act": "silu", "tie_word_embeddings": c.TieEmbeddings, "attention_bias": c.AttentionBias, "mlp_bias": c.MLPBias,
		"initializer_range": c.InitializerRange,
	}
	if c.BOS >= 0 {
		fields["bos_token_id"] = c.BOS
	}
	switch len(c.EOS) {
	case 0:
	case 1:
		fields["eos_token_id"] = c.EOS[0]
	default:
		fields["eos_token_id"] = c.EOS
	}
	return json.Marshal(fields)
}

func valueOr[T any](p *T, def T) T {
	if p == nil {
		return def
	}
	return *p
}
