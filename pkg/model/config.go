package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/attune-lab/attune/pkg/env"
)

// Config describes a decoder's architecture, as read from a Hugging Face config.json.
//
// A Config made by hand, as a literal, is a llama; every other family is made by ParseConfig.
type Config struct {
	ModelType        string  // model_type, e.g. "llama"
	VocabSize        int     // rows of the embedding
	HiddenSize       int     // width of the residual stream
	IntermediateSize int     // width of the MLP; of each expert where there are several
	Layers           int     // num_hidden_layers
	Heads            int     // num_attention_heads: query heads
	KVHeads          int     // num_key_value_heads: key and value heads; Heads is a multiple
	HeadDim          int     // head_dim; hidden_size / num_attention_heads when absent
	MaxPositions     int     // max_position_embeddings: the longest context
	NormEps          float64 // epsilon of the norms
	RopeTheta        float64 // base of the rotary embedding, of the layers without a window where there are two; 0 = learned positions
	TieEmbeddings    bool    // the output head is the embedding
	AttentionBias    bool    // attention_bias; for llama: q, k, v and o projections carry a bias
	MLPBias          bool    // mlp_bias: MLP projections carry a bias
	BOS              int     // bos_token_id, -1 when absent
	EOS              []int   // eos_token_id: one or several, empty when absent
	InitializerRange float64 // standard deviation of random weights, 0.02 when absent

	raw       []byte // config.json as read, without insignificant space and quantisation; nil for a literal
	within    string // model_type of the checkpoint whose text part this is; empty = it is a model of text alone
	quantised quantisation
}

