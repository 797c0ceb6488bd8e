package model

import (
	"encoding/json"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	mlmodel "github.com/gomlx/gomlx/ml/model"

	"github.com/attune-lab/attune/pkg/backend"
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
	const attention = `,"vocab_size":64,"num_hidden_layers":1,"num_attention_heads":4,"num_key_value_heads":1,"head_dim":16,"max_position_embeddings":64}`
	theirs := expertsPeer(b)
	for family, text := range map[string]string{
		"mixtral": `{"model_type":"mixtral","hidden_size":4096,"intermediate_size":14336,"num_local_experts":8,"num_experts_per_tok":2` + attention,
		"gpt_oss": `{"model_type":"gpt_oss","hidden_size":2880,"intermediate_size":2880,"num_local_experts":32,"num_experts_per_tok":4` + attention,
	} {
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
