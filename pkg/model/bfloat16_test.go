package model_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/model"
)

// TestBFloat16AgainstFloat32 compares the accelerator in bfloat16 with the Go backend in float32 on the same checkpoints, and prints a row for each. bfloat16 has eight
// bits of significand, so a relative error of a few thousandths per layer is its rounding. Families that the registry calls fit for it must stay below the limit; those
// whose rows stay below and say float32 may be marked there.
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
	for _, root := range []string{filepath.Join("..", "..", "testdata", "reference"), os.Getenv("ATTUNE_FIXTURES")} {
		if root != "" {
			found, _ := filepath.Glob(filepath.Join(root, "*", "config.json"))
			dirs = append(dirs, found...)
		}
	}
	t.Log("| checkpoint | model_type | error | auto on CUDA | seconds |")
	for _, config := range dirs {
		dir := filepath.Dir(config)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			start := time.Now()
			relative, family := bfloat16Error(t, dir, host, cuda)
			says := "float32"
			if family.PrefersBFloat16() {
				says = "bfloat16"
			}
			fmt.Printf("| %s | %s | %.1e | %s | %.1f |\n", filepath.Base(dir), family.ModelType, relative, says, time.Since(start).Seconds()) // at once: on a device time is short
			if family.PrefersBFloat16() && !(relative < bfloat16Limit) {
				t.Errorf("relative error of the logits is %.2e, expected below %g: the registry of families says bfloat16", relative, bfloat16Limit)
			}
		})
	}
}

const bfloat16Limit = 2e-2

// bfloat16Error is the relative error of a checkpoint's logits in bfloat16, |a - b| / |b|, against float32 on the Go backend.
func bfloat16Error(t *testing.T, dir string, host, cuda compute.Backend) (float64, *model.Config) {
	exact, err := model.Load(dir, model.Options{Backend: host})
	if err != nil {
		t.Fatal(err)
	}
	half, err := model.Load(dir, model.Options{Backend: cuda, DType: dtypes.BFloat16})
	if err != nil {
		t.Fatal(err)
	}
	defer half.Close()
	prompts := [][]int{tokens(1, 40, exact.Config.VocabSize), tokens(2, 31, exact.Config.VocabSize)} // of one width
	a, b := logits(t, half, prompts, nil), logits(t, exact, prompts, nil)
	difference, norm := 0.0, 0.0
	for i := range a {
		for k := range a[i] {
			difference += math.Pow(float64(a[i][k]-b[i][k]), 2)
			norm += math.Pow(float64(b[i][k]), 2)
		}
	}
	return math.Sqrt(difference / norm), exact.Config
}
