package model

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/internal/testdevices"
)

// mixtures are the two forms of experts, small.
func mixtures() map[string]*experts {
	return map[string]*experts{
		"gateUp": {inLoops: true, renormalise: true, router: dense{name: "router", in: 6, out: 16, bias: true}, gateUp: "gate_up", gateUpBias: "gate_up_bias", down: "down", downBias: "down_bias",
			count: 16, active: 2, hidden: 6, inner: 4, limit: 1, alpha: 1.702},
		"modules": {inLoops: true, router: dense{name: "router", in: 6, out: 16, bias: true}, prefix: "experts.", module: expertModules{"w1", "w3", "w2"}, act: silu, count: 16, active: 3, hidden: 6, inner: 4},
	}
}

// TestGroupedExpertsEqualAll compares experts by rounds with every expert on every token: routing that is even, that sends every token to the same two, and rows that are
// no whole number of anything. On an accelerator, set ATTUNE_BACKEND.
func TestGroupedExpertsEqualAll(t *testing.T) {
	b, err := backend.FromEnv()
	if err != nil {
		t.Fatal(err)
	}
	for form, e := range mixtures() {
		for routing, bias := range map[string]float32{"even": 0, "uneven": 3, "to the same": 100} {
			t.Run(form+", "+routing, func(t *testing.T) {
				random := normals(rand.New(rand.NewPCG(1, 2)))
				values := map[string][]float32{}
				for _, w := range e.weights() {
					values[w.name] = random(w.size())
				}
				values["router.bias"][3] += bias
				values["router.bias"][9] += bias
				for _, rows := range []int{40, 300} {
					var longest int32
					x := random(rows * e.hidden)
					run := func(f func(d *decoder, x, chosen, share *Node) *Node) []float32 {
						exec := MustNewExec(b, func(x *Node) []*Node {
							d := &decoder{params: map[string]*Node{}}
							for _, w := range e.weights() {
								d.params[w.name] = Reshape(Const(x.Graph(), values[w.name]), w.shape...)
							}
							chosen, top := topK(d.route(e, x), e.active)
							return []*Node{f(d, x, chosen, Softmax(top, -1)), ReduceAllMax(e.segmentsOf(chosen).counts)}
						})
						out := exec.MustExec(tensors.FromFlatDataAndDimensions(x, rows, e.hidden))
						longest = tensors.ToScalar[int32](out[1])
						return tensors.MustCopyFlatData[float32](out[0])
					}
					want := run(func(d *decoder, x, chosen, share *Node) *Node { return d.allExperts(e, x, chosen, share) })
					got := run(func(d *decoder, x, chosen, share *Node) *Node { return d.expertsByRounds(e, x, chosen, share) })
					worst := 0.0
					for i := range want {
						worst = max(worst, math.Abs(float64(got[i]-want[i])))
					}
					t.Logf("%d rows, %d of them at one expert, rounds of %d: %.1e", rows, longest, e.capacity(rows), worst)
					if !(worst < 1e-5) {
						t.Errorf("%d rows: off by %g", rows, worst)
					}
					if routing == "to the same" && int(longest) != rows {
						t.Errorf("an expert has %d tokens, expected all %d", longest, rows)
					}
				}
			})
		}
	}
}

// TestGroupedExpertsInAModel runs prompts long enough for rounds through several layers on XLA, by stages and as one graph, and compares the logits with the Go backend's.
func TestGroupedExpertsInAModel(t *testing.T) {
	dev, err := backend.FromEnv()
	if err != nil {
		t.Fatal(err)
	}
	if !backend.IsXLA(dev) {
		t.Skip("needs XLA: set ATTUNE_BACKEND=xla:cpu or xla:cuda")
	}
	host, err := backend.Open(backend.Go)
	if err != nil {
		t.Fatal(err)
	}
	const common = `,"vocab_size":64,"hidden_size":16,"intermediate_size":24,"num_hidden_layers":3,"num_attention_heads":2,"num_key_value_heads":1,"head_dim":8,"max_position_embeddings":256,"initializer_range":0.3`
	for name, text := range map[string]string{
		"mixtral":   `{"model_type":"mixtral","num_local_experts":8,"num_experts_per_tok":2` + common + `}`,
		"gpt_oss":   `{"model_type":"gpt_oss","num_local_experts":16,"num_experts_per_tok":2,"sliding_window":32` + common + `}`,
		"qwen2_moe": `{"model_type":"qwen2_moe","num_experts":12,"num_experts_per_tok":2,"moe_intermediate_size":8,"shared_expert_intermediate_size":12,"norm_topk_prob":false` + common + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			c, err := ParseConfig([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			prompts := make([][]int, 2)
			for i := range prompts {
				for k := range 200 {
					prompts[i] = append(prompts[i], (i*7+k*k*3+k)%64)
				}
			}
			var logits [][]float32
			for i, b := range []compute.Backend{host, dev, dev} {
				m, err := New(c, nil, 1, Options{Backend: b})
				if err != nil {
					t.Fatal(err)
				}
				r, err := m.Forward(Prompts(prompts...), Outputs{Logits: true, Whole: i == 2}, nil)
				if err != nil {
					t.Fatal(err)
				}
				logits = append(logits, tensors.MustCopyFlatData[float32](r.Logits))
				if e := m.arch.blocks[2].mlp.experts; i == 0 && !e.byRounds(400) {
					t.Fatalf("rounds of %d for 400 rows: the model does not go by rounds", e.capacity(400))
				}
			}
			for way, got := range map[string][]float32{"stages": logits[1], "whole": logits[2]} {
				worst := 0.0
				for i := range 200 * 64 { // the first prompt's: XLA pads it
					worst = max(worst, math.Abs(float64(got[i]-logits[0][i])))
				}
				t.Logf("%s: %.1e", way, worst)
				if !(worst < 2e-4) {
					t.Errorf("%s: logits off by %g", way, worst)
				}
			}
		})
	}
}

