package model

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"

	"github.com/attune-lab/attune/pkg/hf/safetensors"
)

// TestQuantisedTensorsAreWhatTransformersMakesOfThem compares bits (testdata/make_quantised.py).
func TestQuantisedTensorsAreWhatTransformersMakesOfThem(t *testing.T) {
	f, err := safetensors.Open("testdata/quantised.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for name, method := range map[string]string{"experts.down_proj": methodMXFP4, "a.weight": methodFP8, "b.weight": methodFP8, "c.weight": methodFP8} {
		src := dequantise(f, quantisation{method, []int{128, 128}})
		want, err := f.Tensor(name + ".expected")
		if err != nil {
			t.Fatal(err)
		}
		shape, err := src.Shape(name)
		if err != nil || !slices.Equal(shape, want.Shape) {
			t.Errorf("%s: shape %v, expected %v (%v)", name, shape, want.Shape, err)
		}
		got, err := src.Tensor(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.DType != want.DType || !bytes.Equal(got.Data, want.Data) {
			t.Errorf("%s: other bits than transformers', in %s, expected %s", name, got.DType, want.DType)
		}
	}
	for pattern, v := range fp8 {
		if nan := pattern&127 == 127; nan != math.IsNaN(float64(v)) {
			t.Errorf("float8 %#x is %v", pattern, v)
		}
	}
}

// TestMXFP4CheckpointComputesItsDequantisedWeights opens a gpt_oss directory with packed experts and one with what they stand for.
func TestMXFP4CheckpointComputesItsDequantisedWeights(t *testing.T) {
	c, err := ParseConfig([]byte(`{"model_type":"gpt_oss","vocab_size":40,"hidden_size":32,"intermediate_size":32,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,
		"head_dim":8,"max_position_embeddings":64,"num_local_experts":3,"num_experts_per_tok":2,"sliding_window":6,"initializer_range":0.2,"eos_token_id":null,
		"rope_parameters":{"rope_type":"default","rope_theta":10000}}`))
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(c, nil, 1, Options{})
	if err != nil {
		t.Fatal(err)
	}
	packed, plain := t.TempDir(), t.TempDir()
	if err := m.Save(packed, dtypes.Float32); err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.OpenDir(packed)
	if err != nil {
		t.Fatal(err)
	}
	var quantised, dequantised []safetensors.Tensor
	for i, name := range f.Names() {
		x, err := f.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		x.Data = slices.Clone(x.Data)
		if !strings.HasSuffix(name, "_proj") {
			quantised, dequantised = append(quantised, x), append(dequantised, x)
			continue
		}
		experts, columns, rows := x.Shape[0], x.Shape[1], x.Shape[2]
		blocks := safetensors.Tensor{Name: name + blocksSuffix, DType: "U8", Shape: []int{experts, rows, columns / 32, 16}, Data: make([]byte, experts*rows*columns/2)}
		scales := safetensors.Tensor{Name: name + scalesSuffix, DType: "U8", Shape: []int{experts, rows, columns / 32}, Data: make([]byte, experts*rows*columns/32)}
		for k := range blocks.Data {
			blocks.Data[k] = byte(k*k + 31*k + i)
		}
		for k := range scales.Data {
			scales.Data[k] = byte(122 + k%4)
		}
		whole, err := unpackMXFP4(name, blocks, scales)
		if err != nil {
			t.Fatal(err)
		}
		quantised, dequantised = append(quantised, blocks, scales), append(dequantised, whole)
	}
	f.Close()
	config, err := os.ReadFile(filepath.Join(packed, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	for dir, tensors := range map[string][]safetensors.Tensor{packed: quantised, plain: dequantised} {
		text := string(config)
		if dir == packed {
			text = strings.Replace(text, "{", `{"quantization_config":{"quant_method":"mxfp4","modules_to_not_convert":["lm_head"]},`, 1)
		}
		if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := safetensors.Write(filepath.Join(dir, "model.safetensors"), tensors, nil); err != nil {
			t.Fatal(err)
		}
	}
	var results [][]float64
	for _, dir := range []string{packed, plain} {
		m, err := Load(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if warned := strings.Contains(strings.Join(m.Warnings, ""), "mxfp4"); warned != (dir == packed) {
			t.Errorf("warnings %q", m.Warnings)
		}
		again := t.TempDir()
		if err := m.Save(again, dtypes.Float32); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadConfig(again); err != nil {
			t.Errorf("what was dequantised and saved: %v", err)
		}
		r, err := m.Forward(Prompts([]int{1, 5, 9, 12, 3, 7}), Outputs{Targets: Targets{{{2, 4}, {4, 30}, {5, 11}}}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, r.LogProbs[0])
	}
	if !slices.Equal(results[0], results[1]) {
		t.Errorf("packed %v, dequantised %v", results[0], results[1])
	}
}

func TestOtherQuantisationsAreRefusedByName(t *testing.T) {
	for _, method := range []string{"gptq", "awq", "bitsandbytes", "mxfp4", "compressed-tensors"} {
		_, err := ParseConfig([]byte(`{` + minimal + `,"quantization_config":{"quant_method":"` + method + `"}}`))
		if err == nil || !strings.Contains(err.Error(), method) || !strings.Contains(err.Error(), "bfloat16") {
			t.Errorf("%s: %v, expected an error that names it and says what to do", method, err)
		}
	}
	if _, err := ParseConfig([]byte(`{` + minimal + `,"quantization_config":{"load_in_4bit":true}}`)); err == nil || !strings.Contains(err.Error(), "bitsandbytes") {
		t.Errorf("bitsandbytes without its name: %v", err)
	}
	for _, c := range []struct {
		settings string
		block    []int
	}{{`"activation_scheme":"dynamic"`, []int{128, 128}}, {`"activation_scheme":"static","weight_block_size":null`, []int{128, 128}}, {`"weight_block_size":[1,32]`, []int{1, 32}}} {
		got, err := ParseConfig([]byte(`{` + minimal + `,"quantization_config":{"quant_method":"fp8",` + c.settings + `}}`))
		if err != nil || got.quantised.method != methodFP8 || !slices.Equal(got.quantised.block, c.block) {
			t.Errorf("fp8, %s: %v", c.settings, err)
		}
	}
	if _, err := ParseConfig([]byte(`{` + minimal + `,"quantization_config":{"quant_method":"fp8","weight_block_size":[128]}}`)); err == nil || !strings.Contains(err.Error(), "weight_block_size") {
		t.Errorf("one number for a block: %v", err)
	}
}

// TestQuantisationOfTheWholeIsThatOfItsText: checkpoints that read images say it at the top (Mistral 3 in fp8).
func TestQuantisationOfTheWholeIsThatOfItsText(t *testing.T) {
	c, err := ParseConfig([]byte(`{"model_type":"mistral3","quantization_config":{"quant_method":"fp8"},"text_config":{` + strings.Replace(minimal, "llama", "mistral", 1) + `,"num_key_value_heads":4}}`))
	if err != nil || c.quantised.method != methodFP8 {
		t.Errorf("%v, expected fp8", err)
	}
}

// TestBlocksAtEdges: what has 3 rows and 5 columns in blocks of 2 x 2 has a scale for each of its 2 x 3 blocks, a scale of a shape of its own spreads over equal parts, and one
// scale is everyone's. Scales of activations are no weights.
func TestBlocksAtEdges(t *testing.T) {
	one := func(name string, shape []int, values ...float32) []safetensors.Tensor {
		bits := make([]byte, shape[0]*shape[1])
		for i := range bits {
			bits[i] = 0x38 // 1
		}
		scales := []int{(shape[0] + 1) / 2, (shape[1] + 1) / 2}
		if len(values) == 1 {
			scales = nil
		}
		if len(values) == shape[1] {
			scales = []int{1, shape[1]}
		}
		return []safetensors.Tensor{{Name: name + ".weight", DType: "F8_E4M3", Shape: shape, Data: bits}, safetensors.FromFloat32s(name+".weight_scale_inv", scales, values)}
	}
	path := filepath.Join(t.TempDir(), "w.safetensors")
	all := slices.Concat(one("edges", []int{3, 5}, 1, 2, 3, 4, 5, 6), one("parts", []int{4, 4}, 1, 2, 3, 4), one("all", []int{2, 2}, 7),
		[]safetensors.Tensor{safetensors.FromFloat32s("all.activation_scale", nil, []float32{1})})
	if err := safetensors.Write(path, all, nil); err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	src := dequantise(f, quantisation{methodFP8, []int{2, 2}})
	if got := src.Names(); !slices.Equal(got, []string{"all.weight", "edges.weight", "parts.weight"}) {
		t.Errorf("names %v", got)
	}
	for name, want := range map[string][]float32{
		"edges.weight": {1, 1, 2, 2, 3, 1, 1, 2, 2, 3, 4, 4, 5, 5, 6},
		"parts.weight": {1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4},
		"all.weight":   {7, 7, 7, 7},
	} {
		x, err := src.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := x.Float32s(); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, expected %v (%v)", name, got, want, err)
		}
	}
}

// TestQuantisersAreKnownByTheirTensors: files of GPTQ and bitsandbytes whose config.json does not tell.
func TestQuantisersAreKnownByTheirTensors(t *testing.T) {
	c, err := ParseConfig([]byte(`{` + minimal + `}`))
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(c, nil, 1, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for tensor, want := range map[string]string{"model.layers.0.self_attn.q_proj.qweight": "GPTQ or AWQ", "model.layers.0.mlp.up_proj.weight.absmax": "bitsandbytes"} {
		path := filepath.Join(t.TempDir(), "w.safetensors")
		if err := safetensors.Write(path, []safetensors.Tensor{safetensors.FromFloat32s(tensor, []int{1}, []float32{1})}, nil); err != nil {
			t.Fatal(err)
		}
		f, err := safetensors.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.storedNames(f); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), tensor) || !strings.Contains(err.Error(), "bfloat16") {
			t.Errorf("%s: %v, expected an error that names it and %s and says what to do", tensor, err, want)
		}
		f.Close()
	}
}

// TestKnownModelsThatAreNotReadSayWhy names what a model_type mixes with attention, or has in place of it.
func TestKnownModelsThatAreNotReadSayWhy(t *testing.T) {
	for modelType, want := range map[string]string{"qwen3_next": "gated delta", "qwen3_5": "gated delta", "lfm2": "short convolutions", "jamba": "state space", "mamba": "no attention",
		"deepseek_v3": "latent", "bert": "encoder", "something": "not supported"} {
		_, err := ParseConfig([]byte(`{` + strings.Replace(minimal, "llama", modelType, 1) + `}`))
		if err == nil || !strings.Contains(err.Error(), modelType) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "llama") {
			t.Errorf("%s: %v, expected an error with %q and what is read", modelType, err, want)
		}
	}
}
