package model

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	mlmodel "github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"

	attn "github.com/attune-lab/attune/pkg/attention"
	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/internal/testdevices"
	"github.com/attune-lab/attune/pkg/internal/while"
)

// BenchmarkExperts is one layer's mixture on 4,096 tokens at the dimensions of mixtral-8x7b and gpt-oss-20b, bfloat16 weights: by the grouped
// product, by rounds, and every expert on every token; of bfloat16 inputs, as models have, and of float32 ones, each of whose products is two. The layer is applied eight
// times in a graph, its output added to its input, so that the host's part of a call does not count. The peer, transformers on the same machine in the same run, has
// bfloat16 inputs and is called as often between two waits for the device.
//
//	ATTUNE_BACKEND=xla:cuda go test -run '^$' -bench Experts -benchtime 5x ./pkg/model
func BenchmarkExperts(b *testing.B) {
	dev, err := backend.FromEnv()
	if err != nil {
		b.Fatal(err)
	}
	if !backend.IsCUDA(dev) {
		b.Fatal("needs a GPU: set ATTUNE_BACKEND=xla:cuda")
	}
	const tokens, layers = 4096, 8
	theirs := expertsPeer(b)
	for family, text := range publishedMixtures {
		c, err := ParseConfig([]byte(text))
		if err != nil {
			b.Fatal(err)
		}
		m, err := NewOnDevice(c, 1, Options{Backend: dev, DType: dtypes.BFloat16})
		if err != nil {
			b.Fatal(err)
		}
		x := normals(rand.New(rand.NewPCG(1, 2)))(tokens * c.HiddenSize)
		input := tensors.FromFlatDataAndDimensions(x, 1, tokens, c.HiddenSize)
		fastest := 0.0
		for way, rate := range theirs {
			if strings.HasPrefix(way, family+" ") {
				fastest = max(fastest, rate)
			}
		}
		for _, dtype := range []dtypes.DType{dtypes.BFloat16, dtypes.Float32} {
			for _, how := range []string{"kernel", "rounds", "all"} {
				if how == "kernel" && dtype != dtypes.BFloat16 {
					continue
				}
				b.Run(family+"/"+strings.ToLower(dtype.String())+"/"+how, func(b *testing.B) {
					e := m.arch.blocks[0].mlp.experts
					pass, err := mlmodel.NewExec(dev, m.store, func(_ *mlmodel.Scope, in []*Node) []*Node {
						d := &decoder{params: m.params(in[0].Graph())}
						x := Reshape(ConvertDType(in[0], dtype), tokens, c.HiddenSize)
						way := map[string]func(e *experts, x, chosen, share *Node) *Node{"rounds": d.expertsByRounds, "all": d.allExperts, "kernel": func(e *experts, x, chosen, share *Node) *Node {
							y, ok := d.kernelExperts(e, x, chosen, share)
							if !ok {
								b.Fatal("the kernel does not take these operands")
							}
							return y
						}}[how]
						for range layers {
							chosen, top := ranked(d.route(e, x), e.active)
							y := way(e, x, chosen, Softmax(top, -1))
							x = ConvertDType(Add(ConvertDType(x, dtypes.Float32), MulScalar(y, 1e-3)), dtype)
						}
						// The output's sum comes to the host, not the output: the layers of a model leave it where it is.
						return []*Node{ReduceAllSum(ConvertDType(x, dtypes.Float32))}
					})
					if err != nil {
						b.Fatal(err)
					}
					defer pass.Finalize()
					for range 3 {
						pass.MustExec(input)
					}
					for b.Loop() {
						pass.MustExec(input)
					}
					rate := tokens * layers * float64(b.N) / b.Elapsed().Seconds()
					b.ReportMetric(rate, "tok/s")
					if fastest > 0 {
						b.ReportMetric(rate/fastest, "of-peer")
					}
				})
			}
		}
		m.Close()
	}
}

// publishedMixtures are models of one layer with the experts of mixtral-8x7b and gpt-oss-20b.
var publishedMixtures = map[string]string{
	"mixtral": `{"model_type":"mixtral","hidden_size":4096,"intermediate_size":14336,"num_local_experts":8,"num_experts_per_tok":2` + smallAttention,
	"gpt_oss": `{"model_type":"gpt_oss","hidden_size":2880,"intermediate_size":2880,"num_local_experts":32,"num_experts_per_tok":4` + smallAttention,
}

const smallAttention = `,"vocab_size":64,"num_hidden_layers":1,"num_attention_heads":4,"num_key_value_heads":1,"head_dim":16,"max_position_embeddings":64}`

