package model_test

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/gomlx/compute/dtypes"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/model"
)

// TestBFloat16AgainstFloat32 compares the accelerator in bfloat16 with the Go backend in float32 on the same checkpoints. bfloat16 has eight bits of
// significand, so a relative error of a few thousandths per layer is its rounding.
func TestBFloat16AgainstFloat32(t *testing.T) {
	name := os.Getenv(backend.EnvVar)
	if name == "" || name == backend.Go {
		t.Skip("needs an accelerator: set " + backend.EnvVar + "=xla:cuda")
	}
	cuda, err := backend.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	host, err := backend.Open(backend.Go)
	if err != nil {
		t.Fatal(err)
	}
	var dirs []string
	for _, root := range []string{filepath.Join("..", "..", "testdata", "reference"), filepath.Join("..", "..", "..", "shared", "fixtures"), os.Getenv("ATTUNE_FIXTURES")} {
		if root != "" {
			found, _ := filepath.Glob(filepath.Join(root, "*", "config.json"))
			dirs = append(dirs, found...)
		}
	}
	for _, config := range dirs {
		dir := filepath.Dir(config)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			exact, err := model.Load(dir, model.Options{Backend: host})
			if err != nil {
				t.Fatal(err)
			}
			half, err := model.Load(dir, model.Options{Backend: cuda, DType: dtypes.BFloat16})
			if err != nil {
				t.Fatal(err)
			}
			prompts := [][]int{tokens(1, 40, exact.Config.VocabSize), tokens(2, 31, exact.Config.VocabSize)}
			a, b := logits(t, half, prompts, nil), logits(t, exact, prompts, nil)
			difference, norm := 0.0, 0.0
			for i := range a {
				for k := range a[i] {
					difference += math.Pow(float64(a[i][k]-b[i][k]), 2)
					norm += math.Pow(float64(b[i][k]), 2)
				}
			}
			relative := math.Sqrt(difference / norm)
			if !(relative < 2e-2) {
				t.Errorf("relative error of the logits is %.2e, expected below 2e-2", relative)
			}
			equal, n := 0, 24
			ga, err := half.Generate(prompts[:1], model.GenerateOptions{MaxTokens: n, IgnoreEOS: true}, nil)
			if err != nil {
				t.Fatal(err)
			}
			gb, err := exact.Generate(prompts[:1], model.GenerateOptions{MaxTokens: n, IgnoreEOS: true}, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i := range ga.Tokens[0] {
				if ga.Tokens[0][i] == gb.Tokens[0][i] {
					equal++
				}
			}
			t.Logf("relative error %.2e, greedy agreement %d of %d, plan %v", relative, equal, n, ga.Plan[:1])
		})
	}
}
