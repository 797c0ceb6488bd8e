package sink_test

import (
	"testing"
	"time"

	"github.com/gomlx/compute/dtypes"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/sink"
)

// llama1B are the dimensions of Llama-3.2-1B.
func llama1B() *model.Config {
	return &model.Config{ModelType: "llama", VocabSize: 128256, HiddenSize: 2048, IntermediateSize: 8192, Layers: 16, Heads: 32, KVHeads: 8, HeadDim: 64,
		MaxPositions: 131072, NormEps: 1e-5, RopeTheta: 500000, TieEmbeddings: true, BOS: 1, InitializerRange: 0.02}
}

// BenchmarkLongSurvey is the survey at lengths where attention maps do not fit, in bfloat16 on a GPU with random weights:
//
//	ATTUNE_BACKEND=xla:cuda go test -run '^$' -bench LongSurvey -benchtime 5x ./pkg/sink/
//
// It reports tokens per second of the plain forward pass and of each set of measures; compilation is left out. The plan is checked: every layer must have
// kept its fused kernel.
func BenchmarkLongSurvey(b *testing.B) {
	dev, err := backend.FromEnv()
	if err != nil {
		b.Fatal(err)
	}
	if !backend.IsXLA(dev) {
		b.Skip("needs an accelerator: set ATTUNE_BACKEND=xla:cuda")
	}
	m, err := model.New(llama1B(), nil, 1, model.Options{Backend: dev, DType: dtypes.BFloat16})
	if err != nil {
		b.Fatal(err)
	}
	for _, tokens := range []int{4096, 8192} {
		p := make([]int, tokens)
		for i := range p {
			p[i] = (i*7919)%128000 + 10
		}
		speed := func(name string, pass func() error) {
			b.Run(name, func(b *testing.B) {
				if err := pass(); err != nil {
					b.Fatal(err)
				}
				start := time.Now()
				for b.Loop() {
					if err := pass(); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.N*tokens)/time.Since(start).Seconds(), "tokens/s")
			})
		}
		label := map[int]string{4096: "T4096", 8192: "T8192"}[tokens]
		one := model.Targets{{{Position: tokens - 1, Token: 3}}}
		speed(label+"/plain forward", func() error {
			_, err := m.Forward(model.Prompts(p), model.Want{Targets: one}, nil)
			return err
		})
		for _, set := range []sink.Measures{0, sink.Rows, sink.Rows | sink.Shapes | sink.Norms, sink.Everything} {
			speed(label+"/"+set.String(), func() error {
				s, err := sink.Run(m, [][]int{p}, sink.Options{Measures: set})
				if err == nil {
					for _, line := range s.Plan {
						if line[len(line)-5:] != "fused" {
							b.Fatalf("the survey took a layer off its fused kernel: %s", line)
						}
					}
				}
				return err
			})
		}
	}
}
