package model_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/attune-lab/attune/pkg/model"
)

// benchmarkModels runs a benchmark on a model of 260 thousand parameters, on the embedded one and on that of ATTUNE_REAL_MODEL, a directory. The backend is
// ATTUNE_BACKEND; build with GOEXPERIMENT=simd on amd64, as the recipes do.
func benchmarkModels(b *testing.B, run func(b *testing.B, m *model.Model)) {
	for _, dir := range []string{filepath.Join("..", "..", "..", "shared", "data", "models", "stories260k"), filepath.Join("..", "..", "testdata", "attune-tiny"), os.Getenv("ATTUNE_REAL_MODEL")} {
		name := filepath.Base(dir)
		if dir == "" {
			name = "real"
		}
		b.Run(name, func(b *testing.B) {
			if _, err := os.Stat(dir); err != nil {
				b.Skipf("needs the folder shared beside the repository, or ATTUNE_REAL_MODEL: %v", err)
			}
			m, err := model.Load(dir, model.Options{})
			if err != nil {
				b.Fatal(err)
			}
			run(b, m)
		})
	}
}

// BenchmarkDecode is greedy decoding of one sequence from one token, tokens/s reported as tok/s.
func BenchmarkDecode(b *testing.B) {
	benchmarkModels(b, func(b *testing.B, m *model.Model) {
		const n = 128
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
	})
}

// BenchmarkPrefill is one forward pass over 256 tokens.
func BenchmarkPrefill(b *testing.B) {
	benchmarkModels(b, func(b *testing.B, m *model.Model) {
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
	})
}
