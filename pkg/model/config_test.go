package model

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/internal/testlimit"
)

const minimal = `"model_type":"llama","vocab_size":10,"hidden_size":256,"intermediate_size":32,"num_hidden_layers":2,"num_attention_heads":4,"max_position_embeddings":2048`

func TestConfigReadsOldAndNewFields(t *testing.T) {
	for name, c := range map[string]struct {
		json  string
		check func(*Config) bool
	}{
		"defaults": {`{` + minimal + `}`, func(c *Config) bool {
			return c.KVHeads == 4 && c.HeadDim == 64 && c.RopeTheta == 10000 && c.BOS == 1 && reflect.DeepEqual(c.EOS, []int{2}) && c.NormEps == 1e-6
		}},
		"rope, transformers 4": {`{` + minimal + `,"rope_theta":500000.0,"rope_scaling":null}`, func(c *Config) bool { return c.RopeTheta == 500000 }},
		"rope, transformers 5": {`{` + minimal + `,"rope_parameters":{"rope_theta":1000000.0,"rope_type":"default"}}`, func(c *Config) bool { return c.RopeTheta == 1e6 }},
		"one end token":        {`{` + minimal + `,"eos_token_id":2}`, func(c *Config) bool { return reflect.DeepEqual(c.EOS, []int{2}) }},
		"several end tokens":   {`{` + minimal + `,"eos_token_id":[2,5]}`, func(c *Config) bool { return reflect.DeepEqual(c.EOS, []int{2, 5}) }},
		"explicit head_dim":    {`{` + minimal + `,"head_dim":8,"num_key_value_heads":2}`, func(c *Config) bool { return c.HeadDim == 8 && c.KVHeads == 2 }},
		"null head_dim":        {`{` + minimal + `,"head_dim":null}`, func(c *Config) bool { return c.HeadDim == 64 }},
	} {
		got, err := ParseConfig([]byte(c.json))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !c.check(got) {
			t.Errorf("%s: %+v", name, *got)
		}
	}
}

func TestConfigRoundTrips(t *testing.T) {
	want, err := ParseConfig([]byte(`{` + minimal + `,"rope_theta":5000,"eos_token_id":[2,3],"bos_token_id":1,"tie_word_embeddings":true,"attention_bias":true}`))
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseConfig(data)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("written and read again: %+v, expected %+v", *got, *want)
	}
}

func TestConfigKeepsWhatItDoesNotRead(t *testing.T) {
	c, err := ParseConfig([]byte(`{` + minimal + `, "bos_token_id": 1, "eos_token_id": 2, "pretraining_tp": 3}`))
	if err != nil {
		t.Fatal(err)
	}
	c.EOS = []int{4, 5}
	data, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(data, &fields); err != nil {
		t.Fatal(err)
	}
	if fields["pretraining_tp"] != 3. || fields["bos_token_id"] != 1. || !reflect.DeepEqual(fields["eos_token_id"], []any{4., 5.}) {
		t.Errorf("written as %s", data)
	}
}

func TestConfigsThatSayTooLittle(t *testing.T) {
	c, err := ParseConfig([]byte(`{` + minimal + `}`))
	if err != nil {
		t.Fatal(err)
	}
	c.Layers = 1
	byHand := *c
	byHand.raw, byHand.ModelType = nil, "gemma2"
	for want, c := range map[string]*Config{"changed after": c, "ParseConfig": &byHand} {
		if _, err := c.describe(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, expected an error with %q", err, want)
		}
	}
}

func TestWindowsOfLayers(t *testing.T) {
	for _, c := range []struct {
		fields string
		want   []int // nil: an error
	}{
		{`"model_type":"mistral"`, []int{4096, 4096}},
		{`"model_type":"mistral","sliding_window":null`, []int{0, 0}},
		{`"model_type":"mistral","sliding_window":8,"layer_types":["full_attention","sliding_attention"]`, []int{0, 8}},
		{`"model_type":"qwen2","sliding_window":8,"max_window_layers":1`, []int{0, 0}},
		{`"model_type":"qwen2","sliding_window":8,"max_window_layers":1,"use_sliding_window":true`, []int{0, 8}},
		{`"model_type":"gemma2","head_dim":4`, []int{4096, 0}},
		{`"model_type":"gpt_oss","sliding_window":16`, []int{16, 0}},
		{`"model_type":"exaone4","sliding_window":8,"sliding_window_pattern":"LG"`, []int{8, 0}},
		{`"model_type":"exaone4","sliding_window":8,"sliding_window_pattern":"LLLG","layer_types":["full_attention","sliding_attention"]`, []int{0, 8}},
		{`"model_type":"exaone4","sliding_window":8,"sliding_window_pattern":"X"`, nil},
		{`"model_type":"exaone4","sliding_window":null,"layer_types":["full_attention","full_attention"]`, []int{0, 0}}, // EXAONE-4.0-1.2B
		{`"model_type":"gemma4_text","sliding_window":8,"layer_types":["sliding_attention","sliding_attention"],"use_bidirectional_attention":"vision"`, []int{8, 0}},
		{`"model_type":"gemma4_text","use_bidirectional_attention":"all"`, nil},
		{`"model_type":"mistral","layer_types":["full_attention"]`, nil},
		{`"model_type":"mistral","layer_types":["full_attention","linear_attention"]`, nil},
		{`"model_type":"mistral","sliding_window":-3`, nil},
		{`"model_type":"mistral","sliding_window":"8"`, nil},
	} {
		_, a, err := parseConfig([]byte(`{` + strings.Replace(minimal, `"model_type":"llama"`, `"num_key_value_heads":4,`+c.fields, 1) + `}`))
		if (err != nil) != (c.want == nil) {
			t.Errorf("%s: %v", c.fields, err)
			continue
		}
		for l, want := range c.want {
			if got := a.blocks[l].attn.window; got != want {
				t.Errorf("%s: layer %d has window %d, expected %d", c.fields, l, got, want)
			}
		}
	}
}

