package model_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"

	"github.com/attune-lab/attune/pkg/hf/safetensors"
	"github.com/attune-lab/attune/pkg/model"
)

// TestGGUFRoundedComputesTheReference opens a real GGUF file with its weights rounded to bfloat16, as its references were computed with.
func TestGGUFRoundedComputesTheReference(t *testing.T) {
	dir := shared(t, "data/models/smollm2-135m-instruct")
	if testing.Short() {
		t.Skip("a model of 135 million parameters")
	}
	m, err := model.Load(dir, model.Options{RoundWeights: dtypes.BFloat16})
	if err != nil {
		t.Fatal(err)
	}
	if m.Source != "gguf, 272 tensors: 61 F32, 210 Q4_1, 1 Q8_0; dequantised to float32" || m.Tokenizer == nil || len(m.Warnings) > 0 {
		t.Errorf("source %q, tokenizer %v, warnings %v", m.Source, m.Tokenizer != nil, m.Warnings)
	}
	ref, err := safetensors.Open(filepath.Join(dir, "reference.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer ref.Close()
	prompt := inputs(t, ref)
	if d := maxDiff(logits(t, m, [][]int{prompt}, nil)[0], floats(t, ref, "logits")); !(d <= 1e-3) {
		t.Errorf("logits differ by %g from transformers', expected at most 1e-3", d)
	}
}

// TestDirectoryOfSeveralGGUFFilesIsRefused: which one is meant?
func TestDirectoryOfSeveralGGUFFilesIsRefused(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a-Q4_K_M.gguf", "a-Q8_0.gguf"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, err := model.Load(dir, model.Options{})
	if err == nil || !strings.Contains(err.Error(), "a-Q4_K_M.gguf, a-Q8_0.gguf") {
		t.Errorf("%v, expected an error that names both files", err)
	}
	if _, err := model.Load(filepath.Join(dir, "a-Q8_0.gguf"), model.Options{}); err == nil || !strings.Contains(err.Error(), "truncated") {
		t.Errorf("an empty file: %v", err)
	}
}

// TestGGUFFamiliesComputeWhatTransformersComputes opens a tiny file of each architecture in llama.cpp's layout and compares with the logits that transformers
// computes from the same file (make_families.py beside them).
func TestGGUFFamiliesComputeWhatTransformersComputes(t *testing.T) {
	dir := filepath.Join("..", "hf", "gguf", "testdata")
	ref, err := safetensors.Open(filepath.Join(dir, "families.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer ref.Close()
	prompt := inputs(t, ref)
	for _, family := range []string{"llama", "qwen2", "qwen3", "gemma2", "gemma3_text", "phi3"} {
		m, err := model.Load(filepath.Join(dir, family+".gguf"), model.Options{})
		if err != nil {
			t.Errorf("%s: %v", family, err)
			continue
		}
		if m.Config.ModelType != family || len(m.Config.EOS) != 1 || m.Config.EOS[0] != 2 {
			t.Errorf("%s: model_type %q, eos %v", family, m.Config.ModelType, m.Config.EOS)
		}
		if len(m.Warnings) != 1 || !strings.Contains(m.Warnings[0], "no tokenizer") {
			t.Errorf("%s: warnings %q, expected one of the tokenizer that is not there", family, m.Warnings)
		}
		if d := maxDiff(logits(t, m, [][]int{prompt}, nil)[0], floats(t, ref, family)); !(d <= 1e-4) {
			t.Errorf("%s: logits differ by %g from transformers', expected at most 1e-4", family, d)
		}
	}
}

// inputs reads the tokens of a reference's first row.
func inputs(t *testing.T, ref *safetensors.File) []int {
	t.Helper()
	ids, err := ref.Tensor("input_ids")
	if err != nil {
		t.Fatal(err)
	}
	values, err := ids.Int32s()
	if err != nil {
		t.Fatal(err)
	}
	var prompt []int
	for _, id := range values[:ids.Shape[1]] {
		prompt = append(prompt, int(id))
	}
	return prompt
}
