package sink_test

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/emulate/apply"
	"github.com/attune-lab/attune/pkg/hf/safetensors"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/sink"
)

func tinyModel(t testing.TB) *model.Model {
	t.Helper()
	c := &model.Config{ModelType: "llama", VocabSize: 97, HiddenSize: 32, IntermediateSize: 48, Layers: 3, Heads: 4, KVHeads: 2, HeadDim: 8,
		MaxPositions: 128, NormEps: 1e-5, RopeTheta: 10000, BOS: 1, InitializerRange: 0.3}
	m, err := model.New(c, nil, 3, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func prompt(seed, n int) []int {
	p := []int{1}
	for i := 1; i < n; i++ {
		p = append(p, (seed*17+i*i*5+i)%94+3)
	}
	return p
}

// uniformModel has queries of zero, so every row of attention is uniform over the keys it may see.
func uniformModel(t testing.TB) *model.Model {
	t.Helper()
	m := tinyModel(t)
	for l := range m.Config.Layers {
		v := m.Store().GetVariable("/model.layers." + string(rune('0'+l)) + ".self_attn.q_proj.weight")
		v.MustSetValue(tensors.FromScalarAndDimensions(float32(0), 32, 32))
	}
	return m
}

func TestUniformAttentionHasItsClosedForm(t *testing.T) {
	const n = 50
	s, err := sink.Run(uniformModel(t), [][]int{prompt(1, n), prompt(2, 20)}, sink.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for l := range 3 {
		for h := range 4 {
			for k, got := range s.Received(0, l, h) {
				want := 0.0
				for i := k; i < n; i++ {
					want += 1 / float64(i+1) / float64(n-k)
				}
				if math.Abs(float64(got)-want) > 1e-6 {
					t.Fatalf("layer %d, head %d, key %d receives %g, uniform attention gives %g", l, h, k, got, want)
				}
			}
		}
	}
}

// TestSurveyEqualsItsMaps computes received attention from whole maps in float64.
func TestSurveyEqualsItsMaps(t *testing.T) {
	m := tinyModel(t)
	prompts := [][]int{prompt(1, 30), prompt(2, 30)}
	exp, err := apply.New(emulate.Literal())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []model.Experiment{nil, exp} {
		s, err := sink.Run(m, prompts, sink.Options{Experiment: e})
		if err != nil {
			t.Fatal(err)
		}
		maps, err := sink.AttentionMaps(m, prompts, e)
		if err != nil {
			t.Fatal(err)
		}
		for l := range maps {
			flat := tensors.MustCopyFlatData[float32](maps[l])
			for b := range prompts {
				for h := range 4 {
					for k, got := range s.Received(b, l, h) {
						want := 0.0
						for i := k; i < 30; i++ {
							want += float64(flat[((b*4+h)*30+i)*30+k]) / float64(30-k)
						}
						if math.Abs(float64(got)-want) > 1e-6 {
							t.Fatalf("layer %d, prompt %d, head %d, key %d: %g, its map gives %g", l, b, h, k, got, want)
						}
					}
				}
			}
		}
	}
}

func TestShortPromptsAreLeftOutAndCounted(t *testing.T) {
	m := tinyModel(t)
	s, err := sink.Run(m, [][]int{prompt(1, 30), prompt(2, 12), prompt(3, 64)}, sink.Options{T: 20})
	if err != nil {
		t.Fatal(err)
	}
	if s.Skipped != 1 || len(s.Prompts) != 2 || s.Prompts[1] != 2 || s.Lengths[1] != 20 {
		t.Errorf("skipped %d, prompts %v, lengths %v", s.Skipped, s.Prompts, s.Lengths)
	}
	if _, err := sink.Run(m, [][]int{prompt(2, 12)}, sink.Options{T: 20}); err == nil || !strings.Contains(err.Error(), "20") {
		t.Errorf("no prompt long enough: %v", err)
	}
	if _, err := s.SinkRate(20, 0.3); err == nil {
		t.Error("the rate of a key beyond T is not refused")
	}
}

func TestFixtureSinks(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "fixtures", "llama-gqa")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("needs the folder shared/fixtures/llama-gqa beside the repository, which is absent")
	}
	ref, err := safetensors.Open(filepath.Join(dir, "reference.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer ref.Close()
	read := func(name string) []float32 {
		x, err := ref.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		v, err := x.Float32s()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	ids, err := ref.Tensor("input_ids")
	if err != nil {
		t.Fatal(err)
	}
	flat, err := ids.Int32s()
	if err != nil {
		t.Fatal(err)
	}
	prompts := make([][]int, 2)
	for i, id := range flat {
		prompts[i/40] = append(prompts[i/40], int(id))
	}
	m, err := model.Load(dir, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := sink.Run(m, prompts, sink.Options{T: 40})
	if err != nil {
		t.Fatal(err)
	}
	alpha, rate := read("sink.alpha"), read("sink.rate")
	for l := range s.Layers {
		for b := range prompts {
			for h := range s.Heads {
				for k, got := range s.Received(b, l, h) {
					if want := alpha[((l*2+b)*s.Heads+h)*40+k]; math.Abs(float64(got-want)) > 1e-5 {
						t.Fatalf("sink.alpha[%d,%d,%d,%d] is %g, expected %g", l, b, h, k, got, want)
					}
				}
			}
		}
	}
	for k, want := range rate {
		got, err := s.SinkRate(k, sink.DefaultEps)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(got.Value-float64(want)) > 1e-7 {
			t.Errorf("sink rate of key %d is %g, expected %g", k, got.Value, want)
		}
	}
}

func TestMapsTooLargeAreRefused(t *testing.T) {
	m := tinyModel(t)
	prompts := make([][]int, 20000)
	for i := range prompts {
		prompts[i] = prompt(i, 60)
	}
	if _, err := sink.AttentionMaps(m, prompts, nil); err == nil || !strings.Contains(err.Error(), "GiB") {
		t.Errorf("maps beyond a GiB: %v, expected a refusal with the size", err)
	}
}

func TestOneMapIsPartOfAll(t *testing.T) {
	m := tinyModel(t)
	p := prompt(5, 25)
	all, err := sink.AttentionMaps(m, [][]int{p}, nil)
	if err != nil {
		t.Fatal(err)
	}
	one, err := sink.AttentionMap(m, p, 2, []int{3, 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	whole, got := tensors.MustCopyFlatData[float32](all[2]), tensors.MustCopyFlatData[float32](one)
	const size = 25 * 25
	for i, v := range got {
		if want := whole[[]int{3, 1}[i/size]*size+i%size]; v != want {
			t.Fatalf("entry %d is %g, expected %g", i, v, want)
		}
	}
	if _, err := sink.AttentionMap(m, p, 2, []int{4}, nil); err == nil {
		t.Error("a head that the model does not have is not refused")
	}
	if _, err := sink.AttentionMap(m, make([]int, 20000), 0, nil, nil); err == nil || !strings.Contains(err.Error(), "GiB") {
		t.Errorf("a map beyond a GiB: %v, expected a refusal with the size", err)
	}
}
