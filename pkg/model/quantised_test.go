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
		src := dequantise(f, method)
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
	if _, err := ParseConfig([]byte(`{` + minimal + `,"quantization_config":{"quant_method":"fp8","activation_scheme":"static"}}`)); err == nil || !strings.Contains(err.Error(), "activation_scheme") {
		t.Errorf("static activations: %v", err)
	}
	if c, err := ParseConfig([]byte(`{` + minimal + `,"quantization_config":{"quant_method":"fp8","activation_scheme":"dynamic","weight_block_size":[128,128]}}`)); err != nil || c.quantised != methodFP8 {
		t.Errorf("fp8: %v", err)
	}
}
