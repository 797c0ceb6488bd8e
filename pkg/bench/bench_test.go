package bench_test

import (
	"errors"
	"runtime"
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
	if r, err = bench.Decode(m, 2, 8, 16, 64, 3, nil); err != nil || len(r.Seconds) != 3 || r.Slots < 8+64-1 {
		t.Errorf("decoding: %+v, %v, expected three times and room for 71 tokens, the last one's keys not needed", r, err)
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

// TestPeakMemoryIsWhatWasTouched holds 128 MiB for a while, and 64 MiB after them.
func TestPeakMemoryIsWhatWasTouched(t *testing.T) {
	touch := func(n int) func() error {
		return func() error {
			x := make([]byte, n)
			for i := range x {
				x[i] = 1
			}
			runtime.KeepAlive(x)
			return nil
		}
	}
	for _, mib := range []int{128, 64} {
		got, err := bench.PeakMemory(touch(mib << 20))
		if errors.Is(err, bench.ErrNoMemory) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		// The system counts pages in batches, and the collector's own come on top.
		if least := int64(mib) << 20; got < least-8<<20 || got > least+8<<20 {
			t.Errorf("touching %d MiB has a peak of %d KiB", mib, got>>10)
		}
	}
	if n, err := bench.Allocations(func() error { return nil }); err != nil || n > 100 {
		t.Errorf("nothing allocates %v objects, %v", n, err)
	}
}
