package model_test

import (
	"testing"

	"github.com/attune-lab/attune/pkg/model"
)

// BenchmarkDecode is greedy decoding of one sequence from BOS on the Go backend, tokens/s reported as tok/s. Build with GOEXPERIMENT=simd on amd64, as
// the recipes do.
func BenchmarkDecode(b *testing.B) {
	m, err := model.Load(shared(b, "data/models/stories260k"), model.Options{})
	if err != nil {
		b.Fatal(err)
	}
	const n = 256
	generate := func() {
		if _, err := m.Generate([][]int{{1}}, model.GenerateOptions{MaxTokens: n, IgnoreEOS: true}, nil); err != nil {
			b.Fatal(err)
		}
	}
	generate() // builds the graphs
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		generate()
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "tok/s")
}

// BenchmarkPrefill is one forward pass over 256 tokens.
func BenchmarkPrefill(b *testing.B) {
	m, err := model.Load(shared(b, "data/models/stories260k"), model.Options{})
	if err != nil {
		b.Fatal(err)
	}
	p := tokens(1, 256, 512)
	want := model.Outputs{Targets: model.Targets{{{Position: 255, Token: 1}}}}
	forward := func() {
		if _, err := m.Forward(model.Prompts(p), want, nil); err != nil {
			b.Fatal(err)
		}
	}
	forward()
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		forward()
	}
	b.ReportMetric(float64(len(p)*b.N)/b.Elapsed().Seconds(), "tok/s")
}
