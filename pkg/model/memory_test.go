package model_test

import (
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"

	"github.com/attune-lab/attune/pkg/model"
)

func TestModelsThatDoNotFitAreRefused(t *testing.T) {
	c := tinyConfig()
	need := c.WeightBytes(dtypes.Float32)
	if want := int64(4 * c.NumParameters()); need != want || need == 0 {
		t.Fatalf("%d bytes of weights, expected %d", need, want)
	}
	if _, err := model.New(c, nil, 1, model.Options{MaxBytes: need}); err != nil {
		t.Errorf("a model that just fits: %v", err)
	}
	_, err := model.New(c, nil, 1, model.Options{MaxBytes: need - 1})
	for _, part := range []string{"GiB", "Options.MaxBytes", "would fit", "bfloat16"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("one byte too little: %v, expected a message with %q", err, part)
		}
	}
	// Nothing of this is allocated: it would be 400 GiB.
	huge, err := model.ParseConfig([]byte(`{"model_type":"llama","vocab_size":128256,"hidden_size":16384,"intermediate_size":53248,"num_hidden_layers":126,
		"num_attention_heads":128,"num_key_value_heads":8,"max_position_embeddings":131072}`))
	if err != nil {
		t.Fatal(err)
	}
	if n := huge.NumParameters(); n/1e9 != 405 {
		t.Errorf("Llama 3.1 405B has %d parameters", n)
	}
	if _, err := model.New(huge, nil, 1, model.Options{MaxBytes: 1 << 40}); err == nil || !strings.Contains(err.Error(), "1511.") {
		t.Errorf("405 billion parameters in a TiB: %v", err)
	}
}
