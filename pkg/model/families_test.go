package model_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/attention"
	"github.com/attune-lab/attune/pkg/hf/safetensors"
	"github.com/attune-lab/attune/pkg/model"
)

// llamaLike are the sizes of the tiny models of the families that share llama's field names.
const llamaLike = `"vocab_size":97,"hidden_size":32,"intermediate_size":48,"num_hidden_layers":4,"num_attention_heads":4,"num_key_value_heads":2,
"head_dim":8,"max_position_embeddings":128,"initializer_range":0.2,"bos_token_id":1,"eos_token_id":null`

// tiny configurations of every family, with windows shorter than the test's sequences.
var tiny = map[string]string{
	"llama":                             `"model_type":"llama",` + llamaLike,
	"llama with biases":                 `"model_type":"llama","attention_bias":true,"mlp_bias":true,"tie_word_embeddings":true,` + llamaLike,
	"llama, linear rope":                `"model_type":"llama","rope_scaling":{"type":"linear","factor":4},` + llamaLike,
	"llama, llama3 rope":                `"model_type":"llama","rope_theta":500000,"rope_scaling":{"rope_type":"llama3","factor":8,"low_freq_factor":1,"high_freq_factor":4,"original_max_position_embeddings":32},` + llamaLike,
	"llama, yarn":                       `"model_type":"llama","rope_parameters":{"rope_type":"yarn","rope_theta":10000,"factor":4,"original_max_position_embeddings":32},` + llamaLike,
	"llama, dynamic, within its length": `"model_type":"llama","rope_scaling":{"rope_type":"dynamic","factor":2},` + llamaLike,
	"llama, dynamic, beyond its length": `"model_type":"llama","rope_scaling":{"rope_type":"dynamic","factor":8},"vocab_size":97,"hidden_size":32,"intermediate_size":48,
		"num_hidden_layers":3,"num_attention_heads":4,"max_position_embeddings":16,"initializer_range":0.2,"eos_token_id":null`,
	"mistral":    `"model_type":"mistral","sliding_window":6,` + llamaLike,
	"ministral3": `"model_type":"ministral3","rope_parameters":{"rope_type":"yarn","rope_theta":10000,"factor":4,"original_max_position_embeddings":16,"llama_4_scaling_beta":0.5},` + llamaLike,
	"qwen2":      `"model_type":"qwen2","use_sliding_window":true,"max_window_layers":2,"sliding_window":6,` + llamaLike,
	"qwen3":      `"model_type":"qwen3","tie_word_embeddings":true,` + llamaLike,
	"gemma2":     `"model_type":"gemma2","sliding_window":6,"query_pre_attn_scalar":24,"final_logit_softcapping":3,"attn_logit_softcapping":2,` + llamaLike,
	"gemma3_text": `"model_type":"gemma3_text","sliding_window":6,"sliding_window_pattern":3,"query_pre_attn_scalar":24,"rope_theta":1000000,"rope_local_base_freq":10000,
		"rope_scaling":{"rope_type":"linear","factor":8},` + llamaLike,
	"gpt2": `"model_type":"gpt2","vocab_size":97,"n_embd":32,"n_layer":4,"n_head":4,"n_positions":128,"initializer_range":0.2,"bos_token_id":1,"eos_token_id":null`,
	"gpt2, scaled by layer": `"model_type":"gpt2","vocab_size":97,"n_embd":32,"n_layer":3,"n_head":4,"n_positions":128,"initializer_range":0.2,
		"scale_attn_by_inverse_layer_idx":true,"tie_word_embeddings":false,"eos_token_id":null`,
	"gpt_neo": `"model_type":"gpt_neo","vocab_size":97,"hidden_size":32,"num_layers":4,"num_heads":4,"max_position_embeddings":128,"attention_types":[[["global","local"],2]],
		"window_size":6,"initializer_range":0.2,"eos_token_id":null`,
	"gpt_neox": `"model_type":"gpt_neox","vocab_size":97,"hidden_size":64,"intermediate_size":96,"num_hidden_layers":4,"num_attention_heads":4,"max_position_embeddings":128,
		"rotary_pct":0.25,"initializer_range":0.2,"eos_token_id":null`,
	"gpt_neox, one after the other": `"model_type":"gpt_neox","use_parallel_residual":false,"vocab_size":97,"hidden_size":32,"intermediate_size":96,"num_hidden_layers":3,
		"num_attention_heads":4,"max_position_embeddings":128,"rope_parameters":{"rope_type":"default","rope_theta":10000,"partial_rotary_factor":0.5},"initializer_range":0.2,"eos_token_id":null`,
	"olmo2": `"model_type":"olmo2",` + llamaLike,
	"phi3":  `"model_type":"phi3","sliding_window":7,` + llamaLike,
	"phi3, long rope": `"model_type":"phi3","original_max_position_embeddings":16,"rope_scaling":{"type":"longrope","short_factor":[1,1.1,1.2,1.3],"long_factor":[2,3,4,5]},` +
		llamaLike,
	"smollm3":                `"model_type":"smollm3","no_rope_layers":[1,0,1,0],` + llamaLike,
	"olmo":                   `"model_type":"olmo","clip_qkv":2,` + llamaLike,
	"olmo3":                  `"model_type":"olmo3","sliding_window":6,` + llamaLike,
	"olmoe":                  `"model_type":"olmoe","num_experts":5,"num_experts_per_tok":2,` + llamaLike,
	"granite":                `"model_type":"granite","embedding_multiplier":3,"logits_scaling":2,"residual_multiplier":0.5,"attention_multiplier":0.2,` + llamaLike,
	"cohere":                 `"model_type":"cohere","use_qk_norm":true,` + llamaLike,
	"cohere2":                `"model_type":"cohere2","sliding_window":6,` + llamaLike,
	"starcoder2":             `"model_type":"starcoder2","sliding_window":6,` + llamaLike,
	"stablelm":               `"model_type":"stablelm","partial_rotary_factor":0.5,"use_qkv_bias":true,` + llamaLike,
	"stablelm, side by side": `"model_type":"stablelm","partial_rotary_factor":0.5,"use_parallel_residual":true,"qk_layernorm":true,` + llamaLike,
	"glm":                    `"model_type":"glm",` + llamaLike,
	"glm4":                   `"model_type":"glm4",` + llamaLike,
	"seed_oss":               `"model_type":"seed_oss",` + llamaLike,
	"arcee":                  `"model_type":"arcee",` + llamaLike,
	"nanochat":               `"model_type":"nanochat",` + llamaLike,
	"apertus":                `"model_type":"apertus",` + llamaLike,
	"ernie4_5":               `"model_type":"ernie4_5","use_bias":true,` + llamaLike,
	"hunyuan_v1_dense":       `"model_type":"hunyuan_v1_dense",` + llamaLike,
	"exaone4":                `"model_type":"exaone4","sliding_window":6,` + llamaLike,
	"gemma":                  `"model_type":"gemma",` + llamaLike,
	"gemma4_text": `"model_type":"gemma4_text","sliding_window":6,"layer_types":["sliding_attention","full_attention","sliding_attention","full_attention"],"global_head_dim":12,
		"hidden_size_per_layer_input":4,"vocab_size_per_layer_input":97,"attention_k_eq_v":true,"num_global_key_value_heads":1,` + llamaLike,
	"gemma4_text, shared keys": `"model_type":"gemma4_text","sliding_window":6,"layer_types":["sliding_attention","full_attention","sliding_attention","full_attention"],"global_head_dim":12,
		"hidden_size_per_layer_input":0,"num_kv_shared_layers":2,"use_double_wide_mlp":true,` + llamaLike,
	"gptj": `"model_type":"gptj","vocab_size":97,"n_embd":32,"n_layer":3,"n_head":4,"n_positions":128,"rotary_dim":4,"initializer_range":0.2,"eos_token_id":null`,
	"opt":  `"model_type":"opt","ffn_dim":48,"word_embed_proj_dim":32,` + llamaLike,
	"opt, norms behind sums, narrow embedding": `"model_type":"opt","ffn_dim":48,"word_embed_proj_dim":24,"do_layer_norm_before":false,` + llamaLike,
	"phi":                  `"model_type":"phi","qk_layernorm":true,` + llamaLike,
	"falcon":               `"model_type":"falcon","new_decoder_architecture":true,"num_kv_heads":2,` + llamaLike,
	"falcon, one key head": `"model_type":"falcon",` + llamaLike,
	"falcon, head by head": `"model_type":"falcon","multi_query":false,"parallel_attn":false,"bias":true,` + llamaLike,
	"mixtral":              `"model_type":"mixtral","sliding_window":6,"num_local_experts":5,"num_experts_per_tok":2,` + llamaLike,
	"qwen2_moe":            `"model_type":"qwen2_moe","num_experts":5,"num_experts_per_tok":2,"moe_intermediate_size":16,"shared_expert_intermediate_size":24,"mlp_only_layers":[1],` + llamaLike,
	"qwen3_moe":            `"model_type":"qwen3_moe","num_experts":5,"num_experts_per_tok":2,"moe_intermediate_size":16,"norm_topk_prob":true,"decoder_sparse_step":2,` + llamaLike,
	"gpt_oss":              `"model_type":"gpt_oss","sliding_window":6,"num_local_experts":5,"num_experts_per_tok":2,` + llamaLike,
}

