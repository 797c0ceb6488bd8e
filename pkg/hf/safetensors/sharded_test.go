package safetensors_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/hf/safetensors"
)

// modelDir writes files into a new directory: text as it is, a tensor list as safetensors.
func modelDir(t *testing.T, files map[string]any) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		var err error
		switch content := content.(type) {
		case string:
			err = os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644)
		case []safetensors.Tensor:
			err = safetensors.Write(filepath.Join(dir, name), content, map[string]string{"from": name})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func one(name string, value float32) []safetensors.Tensor {
	return []safetensors.Tensor{safetensors.FromFloat32s(name, []int{1}, []float32{value})}
}

func TestOpenDirReadsOneFileOrShards(t *testing.T) {
	for name, files := range map[string]map[string]any{
		"one file": {"model.safetensors": append(one("a", 1), one("b", 2)...), "pytorch_model.bin": "ignored"},
		"shards": {
			"model.safetensors.index.json": `{"metadata":{"total_size":8},"weight_map":{"a":"model-1.safetensors","b":"model-2.safetensors"}}`,
			"model-1.safetensors":          one("a", 1), "model-2.safetensors": one("b", 2),
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := safetensors.OpenDir(modelDir(t, files))
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if got := strings.Join(s.Names(), " "); got != "a b" {
				t.Errorf("names %q", got)
			}
			for name, want := range map[string]float32{"a": 1, "b": 2} {
				tensor, err := s.Tensor(name)
				if err != nil {
					t.Fatal(err)
				}
				if values, err := tensor.Float32s(); err != nil || values[0] != want {
					t.Errorf("%s: %v, %v", name, values, err)
				}
			}
			if _, err := s.Tensor("c"); err == nil || !strings.Contains(err.Error(), `"a", "b"`) {
				t.Errorf("unknown tensor: %v", err)
			}
			if len(s.Files()) == 0 || s.Metadata()["from"] == "" {
				t.Errorf("files %v, metadata %v", s.Files(), s.Metadata())
			}
		})
	}
}

func TestOpenDirExplainsWhatItCannotOpen(t *testing.T) {
	const index = "model.safetensors.index.json"
	for _, test := range []struct {
		name  string
		files map[string]any
		want  string
	}{
		{"pickled only", map[string]any{"pytorch_model.bin": "x", "config.json": "{}"}, "safe_serialization=True"},
		{"pickled, .pt", map[string]any{"weights.pt": "x"}, "weights.pt"},
		{"nothing", map[string]any{"config.json": "{}"}, "found no weights"},
		{"another name", map[string]any{"adapter.safetensors": one("a", 1)}, "adapter.safetensors"},
		{"missing shard", map[string]any{index: `{"weight_map":{"a":"model-1.safetensors"}}`}, "model-1.safetensors is missing"},
		{"tensor not in shard", map[string]any{index: `{"weight_map":{"a":"m.safetensors"}}`, "m.safetensors": one("b", 1)}, `tensor "a": not in its shard`},
		{"path in the index", map[string]any{index: `{"weight_map":{"a":"../m.safetensors"}}`}, "same directory"},
		{"no map", map[string]any{index: `{}`}, "weight_map"},
		{"not JSON", map[string]any{index: `{`}, "not a valid index"},
		{"damaged file", map[string]any{"model.safetensors": "damaged"}, "model.safetensors"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := safetensors.OpenDir(modelDir(t, test.files))
			if err == nil {
				s.Close()
				t.Fatal("opened, want an error")
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %q lacks %q", err, test.want)
			}
		})
	}
}

func TestOpensPublishedModel(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "..", "shared", "data", "models", "stories260k")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the shared development data is not beside this checkout: ", err)
	}
	s, err := safetensors.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	embedding, err := s.Tensor("model.embed_tokens.weight")
	if err != nil {
		t.Fatal(err)
	}
	if len(embedding.Shape) != 2 || embedding.Shape[0] != 512 || embedding.Shape[1] != 64 {
		t.Errorf("embedding %v, want [512 64] of config.json", embedding.Shape)
	}
}
