package attention_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/attention"
	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/emulate/apply"
	"github.com/attune-lab/attune/pkg/model"
)

// wider is the architecture of a checkpoint of testdata/reference with eight times its widths, window and positions: heads of 64 and more, as models have, which fused
// kernels take. Random weights make scores of a standard deviation between 1 and 3.
func wider(t *testing.T, dir string) *model.Config {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]any{}
	if err := json.Unmarshal(data, &fields); err != nil {
		t.Fatal(err)
	}
	var widen func(fields map[string]any)
	widen = func(fields map[string]any) {
		for name, v := range fields {
			switch v := v.(type) {
			case float64:
				switch name {
				case "hidden_size", "n_embd", "head_dim", "intermediate_size", "moe_intermediate_size", "shared_expert_intermediate_size", "ffn_dim", "ffn_hidden_size", "n_inner", "word_embed_proj_dim",
					"rotary_dim", "query_pre_attn_scalar", "hidden_size_per_layer_input", "max_position_embeddings", "n_positions", "sliding_window", "window_size":
					fields[name] = 8 * v
				}
			case map[string]any:
				widen(v)
			case []any:
				if strings.HasSuffix(name, "_factor") { // of each frequency of a rotary embedding
					fields[name] = slices.Repeat(v, 8)
				}
			}
		}
	}
	widen(fields)
	fields["initializer_range"] = 0.07
	if fields["model_type"] == "gpt_neo" { // whose scores are not divided by the root of the head's size
		fields["initializer_range"] = 0.03
	}
	if data, err = json.Marshal(fields); err != nil {
		t.Fatal(err)
	}
	c, err := model.ParseConfig(data)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// inProbabilities makes every layer form its probabilities, and changes nothing.
type inProbabilities struct{}

func (inProbabilities) Visit(attention.Layer) *attention.Visit {
	return &attention.Visit{Key: "in probabilities", Build: func(s *attention.Site) { s.Probs() }}
}

// familyRow is what the families' test finds of one of them; differences are relative, |a - b| / |b|.
type familyRow struct {
	plain, changed float64 // prefill as the planner computes it, against the same in probabilities; under the emulation layer
	moved          float64 // what that changes
	decode         float64 // how far below the best logit of a prefill decoded tokens are, at most, as a share of the largest
	plan           map[string]int
}

func (r familyRow) String() string {
	var plan []string
	for _, how := range slices.Sorted(maps.Keys(r.plan)) {
		plan = append(plan, fmt.Sprintf("%s: %d", how, r.plan[how]))
	}
	return fmt.Sprintf("%.1e | %.1e | %.1e | %.1e | %s", r.plain, r.changed, r.moved, r.decode, strings.Join(plan, "; "))
}

// TestFamiliesOnTheDevice computes a prefill of every architecture of testdata/reference as the planner does and in probabilities, plain and under the emulation layer, and
// decodes with a cache; a prompt shorter than windows beside a longer one. On a GPU in bfloat16, where no layer of the size of models may form its probabilities: families with experts keep
// float32 operands where these fit, so they are taken not to. Elsewhere some families run, in float32.
//
// On an H200 it takes four minutes, nearly all of them compilation; several processes with a part of the families each (-run 'FamiliesOnTheDevice/^(a|b)$') share the card.
//
//	ATTUNE_BACKEND=xla:cuda go test -run FamiliesOnTheDevice -v ./pkg/attention
func TestFamiliesOnTheDevice(t *testing.T) {
	dev, err := backend.FromEnv()
	if err != nil {
		t.Fatal(err)
	}
	dirs, err := filepath.Glob(filepath.Join("..", "..", "testdata", "reference", "*"))
	if err != nil {
		t.Fatal(err)
	}
	some := []string{"gpt_oss", "gemma2", "llama-dynamic"}
	fmt.Println("| checkpoint | plain | emulation | that changes | decode | layers | seconds |")
	for _, dir := range dirs {
		name := filepath.Base(dir)
		if _, err := os.Stat(filepath.Join(dir, "config.json")); err != nil || !backend.IsCUDA(dev) && !slices.Contains(some, name) {
			continue
		}
		t.Run(name, func(t *testing.T) { // one after the other: each is freed before the next
			start := time.Now()
			long := 180
			switch {
			case strings.HasSuffix(name, "-dynamic"): // beyond the trained length, 128, each token has rotations of its own
				long = 100
			case !backend.IsCUDA(dev):
				long = 60
			}
			c := wider(t, dir)
			row := compareFamily(t, dev, c, long)
			fmt.Printf("| %s | %s | %.1f |\n", name, row, time.Since(start).Seconds()) // at once: on a device time is short
			limit := 1e-4
			if backend.IsCUDA(dev) {
				if limit = 2e-2; !c.PrefersBFloat16() {
					limit = 5e-2 // dtype=auto is float32 for it
				}
				for how := range row.plan {
					if strings.Contains(how, "operands rounded") { // with experts: a token that is nearly undecided goes to another one, 2.4e-2 in olmoe
						limit = max(limit, 3e-2)
					}
					if !strings.HasPrefix(how, "fused") {
						t.Errorf("a layer is computed %q, expected by a fused kernel", how)
					}
				}
			}
			for what, d := range map[string]float64{"a plain prefill": row.plain, "the emulation layer": row.changed, "decoding": row.decode} {
				if !(d < limit) {
					t.Errorf("%s differs by %.1e, expected less than %g", what, d, limit)
				}
			}
			if row.moved < 1e-3 {
				t.Errorf("the emulation layer changes %.1e: its row says nothing", row.moved)
			}
		})
	}
}

