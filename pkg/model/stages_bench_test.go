package model_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/gomlx/compute/dtypes"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/model"
)

// BenchmarkStages compares a pass by stages with the pass as one graph on a checkpoint, float32 and on CUDA bfloat16: seconds to the first result, in which everything is
// compiled, and the best of ten passes. Their log-probabilities must agree to 2e-4 in float32 and 5e-2 in bfloat16.
//
//	ATTUNE_BENCH_MODEL=/path/to/SmolLM2-135M-Instruct ATTUNE_BACKEND=xla:cuda go test -run '^$' -bench Stages -benchtime 1x ./pkg/model/
func BenchmarkStages(b *testing.B) {
	dir := os.Getenv("ATTUNE_BENCH_MODEL")
	if dir == "" {
		b.Skip("set ATTUNE_BENCH_MODEL to the directory of a checkpoint")
	}
	dev, err := backend.FromEnv()
	if err != nil {
		b.Fatal(err)
	}
	types, shapes := []dtypes.DType{dtypes.Float32}, [][2]int{{1, 64}, {8, 128}}
	if backend.IsCUDA(dev) {
		types, shapes = append(types, dtypes.BFloat16), [][2]int{{1, 64}, {16, 512}, {32, 512}}
	}
	for _, dtype := range types {
		for _, shape := range shapes {
			b.Run(fmt.Sprintf("%s/%dx%d", dtype, shape[0], shape[1]), func(b *testing.B) {
				m, err := model.Load(dir, model.Options{Backend: dev, DType: dtype})
				if err != nil {
					b.Fatal(err)
				}
				batch, targets := model.Batch{}, model.Targets{}
				for i := range shape[0] {
					p := make([]int, shape[1])
					for k := range p {
						p[k] = (i*7919 + k*31) % (m.Config.VocabSize - 100)
					}
					batch.Tokens = append(batch.Tokens, p)
					targets = append(targets, []model.Target{{Position: shape[1] - 1, Token: 330}, {Position: shape[1] - 1, Token: 331}})
				}
				pass := func(whole bool) (value, seconds float64) {
					start := time.Now()
					r, err := m.Forward(batch, model.Outputs{Targets: targets, Whole: whole}, nil)
					if err != nil {
						b.Fatal(err)
					}
					return r.LogProbs[0][0], time.Since(start).Seconds()
				}
				for b.Loop() {
					var values [2]float64
					for i, whole := range []bool{false, true} {
						name := []string{"stages", "whole"}[i]
						built := m.Compilations()
						_, first := pass(whole)
						b.ReportMetric(first, name+"-first-s")
						b.ReportMetric(float64(m.Compilations()-built), name+"-graphs")
						best := first
						for range 10 {
							var seconds float64
							values[i], seconds = pass(whole)
							best = min(best, seconds)
						}
						b.ReportMetric(best*1e3, name+"-best-ms")
					}
					if d, limit := values[0]-values[1], map[dtypes.DType]float64{dtypes.Float32: 2e-4, dtypes.BFloat16: 5e-2}[dtype]; !(d < limit && d > -limit) {
						b.Errorf("log-probabilities %g by stages, %g by the whole graph", values[0], values[1])
					}
				}
			})
		}
	}
}