// BenchmarkDecodedExperts is one decoding step's mixture, router included, at the same dimensions: of few rows the weights copied, read by a kernel where they lie, and those of
// all experts. It reports microseconds a layer and the share of what reading the chosen experts' weights once takes at 4.2 TB/s. Layers run in a loop on the device, eight
// in its body.
//
//	ATTUNE_BACKEND=xla:cuda go test -run '^$' -bench DecodedExperts -benchtime 5x ./pkg/model
func BenchmarkDecodedExperts(b *testing.B) {
	dev := testdevices.CUDA(b)
	const layers, turns = 8, 20
	ways := map[string]func(d *decoder, e *experts, x, chosen, share *Node) *Node{
		"copied": (*decoder).copiedExperts,
		"all":    (*decoder).allExperts,
		"kernel": func(d *decoder, e *experts, x, chosen, share *Node) *Node {
			y, ok := d.vectorExperts(e, x, chosen, share)
			if !ok {
				exceptions.Panicf("the kernel does not take these operands")
			}
			return y
		},
	}
	for _, family := range []string{"mixtral", "gpt_oss"} {
		c, err := ParseConfig([]byte(publishedMixtures[family]))
		if err != nil {
			b.Fatal(err)
		}
		m, err := NewOnDevice(c, 1, Options{Backend: dev, DType: dtypes.BFloat16})
		if err != nil {
			b.Fatal(err)
		}
		e := m.arch.blocks[0].mlp.experts
		for _, rows := range []int{1, 4, 8, 12, 16} {
			for _, how := range []string{"copied", "all", "kernel"} {
				if how == "copied" && rows*e.active > e.count {
					continue
				}
				b.Run(fmt.Sprintf("%s/%d rows/%s", family, rows, how), func(b *testing.B) {
					step := func(d *decoder, x *Node) (y, chosen *Node) {
						chosen, top := topK(d.route(e, x), e.active)
						y = ConvertDType(ways[how](d, e, x, chosen, Softmax(top, -1)), dtypes.BFloat16)
						return Add(x, Mul(y, number(y, 1e-3))), chosen
					}
					pass, err := mlmodel.NewExec(dev, m.store, func(_ *mlmodel.Scope, in []*Node) []*Node {
						g := in[0].Graph()
						params := m.params(g)
						names := slices.Sorted(maps.Keys(params))
						state := []*Node{Const(g, int32(0)), ConvertDType(in[0], dtypes.BFloat16), in[1]}
						for _, name := range names {
							state = append(state, params[name])
						}
						cond := func(s []*Node) *Node { return LessThan(s[0], number(s[0], turns)) }
						body := func(s []*Node) []*Node {
							d := &decoder{params: map[string]*Node{}, phase: attn.Decode}
							for i, name := range names {
								d.params[name] = s[3+i]
							}
							next := slices.Clone(s)
							for range layers {
								next[1], next[2] = step(d, next[1])
							}
							next[0] = Add(s[0], number(s[0], 1))
							return next
						}
						return []*Node{while.Loop(state, cond, body)[2]}
					})
					if err != nil {
						b.Fatal(err)
					}
					defer pass.Finalize()
					x := tensors.FromFlatDataAndDimensions(normals(rand.New(rand.NewPCG(1, 2)))(rows*c.HiddenSize), rows, c.HiddenSize)
					chosen := tensors.FromFlatDataAndDimensions(make([]int32, rows*e.active), rows, e.active)
					different := map[int32]bool{}
					for range 2 {
						for _, i := range tensors.MustCopyFlatData[int32](pass.MustExec(x, chosen)[0]) {
							different[i] = true
						}
					}
					for b.Loop() {
						pass.MustExec(x, chosen)
					}
					seconds := b.Elapsed().Seconds() / float64(b.N*layers*turns)
					bytes := 2 * 3 * e.hidden * e.inner * len(different)
					b.ReportMetric(0, "ns/op")
					b.ReportMetric(1e6*seconds, "us")
					b.ReportMetric(float64(len(different)), "experts")
					b.ReportMetric(float64(bytes)/seconds/4.2e12, "of-floor")
				})
			}
		}
		m.Close()
	}
}

// expertsPeer runs recipes/experts_peer.py and gives its tokens/s by family and implementation; none where it cannot run.
func expertsPeer(b *testing.B) map[string]float64 {
	out, err := exec.Command("python3", filepath.Join("..", "..", "recipes", "experts_peer.py")).Output()
	b.Logf("the peer:\n%s", out)
	found := map[string]float64{}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err != nil || json.Unmarshal([]byte(lines[len(lines)-1]), &found) != nil {
		b.Logf("no ratio: %v", err)
	}
	return found
}