// TestLongestContext: a rotary embedding that is given by hand makes the context longer than max_position_embeddings, which stays as it was.
func TestLongestContext(t *testing.T) {
	for scaling, want := range map[string]int{
		`{"type":"yarn","factor":4,"original_max_position_embeddings":2048}`: 8192, // as Qwen2.5's README asks for
		`{"type":"yarn","factor":4,"original_max_position_embeddings":256}`:  2048,
		`{"type":"dynamic","factor":4}`:                                      8192,
		`{"type":"linear","factor":4}`:                                       2048,
	} {
		c, err := ParseConfig([]byte(`{` + strings.Replace(minimal, `"model_type"`, `"rope_scaling":`+scaling+`,"model_type"`, 1) + `}`))
		if err != nil {
			t.Fatal(err)
		}
		if c.MaxPositions != want {
			t.Errorf("%s: %d positions, expected %d", scaling, c.MaxPositions, want)
		}
	}
}

// TestPublishedSpellings are values that published files have and that mean what another one says.
func TestPublishedSpellings(t *testing.T) {
	for fields, want := range map[string]string{
		`"model_type":"gemma","hidden_act":"gelu","hidden_activation":null`: `"model_type":"gemma"`,                                     // gemma-7b
		`"model_type":"gpt_oss","swiglu_limit":7.0`:                         `"model_type":"gpt_oss","swiglu_alpha":1.702`,              // transformers 5.24
		`"model_type":"gemma2","use_bidirectional_attention":false`:         `"model_type":"gemma2","use_bidirectional_attention":null`, // null is the default
	} {
		kinds := func(fields string) string {
			_, a, err := parseConfig([]byte(`{` + strings.Replace(minimal, `"model_type":"llama"`, `"head_dim":4,"num_key_value_heads":4,`+fields, 1) + `}`))
			if err != nil {
				t.Fatal(err)
			}
			m := &a.blocks[0].mlp
			if m.experts != nil {
				return fmt.Sprint(m.experts.limit, m.experts.alpha)
			}
			return fmt.Sprintf("%p", m.act)
		}
		if got, want := kinds(fields), kinds(want); got != want {
			t.Errorf("%s: %s, expected %s", fields, got, want)
		}
	}
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte(`{` + minimal + `,"rope_scaling":{"type":"linear","factor":2},"eos_token_id":[1]}`))
	f.Add([]byte(strings.Repeat("[", 1000)))
	for name := range families {
		f.Add([]byte(`{` + strings.Replace(minimal, "llama", name, 1) + `}`))
	}
	f.Add([]byte(`{` + strings.Replace(minimal, "llama", "gpt_neo", 1) + `,"attention_types":[[["global","local"],1]]}`))
	f.Add([]byte(`{` + strings.Replace(minimal, "llama", "gpt_neo", 1) + `,"attention_types":[[[],1e18]]}`)) // once counted to 1e18
	f.Add([]byte(`{` + strings.Replace(minimal, "llama", "gemma3_text", 1) + `,"rope_parameters":{"full_attention":{"rope_type":"yarn","factor":2},"sliding_attention":{}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		testlimit.Run(t, len(data), func() { checkConfig(t, data) })
	})
}

// checkConfig reads a config.json and holds what was accepted to its promises.
func checkConfig(t *testing.T, data []byte) {
	c, a, err := parseConfig(data)
	if err != nil {
		return
	}
	if c.Heads%c.KVHeads != 0 || len(a.blocks) != c.Layers || len(a.weights(c)) == 0 {
		t.Errorf("accepted %+v", *c)
	}
	if _, err := c.describe(); err != nil {
		t.Errorf("accepted what it cannot describe: %v", err)
	}
}

func FuzzAdapterConfig(f *testing.F) {
	f.Add([]byte(`{"peft_type":"LORA","r":4,"target_modules":["q_proj"],"rank_pattern":{"q_proj":2},"alpha_pattern":{"layers.1.*":3.5}}`))
	f.Add([]byte(`{"peft_type":"LORA","r":4,"target_modules":["q_proj"],"layers_to_transform":[1],"layers_pattern":["layers"],"use_rslora":true}`))
	f.Add([]byte(`{"peft_type":"LORA","r":4,"target_modules":".*q_proj","exclude_modules":"x","init_lora_weights":"gaussian"}`))
	_, arch, err := parseConfig([]byte(`{` + minimal + `}`))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		testlimit.Run(t, len(data), func() {
			p, err := parsePEFT(data)
			if err != nil {
				return
			}
			parts, err := p.parts(arch)
			if err == nil && len(parts) == 0 {
				t.Errorf("accepted an adapter of nothing: %s", data)
			}
		})
	})
}
