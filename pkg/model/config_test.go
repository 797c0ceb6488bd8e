package model

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

const minimal = `"model_type":"llama","vocab_size":10,"hidden_size":16,"intermediate_size":32,"num_hidden_layers":2,"num_attention_heads":4,"max_position_embeddings":64`

func TestConfigReadsOldAndNewFields(t *testing.T) {
	for name, c := range map[string]struct {
		json  string
		check func(*Config) bool
	}{
		"defaults": {`{` + minimal + `}`, func(c *Config) bool {
			return c.KVHeads == 4 && c.HeadDim == 4 && c.RopeTheta == 10000 && c.BOS == -1 && c.NormEps == 1e-6
		}},
		"rope, transformers 4": {`{` + minimal + `,"rope_theta":500000.0,"rope_scaling":null}`, func(c *Config) bool { return c.RopeTheta == 500000 }},
		"rope, transformers 5": {`{` + minimal + `,"rope_parameters":{"rope_theta":1000000.0,"rope_type":"default"}}`, func(c *Config) bool { return c.RopeTheta == 1e6 }},
		"one end token":        {`{` + minimal + `,"eos_token_id":2}`, func(c *Config) bool { return reflect.DeepEqual(c.EOS, []int{2}) }},
		"several end tokens":   {`{` + minimal + `,"eos_token_id":[2,5]}`, func(c *Config) bool { return reflect.DeepEqual(c.EOS, []int{2, 5}) }},
		"explicit head_dim":    {`{` + minimal + `,"head_dim":8,"num_key_value_heads":2}`, func(c *Config) bool { return c.HeadDim == 8 && c.KVHeads == 2 }},
		"null head_dim":        {`{` + minimal + `,"head_dim":null}`, func(c *Config) bool { return c.HeadDim == 4 }},
	} {
		got, err := parseConfig([]byte(c.json))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !c.check(got) {
			t.Errorf("%s: %+v", name, *got)
		}
	}
}

func TestConfigRoundTrips(t *testing.T) {
	want, err := parseConfig([]byte(`{` + minimal + `,"rope_theta":5000,"eos_token_id":[2,3],"bos_token_id":1,"tie_word_embeddings":true,"attention_bias":true}`))
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := parseConfig(data)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("written and read again: %+v, expected %+v", *got, *want)
	}
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte(`{` + minimal + `}`))
	f.Add([]byte(`{` + minimal + `,"rope_scaling":{"type":"linear","factor":2},"eos_token_id":[1]}`))
	f.Add([]byte(strings.Repeat("[", 1000)))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := parseConfig(data); err == nil {
			if c.Heads%c.KVHeads != 0 || c.HeadDim < 2 {
				t.Errorf("accepted %+v", *c)
			}
		}
	})
}
