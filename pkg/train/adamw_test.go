package train

import (
	"math"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	mlmodel "github.com/gomlx/gomlx/ml/model"

	"github.com/attune-lab/attune/pkg/backend"
)

// TestAdamWAgainstFloat64 optimises a small quadratic and compares each step with the formula computed in float64: clipping by the norm
// over both variables, decay on the matrix and not on the vector.
func TestAdamWAgainstFloat64(t *testing.T) {
	b, err := backend.Open(backend.Go)
	if err != nil {
		t.Fatal(err)
	}
	opt := AdamW{Schedule: Schedule{Peak: 0.1, Warmup: 3}, WeightDecay: 0.2, Clip: 1.5}.withDefaults(10)
	start := []float64{1, -2, 3, 0.5, 4, -1} // a matrix [2,2] and a vector [2]
	scale := []float64{1, 2, 0.5, 3, 1, 2}   // loss = sum scale * w² / 2
	f32 := func(v []float64) []float32 {
		var out []float32
		for _, x := range v {
			out = append(out, float32(x))
		}
		return out
	}
	store := mlmodel.NewStore()
	matrix := store.RootScope().VariableWithValue("matrix", tensors.FromFlatDataAndDimensions(f32(start[:4]), 2, 2))
	vector := store.RootScope().VariableWithValue("vector", tensors.FromFlatDataAndDimensions(f32(start[4:]), 2))
	var weights []trained
	for _, w := range []*mlmodel.Variable{matrix, vector} {
		zeros := func(name string) *mlmodel.Variable {
			return store.RootScope().VariableWithValue(name+w.Name(), tensors.FromShape(w.Shape()))
		}
		weights = append(weights, trained{value: w, m: zeros("m"), v: zeros("v"), decay: w == matrix})
	}
	exec, err := mlmodel.NewExec(b, store, func(_ *mlmodel.Scope, rates *Node) *Node {
		g := rates.Graph()
		half := func(v *mlmodel.Variable, s []float64) *Node {
			w := v.NodeValue(g)
			return MulScalar(ReduceAllSum(Mul(Reshape(Const(g, f32(s)), w.Shape().Dimensions...), Square(w))), 0.5)
		}
		loss := Add(half(matrix, scale[:4]), half(vector, scale[4:]))
		grads := Gradient(loss, matrix.NodeValue(g), vector.NodeValue(g))
		norm := globalNorm(grads)
		opt.update(weights, grads, norm, IsFinite(norm), rates)
		return loss
	})
	if err != nil {
		t.Fatal(err)
	}

	w, m, v := append([]float64(nil), start...), make([]float64, 6), make([]float64, 6)
	for step := 1; step <= 8; step++ {
		if _, err := exec.Exec(opt.rates(step)); err != nil {
			t.Fatal(err)
		}
		norm := 0.0
		for i := range w {
			norm += scale[i] * w[i] * scale[i] * w[i]
		}
		norm = math.Sqrt(norm)
		rate := opt.Schedule.At(step)
		for i := range w {
			g := scale[i] * w[i] * math.Min(1, 1.5/norm)
			m[i], v[i] = 0.9*m[i]+0.1*g, 0.95*v[i]+0.05*g*g
			update := m[i] / (1 - math.Pow(0.9, float64(step))) / (math.Sqrt(v[i]/(1-math.Pow(0.95, float64(step)))) + 1e-8)
			if i < 4 {
				update += 0.2 * w[i]
			}
			w[i] -= rate * update
		}
		got := append(tensors.MustCopyFlatData[float32](matrix.MustValue()), tensors.MustCopyFlatData[float32](vector.MustValue())...)
		for i := range w {
			if math.Abs(float64(got[i])-w[i]) > 2e-6*float64(step) {
				t.Fatalf("step %d, weight %d is %v, float64 gives %v", step, i, got[i], w[i])
			}
		}
	}
}

func TestSchedule(t *testing.T) {
	s := Schedule{Peak: 1, Floor: 0.1, Warmup: 10, Steps: 110}
	for step, want := range map[int]float64{1: 0.1, 5: 0.5, 10: 1, 60: 0.55, 110: 0.1, 200: 0.1} {
		if got := s.At(step); math.Abs(got-want) > 1e-12 {
			t.Errorf("rate of step %d is %v, expected %v", step, got, want)
		}
	}
}
