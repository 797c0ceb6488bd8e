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
	if m.Source != "gguf" || m.Tokenizer == nil || len(m.Warnings) > 0 {
		t.Errorf("source %q, tokenizer %v, warnings %v", m.Source, m.Tokenizer != nil, m.Warnings)
	}
	ref, err := safetensors.Open(filepath.Join(dir, "reference.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer ref.Close()
	ids, err := ref.Tensor("input_ids")
	if err != nil {
		t.Fatal(err)
	}
	values, err := ids.Int32s()
	if err != nil {
		t.Fatal(err)
	}
	var prompt []int
	for _, id := range values {
		prompt = append(prompt, int(id))
	}
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
