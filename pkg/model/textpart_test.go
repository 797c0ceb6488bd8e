package model_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/hf/safetensors"
	"github.com/attune-lab/attune/pkg/model"
)

// TestTextPartOfAMultimodalCheckpoint: the text model inside computes what it does alone, under the names of published files and of transformers 5, and what
// was left is said.
func TestTextPartOfAMultimodalCheckpoint(t *testing.T) {
	from := filepath.Join("..", "..", "testdata", "reference", "gemma3_text")
	text, err := os.ReadFile(filepath.Join(from, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	want := logits(t, openFamily(t, from), [][]int{tokens(1, 12, 64)}, nil)[0]
	config, err := json.Marshal(map[string]any{"model_type": "gemma3", "text_config": json.RawMessage(text), "vision_config": map[string]any{"hidden_size": 8}, "eos_token_id": []int{2, 5}})
	if err != nil {
		t.Fatal(err)
	}
	for name, prefix := range map[string]string{"published": "language_model.model.", "transformers 5": "model.language_model."} {
		dir := t.TempDir()
		var all []safetensors.Tensor
		for _, x := range baseWeights(t, from) {
			x.Name = prefix + strings.TrimPrefix(x.Name, "model.")
			all = append(all, x)
		}
		all = append(all, safetensors.FromFloat32s("vision_tower.embed.weight", []int{2}, []float32{1, 2}), safetensors.FromFloat32s("model.multi_modal_projector.weight", []int{1}, []float32{1}))
		if err := safetensors.Write(filepath.Join(dir, "model.safetensors"), all, nil); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "config.json"), config, 0o600); err != nil {
			t.Fatal(err)
		}
		m := openFamily(t, dir)
		if d := maxDiff(logits(t, m, [][]int{tokens(1, 12, 64)}, nil)[0], want); d != 0 {
			t.Errorf("%s: logits differ by %g from the text model's", name, d)
		}
		for _, part := range []string{"gemma3", "vision_tower (1 tensors)", "multi_modal_projector (1 tensors)"} {
			if !strings.Contains(strings.Join(m.Warnings, ""), part) {
				t.Errorf("%s: the warnings do not name %s: %q", name, part, m.Warnings)
			}
		}
	}
	if _, err := model.ParseConfig([]byte(`{"model_type":"mistral3"}`)); err == nil || !strings.Contains(err.Error(), "text_config") {
		t.Errorf("no text_config: %v", err)
	}
}

// TestTheWholeSaysWhetherItsHeadIsTheEmbedding: as transformers 5.24 saves and reads such files.
func TestTheWholeSaysWhetherItsHeadIsTheEmbedding(t *testing.T) {
	const sizes = `"vocab_size":64,"hidden_size":32,"intermediate_size":40,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"head_dim":8,"max_position_embeddings":64`
	for _, c := range []struct {
		whole, text, top, inner string
		tied                    bool
	}{
		{"mistral3", "mistral", "", "", true},
		{"mistral3", "mistral", "true", "false", true},
		{"mistral3", "mistral", "false", "true", false},
		{"gemma3", "gemma3_text", "", "false", true},
		{"gemma4", "gemma4_text", "false", "", false},
		{"llava", "llama", "", "", false},
		{"llava", "llama", "", "true", true},
		{"llava", "llama", "false", "true", true},
		{"llava", "llama", "true", "false", true},
	} {
		says := func(v string) string {
			if v == "" {
				return ""
			}
			return `,"tie_word_embeddings":` + v
		}
		got, err := model.ParseConfig([]byte(`{"model_type":"` + c.whole + `"` + says(c.top) + `,"text_config":{"model_type":"` + c.text + `",` + sizes + says(c.inner) + `}}`))
		if err != nil {
			t.Fatal(err)
		}
		if got.TieEmbeddings != c.tied {
			t.Errorf("%s says %q and its text %q: tied %v, expected %v", c.whole, c.top, c.inner, got.TieEmbeddings, c.tied)
		}
	}
}
