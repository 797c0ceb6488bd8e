package parity_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/parity"
)

// TestEveryFamilyPassesItsOwnChecks runs them on every committed checkpoint.
func TestEveryFamilyPassesItsOwnChecks(t *testing.T) {
	found, err := filepath.Glob(filepath.Join(committed, "*", "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range found {
		dir := filepath.Dir(path)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			m, err := model.Load(dir, model.Options{})
			if err != nil {
				t.Fatal(err)
			}
			rows, err := parity.Self(m, nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(rows) != parity.SelfChecks {
				t.Errorf("%d checks, expected %d", len(rows), parity.SelfChecks)
			}
			for _, r := range rows {
				if !r.Passed() {
					t.Errorf("%s: %g, limit %g", r.Tensor, r.Value, r.Limit)
				}
			}
		})
	}
}

// TestOwnChecksCanFail: where the projection of an attention layer is zero no change of its probabilities reaches the logits.
func TestOwnChecksCanFail(t *testing.T) {
	c := &model.Config{ModelType: "llama", VocabSize: 50, HiddenSize: 16, IntermediateSize: 32, Layers: 2, Heads: 2, KVHeads: 1, HeadDim: 8,
		MaxPositions: 32, NormEps: 1e-5, RopeTheta: 10000, BOS: 1, InitializerRange: 0.3}
	m, err := model.New(c, nil, 1, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m.Store().GetVariable("/model.layers.1.self_attn.o_proj.weight").MustSetValue(tensors.FromScalarAndDimensions(float32(0), 16, 16))
	rows, err := parity.Self(m, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if dead := r.Tensor == "change, layer 1"; r.Passed() == dead {
			t.Errorf("%s: %g, limit %g", r.Tensor, r.Value, r.Limit)
		}
	}
	c.MaxPositions = 2
	if _, err := parity.Self(m, nil); err == nil || !strings.Contains(err.Error(), "positions") {
		t.Errorf("a model of two positions: %v", err)
	}
}

// TestOwnChecksOfARotaryEmbeddingThatGrows: past its trained length a dynamic one turns every token by other angles at each length, so that one prefill is not what decoding
// saw.
func TestOwnChecksOfARotaryEmbeddingThatGrows(t *testing.T) {
	c, err := model.ParseConfig([]byte(`{"model_type":"llama","vocab_size":50,"hidden_size":32,"intermediate_size":32,"num_hidden_layers":3,"num_attention_heads":4,"max_position_embeddings":12,
		"rope_scaling":{"rope_type":"dynamic","factor":2},"initializer_range":0.4}`))
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.New(c, nil, 1, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := parity.Self(m, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if !r.Passed() {
			t.Errorf("%s: %g, limit %g", r.Tensor, r.Value, r.Limit)
		}
	}
}
