package model_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"

	"github.com/attune-lab/attune/pkg/hf/safetensors"
	"github.com/attune-lab/attune/pkg/model"
)

func TestSavedModelLoadsToTheSameLogits(t *testing.T) {
	m := tinyModel(t)
	prompt := [][]int{tokens(1, 12, 97)}
	for dtype, tolerance := range map[dtypes.DType]float64{dtypes.Float32: 0, dtypes.BFloat16: 0.2} {
		dir := t.TempDir()
		if err := m.Save(dir, dtype); err != nil {
			t.Fatal(err)
		}
		got, err := model.Load(dir, model.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if d := maxDiff(logits(t, m, prompt, nil)[0], logits(t, got, prompt, nil)[0]); !(d <= tolerance) {
			t.Errorf("%s: logits differ by %g after saving and loading, expected at most %g", dtype, d, tolerance)
		}
		if got.Hash == "" || got.Tokenizer != nil {
			t.Errorf("%s: hash %q, tokenizer %v", dtype, got.Hash, got.Tokenizer)
		}
	}
}

// TestLoadSaysWhatIsWrong damages a good directory in every way a download or a conversion can.
func TestLoadSaysWhatIsWrong(t *testing.T) {
	m := tinyModel(t)
	cases := []struct {
		name   string
		damage func(t *testing.T, dir string)
		want   []string // parts of the message
	}{
		{"no directory", func(t *testing.T, dir string) { os.RemoveAll(dir) }, []string{"config.json"}},
		{"no weights", func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, "model.safetensors")) }, []string{"model.safetensors"}},
		{"truncated weights", func(t *testing.T, dir string) {
			if err := os.Truncate(filepath.Join(dir, "model.safetensors"), 5000); err != nil {
				t.Fatal(err)
			}
		}, []string{"model.safetensors"}},
		{"missing tensor", func(t *testing.T, dir string) {
			rewrite(t, dir, func(ts []safetensors.Tensor) []safetensors.Tensor {
				return without(ts, "model.layers.1.mlp.up_proj.weight")
			})
		}, []string{"model.layers.1.mlp.up_proj.weight"}},
		{"another shape", func(t *testing.T, dir string) {
			rewrite(t, dir, func(ts []safetensors.Tensor) []safetensors.Tensor {
				return append(without(ts, "model.norm.weight"), safetensors.FromFloat32s("model.norm.weight", []int{33}, make([]float32, 33)))
			})
		}, []string{"model.norm.weight", "[33]", "[32]"}},
		{"a tensor of another architecture", func(t *testing.T, dir string) {
			rewrite(t, dir, func(ts []safetensors.Tensor) []safetensors.Tensor {
				return append(ts, safetensors.FromFloat32s("model.layers.0.self_attn.q_norm.weight", []int{8}, make([]float32, 8)))
			})
		}, []string{"q_norm"}},
		{"integers for weights", func(t *testing.T, dir string) {
			rewrite(t, dir, func(ts []safetensors.Tensor) []safetensors.Tensor {
				return append(without(ts, "model.norm.weight"), safetensors.FromInt32s("model.norm.weight", []int{32}, make([]int32, 32)))
			})
		}, []string{"model.norm.weight", "I32"}},
		{"unknown model_type", edit("model_type", "mamba"), []string{"config.json", "mamba", "llama"}},
		{"unknown activation", edit("hidden_act", "snake"), []string{"config.json", "snake", "silu"}},
		{"scaled rope", edit("rope_parameters", map[string]any{"rope_type": "yarn"}), []string{"yarn"}},
		{"quantised", edit("quantization_config", map[string]any{"quant_method": "mxfp4"}), []string{"config.json", "mxfp4", "bfloat16"}},
		{"no layers", edit("num_hidden_layers", 0), []string{"num_hidden_layers", "0"}},
		{"heads not a multiple", edit("num_key_value_heads", 3), []string{"num_attention_heads", "3"}},
		{"absurd size", edit("hidden_size", 1<<40), []string{"hidden_size"}},
		{"a number as a string", edit("vocab_size", "97"), []string{"config.json", "vocab_size"}},
		{"not JSON", func(t *testing.T, dir string) {
			os.WriteFile(filepath.Join(dir, "config.json"), []byte("{"), 0o644)
		}, []string{"config.json"}},
		{"unreadable tokenizer", func(t *testing.T, dir string) {
			os.WriteFile(filepath.Join(dir, "tokenizer.json"), []byte("[]"), 0o644)
		}, []string{"tokenizer.json"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "m")
			if err := m.Save(dir, dtypes.Float32); err != nil {
				t.Fatal(err)
			}
			c.damage(t, dir)
			_, err := model.Load(dir, model.Options{})
			if err == nil {
				t.Fatal("loaded without an error")
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("the message does not name %q: %v", w, err)
				}
			}
		})
	}
}

// TestTokenBeyondTheVocabularyIsAWarning: text without it runs, and a pass with it is refused by its id.
func TestTokenBeyondTheVocabularyIsAWarning(t *testing.T) {
	dir := t.TempDir()
	if err := tinyModel(t).Save(dir, dtypes.Float32); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "tokenizer.json"), []byte(bigTokenizer), 0o644); err != nil {
		t.Fatal(err)
	}
	m, err := model.Load(dir, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Warnings) != 1 || !strings.Contains(m.Warnings[0], "tokenizer.json") || !strings.Contains(m.Warnings[0], "97") {
		t.Errorf("warnings %q, expected one that names tokenizer.json and the id 97", m.Warnings)
	}
	if _, err := m.Forward(model.Prompts(m.Tokenizer.Encode("a")), model.Outputs{Logits: true}, nil); err != nil {
		t.Error(err)
	}
	if _, err := m.Forward(model.Prompts(m.Tokenizer.Encode("ab")), model.Outputs{Logits: true}, nil); err == nil || !strings.Contains(err.Error(), "97") {
		t.Errorf("%v, expected an error that names the id 97", err)
	}
}

// bigTokenizer has an id beyond the tiny model's vocabulary of 97.
const bigTokenizer = `{"version":"1.0","added_tokens":[],"normalizer":null,"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"use_regex":true},
"post_processor":null,"decoder":{"type":"ByteLevel"},"model":{"type":"BPE","vocab":{"a":0,"b":97},"merges":[]}}`

func edit(field string, value any) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		path := filepath.Join(dir, "config.json")
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]any
		if err := json.Unmarshal(data, &fields); err != nil {
			t.Fatal(err)
		}
		fields[field] = value
		if data, err = json.Marshal(fields); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func rewrite(t *testing.T, dir string, change func([]safetensors.Tensor) []safetensors.Tensor) {
	t.Helper()
	path := filepath.Join(dir, "model.safetensors")
	f, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	var ts []safetensors.Tensor
	for _, n := range f.Names() {
		x, err := f.Tensor(n)
		if err != nil {
			t.Fatal(err)
		}
		x.Data = append([]byte(nil), x.Data...)
		ts = append(ts, x)
	}
	f.Close()
	if err := safetensors.Write(path, change(ts), nil); err != nil {
		t.Fatal(err)
	}
}

func without(ts []safetensors.Tensor, name string) []safetensors.Tensor {
	var out []safetensors.Tensor
	for _, x := range ts {
		if x.Name != name {
			out = append(out, x)
		}
	}
	return out
}
