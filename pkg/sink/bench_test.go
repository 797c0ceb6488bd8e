package sink_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/attune-lab/attune/pkg/bench"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/sink"
)

// BenchmarkSurvey is what each set of measures costs on the Go backend, as a multiple of the plain forward pass over one prompt of 512 tokens: the least time
// of each over interleaved repeats, which other work on the machine disturbs least.
//
//	GOEXPERIMENT=simd CGO_ENABLED=0 go test -run '^$' -bench Survey -benchtime 20x ./pkg/sink/
//
// Two models: the embedded one, whose 10 heads of 16 entries make attention maps large beside everything else, and the 6 layers of 8 heads of 32 of
// bench.Config("small"). Two cores with AVX-512, other work beside it, gave 1.25 and 1.16 for everything; without GOEXPERIMENT=simd, where products take longer,
// 1.09 for the embedded model.
func BenchmarkSurvey(b *testing.B) {
	embedded, err := model.Load(filepath.Join("..", "..", "testdata", "attune-tiny"), model.Options{})
	if err != nil {
		b.Fatal(err)
	}
	config, err := bench.Config("small")
	if err != nil {
		b.Fatal(err)
	}
	small, err := model.New(config, nil, 1, model.Options{})
	if err != nil {
		b.Fatal(err)
	}
	p := make([]int, 512)
	for i := range p {
		p[i] = (i*7)%900 + 10
	}
	least := func(before time.Duration, f func() error) time.Duration {
		start := time.Now()
		if err := f(); err != nil {
			b.Fatal(err)
		}
		if took := time.Since(start); before == 0 || took < before {
			return took
		}
		return before
	}
	for i, m := range []*model.Model{embedded, small} {
		name := []string{"attune-tiny", "small"}[i]
		plain := func() error {
			_, err := m.Forward(model.Prompts(p), model.Outputs{Targets: model.Targets{{{Position: 511, Token: 3}}}}, nil)
			return err
		}
		for _, set := range []sink.Measures{0, sink.Rows, sink.Masks, sink.Shapes, sink.Norms, sink.Massive, sink.Everything} {
			survey := func() error {
				_, err := sink.Run(m, [][]int{p}, sink.Options{Measures: set})
				return err
			}
			b.Run(name+"/"+set.String(), func(b *testing.B) {
				least(least(0, plain), survey) // builds the graphs
				var base, took time.Duration
				for b.Loop() {
					base, took = least(base, plain), least(took, survey)
				}
				b.ReportMetric(float64(took)/float64(base), "x-plain")
			})
		}
	}
}
