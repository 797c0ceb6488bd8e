package model_test

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gomlx/compute/dtypes"

	"github.com/attune-lab/attune/pkg/internal/testlimit"
	"github.com/attune-lab/attune/pkg/model"
)

// claims are fields of config.json that promise far more than a file of a few hundred bytes can hold.
var claims = map[string]map[string]any{
	"layers":       {"num_hidden_layers": 1000000000},
	"most layers":  {"num_hidden_layers": 4096},
	"vocabulary":   {"vocab_size": 1 << 24},
	"width":        {"hidden_size": 1 << 24, "head_dim": 1 << 16},
	"heads":        {"num_attention_heads": 1 << 24, "num_key_value_heads": 1},
	"experts":      {"model_type": "gpt_oss", "num_local_experts": 4096},
	"many experts": {"model_type": "gpt_oss", "num_local_experts": 1000000000},
	"pattern":      {"model_type": "gpt_neo", "attention_types": json.RawMessage(`[[[],1e18]]`)},
	"repetitions":  {"model_type": "gpt_neo", "attention_types": json.RawMessage(`[[["global"],1e18]]`)},
	"everything": {"num_hidden_layers": 4096, "hidden_size": 1 << 24, "intermediate_size": 1 << 24, "vocab_size": 1 << 24, "num_attention_heads": 1 << 24,
		"head_dim": 1 << 16},
}

// TestClaimsAllocateNothing opens directories whose config.json or safetensors header claims gigabytes that the files do not hold: an error, soon, and
// nothing allocated on the way but the description of the layers, some kilobytes each.
func TestClaimsAllocateNothing(t *testing.T) {
	const most = 64 << 20
	for name, claim := range claims {
		dir := t.TempDir()
		if err := tinyModel(t).Save(dir, dtypes.Float32); err != nil {
			t.Fatal(err)
		}
		for field, value := range claim {
			edit(field, value)(t, dir)
		}
		refusedCheaply(t, name, dir, most)
	}
	for name, header := range map[string]string{
		"shape":   `{"a":{"dtype":"F32","shape":[1000000000,1000000000],"data_offsets":[0,4000000000000000000]}}`,
		"offsets": `{"a":{"dtype":"F32","shape":[1],"data_offsets":[9223372036854775803,9223372036854775807]}}`,
		"length":  "",
	} {
		dir := t.TempDir()
		if err := tinyModel(t).Save(dir, dtypes.Float32); err != nil {
			t.Fatal(err)
		}
		length := uint64(len(header))
		if header == "" {
			length = 1 << 40
		}
		content := append(binary.LittleEndian.AppendUint64(nil, length), header...)
		if err := os.WriteFile(filepath.Join(dir, "model.safetensors"), append(content, make([]byte, 16)...), 0o644); err != nil {
			t.Fatal(err)
		}
		refusedCheaply(t, name, dir, most)
	}
}

func refusedCheaply(t *testing.T, name, dir string, most uint64) {
	t.Helper()
	start := time.Now()
	var err error
	n := testlimit.Allocated(func() { _, err = model.Load(dir, model.Options{}) })
	if err == nil {
		t.Errorf("%s: opened", name)
	}
	if n > most {
		t.Errorf("%s: %d MiB allocated before the refusal (%v)", name, n>>20, err)
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("%s: refused after %v", name, d)
	}
}
