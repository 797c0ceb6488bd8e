package sink_test

import (
	"bytes"
	"math"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/hf/safetensors"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/sink"
)

// accelerator opens the backend that the environment names. Where that is the Go backend a test is skipped; a benchmark fails, since a measurement that was not
// made must not pass.
func accelerator(t testing.TB) compute.Backend {
	t.Helper()
	dev, err := backend.FromEnv()
	if err != nil {
		t.Fatal(err)
	}
	if !backend.IsXLA(dev) {
		if _, benchmark := t.(*testing.B); benchmark {
			t.Fatal("needs XLA, found the Go backend: set ATTUNE_BACKEND=xla:cuda")
		}
		t.Skip("needs XLA: set ATTUNE_BACKEND=xla:cuda")
	}
	return dev
}

func longModel(t testing.TB, dev compute.Backend, dtype dtypes.DType) *model.Model {
	t.Helper()
	c := &model.Config{ModelType: "llama", VocabSize: 97, HiddenSize: 32, IntermediateSize: 48, Layers: 3, Heads: 4, KVHeads: 2, HeadDim: 8,
		MaxPositions: 4096, NormEps: 1e-5, RopeTheta: 10000, BOS: 1, InitializerRange: 0.3}
	m, err := model.New(c, nil, 3, model.Options{Backend: dev, DType: dtype})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestXLASurveyEqualsGo compares every stored array of float32 surveys, whole and by blocks, within 1e-4: the backends sum in other orders. Four prompts of 2,304
// tokens take more than one step of the loop over blocks.
func TestXLASurveyEqualsGo(t *testing.T) {
	dev := accelerator(t)
	cpu, err := backend.Open(backend.Go)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		lengths []int
		opts    sink.Options
	}{
		"whole":        {[]int{70, 70}, sink.Options{}},
		"whole padded": {[]int{70, 33}, sink.Options{}},
		"blocks":       {[]int{2304, 2304, 2304, 2201}, sink.Options{BlockRows: 256}},
	} {
		t.Run(name, func(t *testing.T) {
			c.opts.Measures = sink.Everything
			var prompts [][]int
			for i, n := range c.lengths {
				prompts = append(prompts, prompt(i, n))
			}
			path, arrays, header := saved(t, longModel(t, dev, dtypes.Float32), prompts, c.opts)
			_, again, headerAgain := saved(t, longModel(t, dev, dtypes.Float32), prompts, c.opts)
			if !bytes.Equal(arrays, again) || !bytes.Equal(header, headerAgain) {
				t.Error("two runs with the same seed wrote different files")
			}
			c.opts.BlockRows = 0
			want, _, _ := saved(t, longModel(t, cpu, dtypes.Float32), prompts, c.opts)
			a, err := safetensors.Open(want)
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			b, err := safetensors.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			for _, tensor := range a.Names() {
				x, y := values(t, a, tensor), values(t, b, tensor)
				worst := 0.0
				for i := range x {
					worst = max(worst, math.Abs(x[i]-y[i])/math.Max(1e-2, math.Abs(x[i])))
				}
				if worst > 1e-4 {
					t.Errorf("%s differs by %.1e of its value", tensor, worst)
				}
			}
		})
	}
}

// TestFusedLayersStayFused surveys a bfloat16 model: no layer may leave its fused kernel, what keys receive adds up to a query's whole attention, and the two ways
// to it, by blocks and by a kernel that looks from the keys, agree to what a log-sum-exp is known to.
func TestFusedLayersStayFused(t *testing.T) {
	m := longModel(t, accelerator(t), dtypes.BFloat16)
	prompts := [][]int{prompt(1, 2304), prompt(2, 2000)}
	byKeys, err := sink.Run(m, prompts, sink.Options{})
	if err != nil {
		t.Fatal(err)
	}
	byBlocks, err := sink.Run(m, prompts, sink.Options{Measures: sink.Everything})
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range append(byKeys.Plan, byBlocks.Plan...) {
		if line[len(line)-5:] != "fused" {
			t.Errorf("the survey took a layer off its fused kernel: %s", line)
		}
	}
	for p, n := range byKeys.Lengths {
		for l := range 3 {
			for h := range 4 {
				total := 0.0
				x, y := byKeys.Received(p, l, h), byBlocks.Received(p, l, h)
				for k := range x {
					total += float64(x[k]) * float64(n-k)
					if d := math.Abs(float64(x[k] - y[k])); d > 1e-5*float64(y[k]) {
						t.Fatalf("prompt %d, layer %d, head %d, key %d receives %g by keys and %g by blocks", p, l, h, k, x[k], y[k])
					}
				}
				if math.Abs(total-float64(n)) > 1e-4*float64(n) {
					t.Errorf("prompt %d, layer %d, head %d: keys receive %g in all from %d queries", p, l, h, total, n)
				}
			}
		}
	}
}