// family makes a model of a tiny configuration in which every weight is random, biases, norms and sinks too: at their usual starting values of 0 and 1 a
// forgotten one would not show.
func family(t *testing.T, name string) *model.Model {
	t.Helper()
	return openFamily(t, writeFamily(t, name))
}

func openFamily(t *testing.T, dir string) *model.Model {
	t.Helper()
	m, err := model.Load(dir, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func writeFamily(t *testing.T, name string) string {
	t.Helper()
	c, err := model.ParseConfig([]byte("{" + tiny[name] + "}"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.New(c, nil, 5, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := m.Save(dir, dtypes.Float32); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	rewrite(t, dir, func(ts []safetensors.Tensor) []safetensors.Tensor {
		for i, x := range ts {
			v, err := x.Float32s()
			if err != nil {
				t.Fatal(err)
			}
			for k := range v {
				v[k] += float32(rng.NormFloat64() * 0.2)
			}
			ts[i] = safetensors.FromFloat32s(x.Name, x.Shape, v)
		}
		return ts
	})
	return dir
}

// everyFamily runs a test on every tiny configuration, and checks that no family was left out.
func everyFamily(t *testing.T, test func(t *testing.T, name string)) {
	for _, f := range model.Families() {
		if tiny[f] == "" {
			t.Errorf("no tiny configuration of family %s", f)
		}
	}
	for name := range tiny {
		t.Run(name, func(t *testing.T) { test(t, name) })
	}
}

var unequal = [][]int{tokens(1, 4, 97), tokens(2, 15, 97), tokens(3, 9, 97)}

func TestEveryFamilyDecodesAsItRecomputes(t *testing.T) {
	everyFamily(t, func(t *testing.T, name string) {
		m := family(t, name)
		for _, exp := range []model.Experiment{nil, gain{}} {
			g, err := m.Generate(unequal, model.GenerateOptions{MaxTokens: 14, Chunk: 5}, exp)
			if err != nil {
				t.Fatal(err)
			}
			for i, p := range unequal {
				if want := recompute(t, m, p, 14, exp); !slices.Equal(g.Tokens[i], want) {
					t.Errorf("experiment %v, prompt %d: decoding gives %v, recomputation %v", exp, i, g.Tokens[i], want)
				}
			}
		}
	})
}

// TestLongRopeKeepsItsCacheBeyondTheTrainedLength: one prompt beyond it, one that stays within.
func TestLongRopeKeepsItsCacheBeyondTheTrainedLength(t *testing.T) {
	m := family(t, "phi3, long rope")
	prompts := [][]int{tokens(2, 25, 97), tokens(3, 5, 97)}
	g, err := m.Generate(prompts, model.GenerateOptions{MaxTokens: 9, Chunk: 4}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(g.Plan, "decode:") {
		t.Errorf("decoded without a cache: plan %v", g.Plan)
	}
	for i, p := range prompts {
		if want := recompute(t, m, p, 9, nil); !slices.Equal(g.Tokens[i], want) {
			t.Errorf("prompt %d: decoding gives %v, recomputation %v", i, g.Tokens[i], want)
		}
	}
}

// gain doubles in every later layer what layer 0 gives more than a tenth to: an intervention that carries a mask from one layer to others.
type gain struct{}

func (gain) Visit(l attention.Layer) *attention.Visit {
	if l.Index == 0 {
		return &attention.Visit{Key: "mask", Build: func(s *attention.Site) {
			p := s.Probs()
			s.Keep("mask", GreaterThan(p, Scalar(p.Graph(), p.DType(), 0.1)))
		}}
	}
	return &attention.Visit{Key: "gain", Build: func(s *attention.Site) {
		p := s.Probs()
		s.SetProbs(Where(s.Kept("mask"), MulScalar(p, 2.0), p))
	}}
}

func TestEveryFamilyGivesABatchWhatItsItemsGiveAlone(t *testing.T) {
	everyFamily(t, func(t *testing.T, name string) {
		m := family(t, name)
		together := logits(t, m, unequal, nil)
		for i, p := range unequal {
			if d := maxDiff(together[i], logits(t, m, [][]int{p}, nil)[0]); !(d <= batchTolerance) {
				t.Errorf("prompt %d: logits differ by %g between a batch and the prompt alone", i, d)
			}
		}
	})
}

// TestEveryFamilyGeneratesInABatchAsAlone: greedily and sampling, whatever the other prompts' lengths and order. Sampled tokens are equal where no draw falls
// within rounding of a border between two tokens, which these do not.
func TestEveryFamilyGeneratesInABatchAsAlone(t *testing.T) {
	everyFamily(t, func(t *testing.T, name string) {
		m := family(t, name)
		for _, s := range []model.Sampling{{}, {Temperature: 1, TopP: 0.9, Seed: 3}} {
			opts := model.GenerateOptions{MaxTokens: 9, Chunk: 4, IgnoreEOS: true, Sampling: s, SampleIDs: []uint64{7, 8, 9}}
			together, err := m.Generate(unequal, opts, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i, p := range unequal {
				opts.SampleIDs = []uint64{7 + uint64(i)}
				alone, err := m.Generate([][]int{p}, opts, nil)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(together.Tokens[i], alone.Tokens[0]) {
					t.Errorf("sampling %+v, prompt %d: %v in a batch, %v alone", s, i, together.Tokens[i], alone.Tokens[0])
				}
			}
		}
	})
}

func TestEveryFamilySavesWhatItLoaded(t *testing.T) {
	everyFamily(t, func(t *testing.T, name string) {
		from := writeFamily(t, name)
		// A field that nothing here reads has to survive too.
		edit("resid_pdrop", 0.25)(t, from)
		m := openFamily(t, from)
		dir := t.TempDir()
		if err := m.Save(dir, dtypes.Float32); err != nil {
			t.Fatal(err)
		}
		again := openFamily(t, dir)
		if d := maxDiff(logits(t, m, unequal, nil)[1], logits(t, again, unequal, nil)[1]); d != 0 {
			t.Errorf("logits differ by %g after saving and loading", d)
		}
		if again.Hash != m.Hash {
			t.Errorf("hash %s after saving, %s before", again.Hash, m.Hash)
		}
		before, after := configFields(t, from), configFields(t, dir)
		for k, v := range before {
			if fmt.Sprint(after[k]) != fmt.Sprint(v) {
				t.Errorf("config.json: %s is %v after saving, was %v", k, after[k], v)
			}
		}
		if after["dtype"] != "float32" {
			t.Errorf("config.json: dtype is %v", after["dtype"])
		}
	})
}

func configFields(t *testing.T, dir string) map[string]any {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(data, &fields); err != nil {
		t.Fatal(err)
	}
	return fields
}

// TestNamesWithoutThePrefix: hub checkpoints saved from the bare decoder, GPT-2's own among them, lack the prefix and hold old masks.
func TestNamesWithoutThePrefix(t *testing.T) {
	for name, prefix := range map[string]string{"gpt2": "transformer.", "qwen3": "model.", "gpt_neox": "gpt_neox."} {
		dir := writeFamily(t, name)
		want := logits(t, openFamily(t, dir), unequal, nil)[0]
		rewrite(t, dir, func(ts []safetensors.Tensor) []safetensors.Tensor {
			for i := range ts {
				if len(ts[i].Name) > len(prefix) && ts[i].Name[:len(prefix)] == prefix {
					ts[i].Name = ts[i].Name[len(prefix):]
				}
			}
			if name == "gpt2" {
				ts = append(ts, safetensors.FromFloat32s("h.0.attn.bias", []int{1}, []float32{1}))
			}
			return ts
		})
		if d := maxDiff(want, logits(t, openFamily(t, dir), unequal, nil)[0]); d != 0 {
			t.Errorf("%s: logits differ by %g without the prefix", name, d)
		}
	}
}

// site emits what an experiment sees of every layer.
type site struct{}

func (site) Visit(attention.Layer) *attention.Visit {
	return &attention.Visit{Key: "site", Build: func(s *attention.Site) {
		s.Emit("probs", Identity(s.Probs()))
		s.Emit("scores", Identity(s.Scores()))
		if s.Sinks != nil {
			s.Emit("sinks", Identity(s.Sinks))
		}
		s.Emit("window", Scalar(s.Query.Graph(), dtypes.Int32, s.Window))
		s.Emit("softcap", Scalar(s.Query.Graph(), dtypes.Float32, s.Softcap))
	}}
}

// TestEveryFamilyHasTheSameSite checks the meaning of a site's parts on the host: the mask ends at the window, scores are capped, probabilities are the
// softmax over real keys and, where there is one, the sink.
func TestEveryFamilyHasTheSameSite(t *testing.T) {
	windows := map[string][]int{
		"mistral": {6, 6, 6, 6}, "qwen2": {0, 0, 6, 6}, "gemma2": {6, 0, 6, 0}, "gemma3_text": {6, 6, 0, 6}, "gpt_neo": {0, 6, 0, 6},
		"phi3": {7, 7, 7, 7}, "gpt_oss": {6, 0, 6, 0}, "starcoder2": {6, 6, 6, 6}, "mixtral": {6, 6, 6, 6}, "cohere2": {6, 6, 6, 0}, "exaone4": {6, 6, 6, 0},
		"olmo3": {6, 6, 6, 0}, "gemma4_text": {6, 0, 6, 0}, "gemma4_text, shared keys": {6, 0, 6, 0},
	}
	everyFamily(t, func(t *testing.T, name string) {
		m := family(t, name)
		const n = 15
		r, err := m.Forward(model.Batch{Tokens: [][]int{tokens(2, n, 97)}, Bucket: 1}, model.Outputs{}, site{})
		if err != nil {
			t.Fatal(err)
		}
		get := func(kind string, l int) []float32 {
			return tensors.MustCopyFlatData[float32](r.Emitted[kind][l])
		}
		for l := range m.Config.Layers {
			window := int(tensors.ToScalar[int32](r.Emitted["window"][l]))
			if w := windows[name]; w != nil && w[l] != window || w == nil && window != 0 {
				t.Errorf("layer %d has window %d, expected %v", l, window, w)
			}
			probs, scores := get("probs", l), get("scores", l)
			limit := float64(tensors.ToScalar[float32](r.Emitted["softcap"][l]))
			var sinks []float32
			if r.Emitted["sinks"] != nil {
				sinks = get("sinks", l)
			}
			if (sinks != nil) != (name == "gpt_oss") || (limit != 0) != (name == "gemma2") {
				t.Errorf("layer %d: sinks %v, soft cap %g", l, sinks, limit)
			}
			for h := range m.Config.Heads {
				for i := range n {
					row, at := 0.0, (h*n+i)*n
					total := 0.0
					if sinks != nil {
						total = math.Exp(float64(sinks[h]))
					}
					seen := func(j int) bool { return j <= i && (window == 0 || j > i-window) }
					for j := range n {
						s := float64(scores[at+j])
						switch {
						case !seen(j):
							if probs[at+j] != 0 || s > -1e29 {
								t.Fatalf("layer %d, head %d: query %d sees key %d with %g", l, h, i, j, probs[at+j])
							}
							continue
						case limit != 0 && math.Abs(s) > limit:
							t.Fatalf("layer %d: a score of %g is above its cap", l, s)
						}
						total += math.Exp(s)
						row += float64(probs[at+j])
					}
					for j := range n {
						if want := math.Exp(float64(scores[at+j])) / total; seen(j) && math.Abs(want-float64(probs[at+j])) > 1e-5 {
							t.Fatalf("layer %d, head %d: probability %d,%d is %g, expected %g", l, h, i, j, probs[at+j], want)
						}
					}
					if sinks == nil && math.Abs(row-1) > 1e-5 || sinks != nil && row >= 1+1e-6 {
						t.Fatalf("layer %d, head %d: row %d sums to %g", l, h, i, row)
					}
				}
			}
		}
	})
}