// LoadConfig reads DIR/config.json. Errors name the file, the field, what was found and what is accepted.
func LoadConfig(dir string) (*Config, error) {
	path := filepath.Join(dir, "config.json")
	data, err := env.ReadFile(path, maxConfigFile)
	if err != nil {
		return nil, fmt.Errorf("reading the model's configuration: %w (a model directory holds config.json, model.safetensors and tokenizer.json)", err)
	}
	c, err := ParseConfig(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, c.readGeneration(filepath.Join(dir, "generation_config.json"))
}

// maxConfigFile is far above any published config.json.
const maxConfigFile = 16 << 20

// readGeneration takes the ends of text from generation_config.json where it names any: generating stops at them, as in transformers, and not at config.json's.
func (c *Config) readGeneration(path string) error {
	data, err := env.ReadFile(path, maxConfigFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	f, err := newFields(data)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if ends := parseEOS(f); len(ends) > 0 {
		c.EOS = ends
	}
	if err := firstError(f.err, c.Validate); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// ParseConfig reads the contents of a config.json, in the spelling of transformers 4 or 5.
func ParseConfig(data []byte) (*Config, error) {
	c, _, err := parseConfig(data)
	return c, err
}

func parseConfig(data []byte) (*Config, *architecture, error) {
	f, err := newFields(data)
	if err != nil {
		return nil, nil, err
	}
	modelType := f.text("", "model_type")
	if f.err != nil {
		return nil, nil, f.err
	}
	if slices.Contains(multimodal, modelType) {
		text, err := textConfig(f, modelType)
		if err = firstError(err, func() error { return f.err }); err != nil {
			return nil, nil, err
		}
		c, a, err := parseConfig(text)
		if err != nil {
			return nil, nil, fmt.Errorf("text_config: %w", err)
		}
		c.within = modelType
		return c, a, nil
	}
	kind, ok := families[modelType]
	if why := unread(modelType); why != "" {
		return nil, nil, fmt.Errorf("model_type %q is not supported, %s: take a decoder of attention alone, one of: %s", modelType, why, familyNames())
	}
	if !ok {
		return nil, nil, fmt.Errorf("model_type %q is not supported, expected one of: %s", modelType, familyNames())
	}
	var quantised quantisation
	if q := f.object("quantization_config"); q != nil {
		quantised = readQuantisation(q, modelType)
		delete(f.values, "quantization_config") // what is saved is dequantised
		var err error
		if data, err = json.Marshal(f.values); err != nil {
			return nil, nil, err
		}
	}
	f.class = classes[modelType]
	c := readSizes(f, kind)
	c.ModelType = modelType
	if err := firstError(f.err, c.Validate); err != nil {
		return nil, nil, err
	}
	a := kind.build(c, f)
	f.refuseUnread(modelType)
	if f.err != nil {
		return nil, nil, f.err
	}
	var raw bytes.Buffer
	if err := json.Compact(&raw, data); err != nil {
		return nil, nil, err
	}
	c.raw, c.quantised = raw.Bytes(), quantised
	return c, a, nil
}

// readSizes reads what every family has, under its class's name.
func readSizes(f *fields, kind family) *Config {
	c := &Config{
		VocabSize:        f.integer(0, "vocab_size"),
		HiddenSize:       f.integer(0, "hidden_size"),
		Layers:           f.integer(0, "num_hidden_layers"),
		Heads:            f.integer(0, "num_attention_heads"),
		MaxPositions:     f.integer(0, "max_position_embeddings"),
		NormEps:          f.number(kind.eps, "rms_norm_eps", "layer_norm_epsilon", "layer_norm_eps", "norm_epsilon"),
		RopeTheta:        f.class.Theta.Global,
		TieEmbeddings:    f.boolean(false, "tie_word_embeddings"),
		AttentionBias:    f.boolean(false, "attention_bias"),
		MLPBias:          f.boolean(false, "mlp_bias"),
		InitializerRange: f.number(0.02, "initializer_range", "init_std"),
	}
	c.IntermediateSize = f.integer(4*c.HiddenSize, "intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size")
	c.KVHeads = f.integer(c.Heads, "num_key_value_heads")
	if c.Heads > 0 {
		c.HeadDim = c.HiddenSize / c.Heads
		switch {
		case kind.fixedHeadDim:
		case f.class.names("head_dim") != nil:
			c.HeadDim = f.integer(c.HeadDim, "head_dim")
		default:
			c.HeadDim = f.plain().integer(c.HeadDim, "head_dim")
		}
	}
	c.readTokens(f)
	return c
}

// readTokens reads the special tokens. Defaults of the class beyond the vocabulary are none: they belong to the published models.
func (c *Config) readTokens(f *fields) {
	c.BOS = f.integer(-1, "bos_token_id")
	if f.has("eos_token_id") {
		c.EOS = parseEOS(f)
	}
	if _, given := f.values["bos_token_id"]; !given && c.BOS >= c.VocabSize {
		c.BOS = -1
	}
	if _, given := f.values["eos_token_id"]; !given {
		c.EOS = slices.DeleteFunc(c.EOS, func(id int) bool { return id >= c.VocabSize })
	}
}

// parseEOS accepts a number or a list of numbers.
func parseEOS(f *fields) []int {
	raw := f.lookup("eos_token_id")
	if raw == nil || isNull(raw) {
		return nil
	}
	var one int
	if json.Unmarshal(raw, &one) == nil {
		return []int{one}
	}
	var many []int
	if err := json.Unmarshal(raw, &many); err != nil {
		f.fail("eos_token_id is %s, expected a token id or a list of them", shorten(raw))
	}
	return many
}

func firstError(err error, next func() error) error {
	if err != nil {
		return err
	}
	return next()
}

// Bounds of a configuration, far above any published model, so that products of two dimensions cannot overflow and a hostile file cannot ask for
// a description larger than memory.
const (
	maxConfigValue = 1 << 24
	maxLayers      = 4096
	maxHeadDim     = 1 << 16
)

// Validate reports the first field that no model can have.
func (c *Config) Validate() error {
	for _, f := range []struct {
		name  string
		value int
		most  int
	}{
		{"vocab_size", c.VocabSize, maxConfigValue}, {"hidden_size", c.HiddenSize, maxConfigValue},
		{"intermediate_size", c.IntermediateSize, maxConfigValue},
		{"num_hidden_layers", c.Layers, maxLayers}, {"num_attention_heads", c.Heads, maxConfigValue},
		{"num_key_value_heads", c.KVHeads, maxConfigValue}, {"head_dim", c.HeadDim, maxHeadDim},
		{"max_position_embeddings", c.MaxPositions, maxConfigValue},
	} {
		if f.value < 1 || f.value > f.most {
			return fmt.Errorf("%s is %d, expected 1 to %d", f.name, f.value, f.most)
		}
	}
	if c.Heads%c.KVHeads != 0 {
		return fmt.Errorf("num_attention_heads %d is not a multiple of num_key_value_heads %d", c.Heads, c.KVHeads)
	}
	if !(c.NormEps > 0) {
		return fmt.Errorf("the epsilon of the norms is %v, expected a positive number", c.NormEps)
	}
	for i, id := range append([]int{c.BOS}, c.EOS...) {
		if id < -1 || id >= c.VocabSize {
			return fmt.Errorf("%s %d is outside the vocabulary of %d", []string{"bos_token_id", "eos_token_id"}[min(i, 1)], id, c.VocabSize)
		}
	}
	return nil
}

// describe returns the decoder that the configuration stands for.
func (c *Config) describe() (*architecture, error) {
	if c.raw == nil && c.ModelType != "llama" {
		return nil, fmt.Errorf("a configuration of model_type %q made by hand says too little: make it with ParseConfig (made by hand: llama)", c.ModelType)
	}
	data, err := c.MarshalJSON()
	if err != nil {
		return nil, err
	}
	parsed, a, err := parseConfig(data)
	if err != nil {
		return nil, err
	}
	if got, want := c.sizes(), parsed.sizes(); got != want {
		return nil, fmt.Errorf("the configuration's sizes were changed after it was read, from %v to %v: change config.json and parse it", want, got)
	}
	return a, nil
}

// sizes are the fields that decide the shapes of weights.
func (c *Config) sizes() [9]int {
	tied := 0
	if c.TieEmbeddings {
		tied = 1
	}
	return [...]int{c.VocabSize, c.HiddenSize, c.IntermediateSize, c.Layers, c.Heads, c.KVHeads, c.HeadDim, c.MaxPositions, tied}
}

// NumParameters counts the weights of the architecture; 0 for a configuration that describes none.
func (c *Config) NumParameters() int {
	a, err := c.describe()
	if err != nil {
		return 0
	}
	n := 0
	for _, w := range a.weights(c) {
		n += w.size()
	}
	return n
}

func (w weight) size() int {
	n := 1
	for _, d := range w.shape {
		n *= d
	}
	return n
}

// MarshalJSON writes config.json as it was read, with the special tokens of the Config; a Config made by hand as transformers reads it, the
// rotary base in the old and the new place.
func (c *Config) MarshalJSON() ([]byte, error) {
	fields := map[string]json.RawMessage{}
	set := func(name string, v any) {
		data, err := json.Marshal(v)
		if err != nil {
			data = []byte("null") // a NaN: read back as absent
		}
		fields[name] = data
	}
	if c.raw != nil {
		f, err := newFields(c.raw)
		if err != nil {
			return nil, err
		}
		fields = f.values
		f.class = classes[c.ModelType]
		read := Config{VocabSize: c.VocabSize}
		if read.readTokens(f); read.BOS == c.BOS && slices.Equal(read.EOS, c.EOS) {
			return c.raw, nil
		}
	} else {
		for name, v := range map[string]any{
			"architectures": []string{"LlamaForCausalLM"}, "model_type": c.ModelType,
			"vocab_size": c.VocabSize, "hidden_size": c.HiddenSize, "intermediate_size": c.IntermediateSize,
			"num_hidden_layers": c.Layers, "num_attention_heads": c.Heads, "num_key_value_heads": c.KVHeads,
			"head_dim": c.HeadDim, "max_position_embeddings": c.MaxPositions, "rms_norm_eps": c.NormEps,
			"rope_theta": c.RopeTheta, "rope_parameters": map[string]any{"rope_type": "default", "rope_theta": c.RopeTheta},
			"hidden_act": "silu", "tie_word_embeddings": c.TieEmbeddings, "attention_bias": c.AttentionBias, "mlp_bias": c.MLPBias,
			"initializer_range": c.InitializerRange,
		} {
			set(name, v)
		}
	}
	set("bos_token_id", nil) // absent it would be the class's default
	if c.BOS >= 0 {
		set("bos_token_id", c.BOS)
	}
	switch len(c.EOS) {
	case 0:
		set("eos_token_id", nil)
	case 1:
		set("eos_token_id", c.EOS[0])
	default:
		set("eos_token_id", c.EOS)
	}
	return json.Marshal(fields)
}
