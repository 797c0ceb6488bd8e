package sink_test

import (
	"path/filepath"
	"testing"

	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/sink"
)

// The embedded model on one prompt of 512 tokens: what each set of measures adds to the plain forward pass.
//
//	GOEXPERIMENT=simd CGO_ENABLED=0 go test -run '^$' -bench Survey ./pkg/sink/
//
// In processor time on an AVX-512 machine, as multiples of the plain pass: received alone 1.0, with Shapes or Norms 1.0 to 1.1, with Massive 1.1, with
// Masks 1.2, with Rows 1.2 to 1.3, with Everything 1.7. Every sum over the maps costs the Go backend a pass of its own.
func BenchmarkSurvey(b *testing.B) {
	m, err := model.Load(filepath.Join("..", "..", "testdata", "attune-tiny"), model.Options{})
	if err != nil {
		b.Fatal(err)
	}
	p := make([]int, 512)
	for i := range p {
		p[i] = (i*7)%900 + 10
	}
	one := model.Targets{{{Position: 511, Token: 3}}}
	b.Run("plain forward", func(b *testing.B) {
		for b.Loop() {
			if _, err := m.Forward(model.Prompts(p), model.Want{Targets: one}, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, set := range []sink.Measures{0, sink.Rows, sink.Masks, sink.Shapes, sink.Norms, sink.Massive, sink.Rows | sink.Shapes | sink.Norms, sink.Everything} {
		b.Run(set.String(), func(b *testing.B) {
			for b.Loop() {
				if _, err := sink.Run(m, [][]int{p}, sink.Options{Measures: set}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
