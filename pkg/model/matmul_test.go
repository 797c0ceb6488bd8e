package model

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/backend"
)

// TestNarrowWeightsDoNotNarrowActivations multiplies float32 activations by bfloat16 weights: rounding the activations to bfloat16 would cost 1e-3.
func TestNarrowWeightsDoNotNarrowActivations(t *testing.T) {
	b, err := backend.FromEnv()
	if err != nil {
		t.Fatal(err)
	}
	const rows, in, out = 3, 200, 7
	rng := rand.New(rand.NewPCG(1, 2))
	x, w := make([]float32, rows*in), make([]float32, out*in)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	for i := range w {
		w[i] = float32(rng.IntN(255) - 127) // exact in bfloat16
	}
	exec, err := NewExec(b, func(x, w *Node) *Node { return (&decoder{}).matmul(x, 1, ConvertDType(w, dtypes.BFloat16), 1, 0) })
	if err != nil {
		t.Fatal(err)
	}
	y, err := exec.Call1(tensors.FromFlatDataAndDimensions(x, rows, in), tensors.FromFlatDataAndDimensions(w, out, in))
	if err != nil {
		t.Fatal(err)
	}
	difference, norm := 0.0, 0.0
	for i, got := range tensors.MustCopyFlatData[float32](y) {
		want := 0.0
		for k := range in {
			want += float64(x[i/out*in+k]) * float64(w[i%out*in+k])
		}
		difference += math.Pow(float64(got)-want, 2)
		norm += want * want
	}
	if e := math.Sqrt(difference / norm); !(e < 2e-5) {
		t.Errorf("relative error %.2e", e)
	}
}