func compareFamily(t *testing.T, dev compute.Backend, c *model.Config, long int) (row familyRow) {
	t.Helper()
	dtype := dtypes.Float32
	if backend.IsCUDA(dev) {
		dtype = dtypes.BFloat16
		defer attention.SquareBytes(attention.SquareBytes(1))
	}
	m, err := model.New(c, nil, 5, model.Options{Backend: dev, DType: dtype})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	const decoded = 8
	prompts := [][]int{familyPrompt(c, 40), familyPrompt(c, long)}
	row.plan = map[string]int{}
	run := func(prompts [][]int, e model.Experiment) [][]float32 {
		r, err := m.Forward(model.Batch{Tokens: prompts}, model.Outputs{Logits: true}, e)
		if err != nil {
			t.Fatal(err)
		}
		if _, dense := e.(inProbabilities); !dense {
			for _, line := range r.Plan {
				_, how, _ := strings.Cut(line, ": ")
				row.plan[how]++
			}
		}
		d, flat := r.Logits.Shape().Dimensions, tensors.MustCopyFlatData[float32](r.Logits)
		out := make([][]float32, len(prompts))
		for i, p := range prompts {
			out[i] = flat[i*d[1]*d[2]:][:len(p)*d[2]]
		}
		return out
	}
	change := func(x apply.Execution) model.Experiment {
		e, err := x.New(emulate.Released())
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	plain, inProbs := run(prompts, nil), run(prompts, inProbabilities{})
	changed := run(prompts, change(apply.Execution{}))
	plan := maps.Clone(row.plan)
	changedInProbs := run(prompts, change(apply.Execution{Dense: true}))
	row.plan = plan
	row.plain, row.changed, row.moved = apart(plain, inProbs), apart(changed, changedInProbs), apart(changedInProbs, inProbs)

	g, err := m.Generate(prompts, model.GenerateOptions{MaxTokens: decoded, IgnoreEOS: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	whole := make([][]int, len(prompts))
	for i, p := range prompts {
		whole[i] = append(slices.Clone(p), g.Tokens[i]...)
	}
	vocab := c.VocabSize
	for i, of := range run(whole, nil) {
		largest := 0.0
		for _, x := range of {
			largest = max(largest, math.Abs(float64(x)))
		}
		for k, token := range g.Tokens[i] {
			at := of[(len(prompts[i])+k-1)*vocab:][:vocab]
			row.decode = max(row.decode, float64(slices.Max(at)-at[token])/largest)
		}
	}
	row.plan = plan
	return row
}

func familyPrompt(c *model.Config, n int) []int {
	p := make([]int, n)
	for i := range p {
		p[i] = (n + i*i*5 + i*i*i) % (c.VocabSize - 4)
	}
	return p
}

// apart is |a - b| / |b|.
func apart(a, b [][]float32) float64 {
	difference, norm := 0.0, 0.0
	for i := range a {
		for k := range a[i] {
			difference += math.Pow(float64(a[i][k]-b[i][k]), 2)
			norm += math.Pow(float64(b[i][k]), 2)
		}
	}
	return math.Sqrt(difference / norm)
}
