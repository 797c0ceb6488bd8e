package bench_test

import (
	"testing"

	"github.com/attune-lab/attune/pkg/bench"
	"github.com/attune-lab/attune/pkg/model"
)

func tiny(t testing.TB) *model.Model {
	t.Helper()
	m, err := model.New(&model.Config{ModelType: "llama", VocabSize: 64, HiddenSize: 32, IntermediateSize: 64, Layers: 2, Heads: 4, KVHeads: 2, HeadDim: 8,
		MaxPositions: 128, NormEps: 1e-5, RopeTheta: 10000, BOS: 1, InitializerRange: 0.02}, nil, 1, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMeasurementsAreOfWhatTheySay(t *testing.T) {
	m := tiny(t)
	r, err := bench.Prefill(m, 32, 3, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Seconds) != 3 || r.TokensPerSecond != 32/r.Seconds[1] {
		t.Errorf("prefill of 32 tokens: %+v, expected 32 over the median of three times", r)
	}
	if r, err = bench.Decode(m, 2, 8, 16, 64, 3, nil); err != nil || len(r.Seconds) != 3 {
		t.Errorf("decoding: %+v, %v", r, err)
	}
	if _, err := bench.Decode(m, 1, 8, 16, 16, 1, nil); err == nil {
		t.Error("a difference of nothing is not refused")
	}
	if _, err := bench.Config("llama-9t"); err == nil {
		t.Error("unknown dimensions are not refused")
	}
}

func TestPublishedDimensions(t *testing.T) {
	for name, want := range map[string]int{"llama-2-7b": 6738415616, "llama-3.2-1b": 1235814400} { // as the checkpoints' cards count
		c, err := bench.Config(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.NumParameters(); got != want {
			t.Errorf("%s has %d parameters, published are %d", name, got, want)
		}
	}
}
