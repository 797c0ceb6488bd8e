package model_test

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/hf/safetensors"
	"github.com/attune-lab/attune/pkg/model"
)

// tinyConfig is a real architecture small enough for every test: grouped queries, untied head, an odd number of layers.
func tinyConfig() *model.Config {
	return &model.Config{ModelType: "llama", VocabSize: 97, HiddenSize: 32, IntermediateSize: 48, Layers: 3, Heads: 4, KVHeads: 2, HeadDim: 8,
		MaxPositions: 128, NormEps: 1e-5, RopeTheta: 10000, BOS: 1, InitializerRange: 0.2}
}

func tinyModel(t testing.TB) *model.Model {
	t.Helper()
	m, err := model.New(tinyConfig(), nil, 7, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// tokens makes a prompt that depends on its seed and starts with BOS.
func tokens(seed, n, vocab int) []int {
	p := []int{1}
	for i := 1; i < n; i++ {
		p = append(p, (seed*31+i*i*7+i*3)%(vocab-3)+3)
	}
	return p
}

// shared returns the path of a folder beside the repository, skipping the test where it is absent.
func shared(t testing.TB, path string) string {
	t.Helper()
	p := filepath.Join("..", "..", "..", "shared", path)
	if _, err := os.Stat(p); err != nil {
		t.Skipf("needs the folder shared/%s beside the repository, which is absent", path)
	}
	return p
}

// logits runs a forward pass and returns the logits of each prompt's real tokens, [prompt][tokens*vocab].
func logits(t testing.TB, m *model.Model, prompts [][]int, exp model.Experiment) [][]float32 {
	t.Helper()
	r, err := m.Forward(model.Batch{Tokens: prompts}, model.Outputs{Logits: true}, exp)
	if err != nil {
		t.Fatal(err)
	}
	width := r.Logits.Shape().Dimensions[1]
	flat := tensors.MustCopyFlatData[float32](r.Logits)
	out := make([][]float32, len(prompts))
	for i, p := range prompts {
		out[i] = flat[i*width*m.Config.VocabSize:][:len(p)*m.Config.VocabSize]
	}
	return out
}

func maxDiff(a, b []float32) float64 {
	if len(a) != len(b) {
		return math.Inf(1)
	}
	d := 0.0
	for i := range a {
		d = math.Max(d, math.Abs(float64(a[i]-b[i])))
		if math.IsNaN(float64(a[i] - b[i])) {
			return math.NaN()
		}
	}
	return d
}

func argmax(v []float32) int {
	best := 0
	for i, x := range v {
		if x > v[best] {
			best = i
		}
	}
	return best
}

// reference opens a fixture and its expected tensors.
func reference(t testing.TB, family string) (string, *safetensors.File) {
	t.Helper()
	dir := shared(t, filepath.Join("fixtures", family))
	f, err := safetensors.Open(filepath.Join(dir, "reference.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return dir, f
}

func floats(t testing.TB, f *safetensors.File, name string) []float32 {
	t.Helper()
	x, err := f.Tensor(name)
	if err != nil {
		t.Fatal(err)
	}
	v, err := x.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func onXLA(m *model.Model) bool { return backend.IsXLA(m.Backend) }
