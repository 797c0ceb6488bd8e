package train_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"

	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/train"
)

// families are small models whose projections are stored in every way there is: one by one, fused by blocks, fused and transposed, fused head by head.
var families = map[string]string{
	"llama":    `{"model_type": "llama", "vocab_size": 40, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "hidden_act": "silu"}`,
	"phi3":     `{"model_type": "phi3", "vocab_size": 40, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64, "original_max_position_embeddings": 64, "rms_norm_eps": 1e-5, "hidden_act": "silu"}`,
	"gpt2":     `{"model_type": "gpt2", "vocab_size": 40, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64, "activation_function": "gelu_new"}`,
	"gpt_neox": `{"model_type": "gpt_neox", "vocab_size": 40, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 64, "hidden_act": "gelu"}`,
}

func family(t testing.TB, name string) *model.Model {
	t.Helper()
	c, err := model.ParseConfig([]byte(families[name]))
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.New(c, nil, 3, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// near compares logits: 1e-5 is a few hundred roundings of values about 1, and products are added up in another order.
func near(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if math.Abs(float64(got[i]-want[i])) > 1e-5 {
			t.Fatalf("%s: logit %d is %v, expected %v", what, i, got[i], want[i])
		}
	}
}

func TestAdapterIsTrainedMergedSavedAndLoaded(t *testing.T) {
	for name := range families {
		t.Run(name, func(t *testing.T) {
			m := family(t, name)
			m.Hash = strings.Repeat("0123", 16)
			plain := logits(t, m)
			before := weights(t, m)
			if err := m.AttachAdapter(model.Adapter{Rank: 3, Alpha: 12}, 5); err != nil {
				t.Fatal(err)
			}
			if m.Hash != "" || m.AdapterBase() == "" {
				t.Errorf("with an adapter the model's hash is %q and its base's %q", m.Hash, m.AdapterBase())
			}
			if !slices.Equal(logits(t, m), plain) {
				t.Error("an adapter that has not been trained changes the logits")
			}
			run(t, m, newFeed(t, counting(90), 4), train.Options{Steps: 8, Optimizer: train.AdamW{Schedule: train.Schedule{Peak: 1e-2}}})
			applied := logits(t, m)
			if slices.Equal(applied, plain) {
				t.Fatal("training the adapter changes nothing")
			}
			adapter := m.AdapterWeights()
			for path, now := range weights(t, m) {
				inAdapter := slices.Contains(adapter, strings.TrimPrefix(path, "/"))
				if want, had := before[path]; inAdapter == had || had && !slices.Equal(now, want) {
					t.Errorf("%s changed or is new, and only the adapter may", path)
				}
			}
			decoded, err := m.Generate([][]int{{1, 7, 8, 9}}, model.GenerateOptions{MaxTokens: 6}, nil)
			if err != nil {
				t.Fatal(err)
			}

			dir := t.TempDir()
			if err := train.SaveAdapter(m, dir, "base"); err != nil {
				t.Fatal(err)
			}
			again := family(t, name)
			if err := again.LoadAdapter(dir); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(logits(t, again), applied) {
				t.Error("the saved adapter has other logits than the one that was trained")
			}

			if err := m.MergeAdapter(); err != nil {
				t.Fatal(err)
			}
			near(t, "merged", logits(t, m), applied)
			if g, err := m.Generate([][]int{{1, 7, 8, 9}}, model.GenerateOptions{MaxTokens: 6}, nil); err != nil || !slices.Equal(g.Tokens[0], decoded.Tokens[0]) {
				t.Errorf("merged it generates %v, applied %v (%v)", g.Tokens, decoded.Tokens, err)
			}
			if _, has := m.Adapter(); has || m.Hash != "" || len(weights(t, m)) != len(before) {
				t.Error("the merged model still has its adapter")
			}
			if err := m.Save(dir, dtypes.Float32); err != nil {
				t.Fatal(err)
			}
			saved, err := model.Load(dir, model.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(logits(t, saved), logits(t, m)) {
				t.Error("the merged model that was saved has other logits")
			}

			if err := again.DetachAdapter(); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(logits(t, again), plain) {
				t.Error("without its adapter the model is not what it was")
			}
		})
	}
}

func TestRankZeroChangesNothing(t *testing.T) {
	m := family(t, "llama")
	plain := logits(t, m)
	if err := m.AttachAdapter(model.Adapter{}, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := train.Run(context.Background(), m, newFeed(t, counting(9), 1), train.Options{Steps: 1}); err == nil || !strings.Contains(err.Error(), "rank 0") {
		t.Errorf("training it: %v", err)
	}
	if !slices.Equal(logits(t, m), plain) {
		t.Error("it changes the logits")
	}
	if err := m.MergeAdapter(); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(logits(t, m), plain) {
		t.Error("merged it changes the logits")
	}
}

func TestAdapterTargets(t *testing.T) {
	m := family(t, "llama")
	if err := m.AttachAdapter(model.Adapter{Rank: 2, Targets: []string{"q_proj", "mlp.down_proj"}}, 1); err != nil {
		t.Fatal(err)
	}
	want := []string{"model.layers.0.mlp.down_proj", "model.layers.0.self_attn.q_proj", "model.layers.1.mlp.down_proj", "model.layers.1.self_attn.q_proj"}
	if got := m.AdapterModules(); !slices.Equal(got, want) {
		t.Errorf("adapted are %v, expected %v", got, want)
	}
	if err := m.AttachAdapter(model.Adapter{Rank: 1}, 1); err == nil {
		t.Error("a second adapter is not refused")
	}
	if err := m.DetachAdapter(); err != nil {
		t.Fatal(err)
	}
	if err := m.AttachAdapter(model.Adapter{Rank: 2, Targets: []string{"q_proj", "c_attn"}}, 1); err == nil || !strings.Contains(err.Error(), "c_attn") || !strings.Contains(err.Error(), "gate_proj") {
		t.Errorf("an unknown target: %v, expected an error that names it and those there are", err)
	}
}

func TestForeignAdaptersAreRefused(t *testing.T) {
	m := family(t, "llama")
	if err := m.AttachAdapter(model.Adapter{Rank: 2, Targets: []string{"q_proj"}}, 1); err != nil {
		t.Fatal(err)
	}
	good := t.TempDir()
	if err := train.SaveAdapter(m, good, ""); err != nil {
		t.Fatal(err)
	}
	if err := m.DetachAdapter(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(good, "adapter_config.json"))
	if err != nil {
		t.Fatal(err)
	}
	for want, replace := range map[string][2]string{
		"use_dora":       {`"r": 2`, `"r": 2, "use_dora": true`},
		"rank_pattern":   {`"r": 2`, `"r": 2, "rank_pattern": {"q_proj": 3}`},
		"[288230376":     {`"r": 2`, `"r": 2, "rank_pattern": {"q_proj": 288230376151711744}`},
		"expected LORA":  {`"LORA"`, `"IA3"`},
		"expected none":  {`"none"`, `"all"`},
		"shape [2 32]":   {`"r": 2`, `"r": 4`},
		"k_proj":         {`"q_proj"`, `"k_proj"`},
		"no_such_module": {`"q_proj"`, `"no_such_module"`},
	} {
		dir := t.TempDir()
		weights, err := os.ReadFile(filepath.Join(good, "adapter_model.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		for name, data := range map[string][]byte{"adapter_model.safetensors": weights, "adapter_config.json": []byte(strings.Replace(string(text), replace[0], replace[1], 1))} {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want == "k_proj" {
			want = "belongs to none"
		}
		if err := m.LoadAdapter(dir); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%v: %v, expected an error with %q", replace, err, want)
		}
		if _, has := m.Adapter(); has {
			t.Fatalf("%v: a refused adapter stays attached", replace)
		}
	}
	all := strings.Replace(string(text), "[\n    \"q_proj\"\n  ]", `"all-linear"`, 1)
	if err := os.WriteFile(filepath.Join(good, "adapter_config.json"), []byte(all), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := m.LoadAdapter(good); err == nil || !strings.Contains(err.Error(), "lora_A") {
		t.Errorf("all-linear without the other matrices: %v, expected an error that names one", err)
	}
}