// TestKernelExpertsEqualAll compares the grouped product, and for few rows that of vectors, with every expert on every token, in bfloat16 on a GPU, for routing that is even and for
// one that sends all to the same experts. The bound is the rounding of two products, 2^-8 each.
func TestKernelExpertsEqualAll(t *testing.T) {
	b, err := backend.FromEnv()
	if err != nil {
		t.Fatal(err)
	}
	if !backend.IsCUDA(b) {
		t.Skip("needs an NVIDIA GPU: set ATTUNE_BACKEND=xla:cuda")
	}
	for form, e := range mixtures() {
		e.hidden, e.inner = 320, 192
		e.router.in = e.hidden
		for routing, bias := range map[string]float32{"even": 0, "to the same": 100} {
			random := normals(rand.New(rand.NewPCG(1, 2)))
			var weights []any
			for _, w := range e.weights() {
				v := random(w.size())
				for i := range v {
					v[i] *= 0.1
				}
				if w.name == "router.bias" {
					v[3] += bias
					v[9] += bias
				}
				weights = append(weights, tensors.FromFlatDataAndDimensions(v, w.shape...))
			}
			for _, c := range []struct {
				rows int
				way  func(d *decoder, e *experts, x, chosen, share *Node) (*Node, bool)
			}{
				{5000, (*decoder).kernelExperts}, // more than 2,048 at one expert, which products in tf32 would round
				{1, (*decoder).vectorExperts}, {5, (*decoder).vectorExperts},
			} {
				inputs := append(slices.Clone(weights), tensors.FromFlatDataAndDimensions(random(c.rows*e.hidden), c.rows, e.hidden))
				differs := MustExecOnce(b, func(in []*Node) *Node {
					d := &decoder{params: map[string]*Node{}}
					half := func(x *Node) *Node { return OptimizationBarrier(ConvertDType(x, dtypes.BFloat16)) }
					for i, w := range e.weights() {
						d.params[w.name] = half(in[i])
					}
					x := half(in[len(in)-1])
					chosen, top := topK(d.route(e, x), e.active)
					share := Softmax(top, -1)
					got, ok := c.way(d, e, x, chosen, share)
					if !ok {
						t.Errorf("%s: no kernel takes these operands", form)
						return ScalarZero(x.Graph(), dtypes.Float32)
					}
					want := d.allExperts(e, x, chosen, share)
					norm := func(x *Node) *Node { return Sqrt(ReduceAllSum(Square(x))) }
					return Div(norm(Sub(got, want)), norm(want))
				}, inputs...)
				if d := tensors.ToScalar[float32](differs); !(d < 1e-2) {
					t.Errorf("%s, %s, %d rows: differs by %g, expected less than 1e-2", form, routing, c.rows, d)
				} else {
					t.Logf("%s, %s, %d rows: differs by %.1e", form, routing, c.rows, d)
				}
			}
		}
	}
}

// TestKernelExpertsDecode: tokens of a model in bfloat16 on a GPU, decoded with a cache by a kernel in the loop's body, are the best of a whole pass, or so close that its
// rounding decides. All experts are chosen: rounding decides between them, too.
func TestKernelExpertsDecode(t *testing.T) {
	b := testdevices.CUDA(t)
	const common = `,"vocab_size":64,"hidden_size":192,"intermediate_size":320,"num_hidden_layers":3,"num_attention_heads":4,"num_key_value_heads":2,"head_dim":64,"max_position_embeddings":256,"initializer_range":0.1}`
	for family, text := range map[string]string{
		"mixtral": `{"model_type":"mixtral","num_local_experts":2,"num_experts_per_tok":2` + common,
		"gpt_oss": `{"model_type":"gpt_oss","num_local_experts":4,"num_experts_per_tok":4` + common,
	} {
		c, err := ParseConfig([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		m, err := NewOnDevice(c, 1, Options{Backend: b, DType: dtypes.BFloat16})
		if err != nil {
			t.Fatal(err)
		}
		prompt := []int{3, 1, 4, 1, 5, 9, 2, 6}
		const decoded = 24
		g, err := m.Generate([][]int{prompt}, GenerateOptions{MaxTokens: decoded, IgnoreEOS: true}, nil)
		if err != nil {
			t.Fatal(err)
		}
		r, err := m.Forward(Prompts(slices.Concat(prompt, g.Tokens[0])), Outputs{Logits: true}, nil)
		if err != nil {
			t.Fatal(err)
		}
		logits := tensors.MustCopyFlatData[float32](r.Logits)
		worst := 0.0
		for k, token := range g.Tokens[0] {
			at := logits[(len(prompt)-1+k)*c.VocabSize:][:c.VocabSize]
			worst = max(worst, float64((slices.Max(at)-at[token])/max(slices.Max(at), -slices.Min(at))))
		}
		t.Logf("%s: %.1e of the largest logit below the best", family, worst)
		if len(g.Tokens[0]) != decoded || !(worst < 2e-2) {
			t.Errorf("%s: %d tokens, up to %g of the largest logit below the best, expected %d and less than 2e-2", family, len(g.Tokens[0]), worst, decoded)
		}
		m.Close()
	}
}
