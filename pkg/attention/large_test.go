package attention_test

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/attention"
	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/emulate/apply"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/sink"
)

// TestLargeLayersOnXLA runs gpt-oss and Gemma 2 in float32, whose layers no fused kernel computes, as if their probabilities were too large to be formed at once:
// plain, under the emulation layer, and surveyed. Results are those of layers that form them.
func TestLargeLayersOnXLA(t *testing.T) {
	dev, err := backend.FromEnv()
	if err != nil {
		t.Fatal(err)
	}
	if !backend.IsXLA(dev) {
		t.Skip("needs XLA: set ATTUNE_BACKEND=xla:cpu or xla:cuda")
	}
	released, err := apply.Execution{MaxBytes: 1}.New(emulate.Released())
	if err != nil {
		t.Fatal(err)
	}
	prompt := make([]int, 64)
	for i := range prompt {
		prompt[i] = (7*i*i + i) % 60
	}
	for _, family := range []string{"gpt_oss", "gemma2"} {
		results := func(large bool) (out [][]float32) {
			m, err := model.Load(filepath.Join("..", "..", "testdata", "reference", family), model.Options{Backend: dev})
			if err != nil {
				t.Fatal(err)
			}
			whole, err := apply.New(emulate.Released())
			if err != nil {
				t.Fatal(err)
			}
			if large {
				defer attention.SquareBytes(attention.SquareBytes(1))
				defer attention.BlockBytes(attention.BlockBytes(16 * 4 * m.Config.Heads * len(prompt)))
				whole = released
			}
			for _, e := range []model.Experiment{nil, whole} {
				r, err := m.Forward(model.Prompts(prompt), model.Outputs{Logits: true}, e)
				if err != nil {
					t.Fatal(err)
				}
				if by := strings.Contains(r.Plan[1], "by blocks of rows"); by != large {
					t.Errorf("%s: layer 1 is computed %q", family, r.Plan[1])
				}
				out = append(out, tensors.MustCopyFlatData[float32](r.Logits))
			}
			s, err := sink.Run(m, [][]int{prompt}, sink.Options{Measures: sink.Everything})
			if err != nil {
				t.Fatal(err)
			}
			for l := range s.Layers {
				for h := range s.Heads {
					out = append(out, s.Received(0, l, h))
				}
			}
			for _, measure := range []func() (*sink.PerHead, error){s.Entropy, s.Distance, s.FirstShare, s.LocalShare, s.RowSum, s.Density, s.Overlap} {
				v, err := measure()
				if err != nil {
					t.Fatal(err)
				}
				row := make([]float32, len(v.Values[0]))
				for i, x := range v.Values[0] {
					row[i] = float32(x)
				}
				out = append(out, row)
			}
			return out
		}
		want, got := results(false), results(true)
		for i := range want {
			for k, w := range want[i] {
				if d := math.Abs(float64(w - got[i][k])); !(d < 2e-4) {
					t.Fatalf("%s: result %d of %d, number %d is %g, expected %g", family, i, len(want), k, got[i][k], w)
				}
			}
		}
	}
}

// TestWithoutAKernelOperandsKeepTheirDigits: on xla:cpu no kernel computes a large layer of gpt-oss in bfloat16, whose float32 queries then stay as they are.
func TestWithoutAKernelOperandsKeepTheirDigits(t *testing.T) {
	dev, err := backend.FromEnv()
	if err != nil {
		t.Fatal(err)
	}
	if !backend.IsXLA(dev) || backend.IsCUDA(dev) {
		t.Skip("needs XLA without a GPU: set ATTUNE_BACKEND=xla:cpu")
	}
	m, err := model.Load(filepath.Join("..", "..", "testdata", "reference", "gpt_oss"), model.Options{Backend: dev, DType: dtypes.BFloat16})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var logits [][]float32
	for _, bytes := range []int64{1 << 40, 1} {
		func() {
			defer attention.SquareBytes(attention.SquareBytes(bytes))
			r, err := m.Forward(model.Batch{Tokens: [][]int{make([]int, 40+int(bytes&1))}, Bucket: 1}, model.Outputs{Logits: true}, nil) // of another width: compiled graphs are kept
			if err != nil {
				t.Fatal(err)
			}
			if by := strings.HasSuffix(r.Plan[1], "dense, by blocks of rows"); by != (bytes == 1) {
				t.Errorf("layer 1 is computed %q", r.Plan[1])
			}
			logits = append(logits, tensors.MustCopyFlatData[float32](r.Logits))
		}()
	}
	for k := range 40 * m.Config.VocabSize {
		if d := math.Abs(float64(logits[0][k] - logits[1][k])); !(d < 2e-4) {
			t.Fatalf("logit %d is off by %g", k, d)
		}
	}
}
