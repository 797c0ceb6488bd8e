package train_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	mlmodel "github.com/gomlx/gomlx/ml/model"

	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/train"
)

// losses are those of every place of packed rows, and the norm of the gradient of their weighted mean.
func losses(t *testing.T, m *model.Model, p *train.Packed, o model.PassOptions) ([]float32, float64) {
	t.Helper()
	exec, err := mlmodel.NewExec(m.Backend, m.Store(), func(_ *mlmodel.Scope, in []*Node) []*Node {
		rows := model.Rows{Tokens: in[0]}
		if len(in) > 3 {
			rows.Positions, rows.Segments = in[3], in[4]
		}
		loss := m.LossGraph(rows, in[1], o)
		var weights []*Node
		for _, w := range m.Weights() {
			weights = append(weights, m.Store().GetVariable("/"+w.Name).NodeValue(in[0].Graph()))
		}
		square := ScalarZero(in[0].Graph(), dtypes.Float32)
		for _, g := range Gradient(Div(ReduceAllSum(Mul(loss, in[2])), ReduceAllSum(in[2])), weights...) {
			square = Add(square, ReduceAllSum(Square(g)))
		}
		return []*Node{loss, Sqrt(square)}
	})
	if err != nil {
		t.Fatal(err)
	}
	ids := func(v []int32) *tensors.Tensor { return tensors.FromFlatDataAndDimensions(v, p.Rows, p.Width) }
	inputs := []any{ids(p.Tokens), ids(p.Labels), tensors.FromFlatDataAndDimensions(p.Weights, p.Rows, p.Width)}
	for _, row := range p.Documents {
		if len(row) > 1 && len(inputs) == 3 {
			inputs = append(inputs, ids(p.Positions), ids(p.Segments))
		}
	}
	out, err := exec.Exec(inputs...)
	if err != nil {
		t.Fatal(err)
	}
	return tensors.MustCopyFlatData[float32](out[0]), float64(tensors.ToScalar[float32](out[1]))
}

// TestPackedLossEqualsUnpackedLoss compares the loss of each token in rows of several documents with that in a row of its document alone: to 1e-5 in float32, on every
// backend, and on a GPU to the rounding of bfloat16, where a fused kernel computes the attention of both.
func TestPackedLossEqualsUnpackedLoss(t *testing.T) {
	m := newModel(t)
	r := rand.New(rand.NewPCG(4, 4))
	docs := make([]train.Document, 12)
	alone := &train.Packed{Width: 64}
	for i := range docs {
		docs[i].Tokens = []int32{1}
		for range 2 + r.IntN(30) {
			docs[i].Tokens = append(docs[i].Tokens, int32(2+r.IntN(38)))
		}
		p, err := train.Pack(docs[i:i+1], alone.Width)
		if err != nil {
			t.Fatal(err)
		}
		alone.Rows++
		alone.Tokens, alone.Labels, alone.Weights = append(alone.Tokens, p.Tokens...), append(alone.Labels, p.Labels...), append(alone.Weights, p.Weights...)
	}
	p, err := train.Pack(docs, alone.Width)
	if err != nil {
		t.Fatal(err)
	}
	if p.Rows >= len(docs) {
		t.Fatalf("%d documents in %d rows: nothing is packed", len(docs), p.Rows)
	}
	compare := func(o model.PassOptions, limit float64) ([]float32, float64) {
		t.Helper()
		want, wantNorm := losses(t, m, alone, o)
		got, norm := losses(t, m, p, o)
		found := 0
		for row, numbers := range p.Documents {
			at := row * p.Width
			for _, i := range numbers {
				for k := range len(docs[i].Tokens) - 1 {
					if d := math.Abs(float64(got[at] - want[i*alone.Width+k])); !(d <= limit) {
						t.Fatalf("document %d, token %d: loss %v packed, %v alone", i, k, got[at], want[i*alone.Width+k])
					}
					at++
				}
				found++
			}
		}
		if found != len(docs) {
			t.Errorf("%d documents found, expected %d", found, len(docs))
		}
		if !(math.Abs(norm/wantNorm-1) <= 10*limit) {
			t.Errorf("the gradient's norm is %v packed, %v alone", norm, wantNorm)
		}
		return got, norm
	}
	exact, exactNorm := compare(model.PassOptions{}, 1e-5)
	if onGPU() {
		half, halfNorm := compare(model.PassOptions{DType: dtypes.BFloat16}, 4e-3) // half the step of bfloat16 at logits of about 1
		for i := range exact {
			if p.Weights[i] != 0 && !(math.Abs(float64(exact[i]-half[i])) < 2e-2) {
				t.Fatalf("place %d: loss %v in bfloat16, %v in float32", i, half[i], exact[i])
			}
		}
		if !(math.Abs(halfNorm/exactNorm-1) < 2e-2) {
			t.Errorf("the gradient's norm is %v in bfloat16, %v in float32", halfNorm, exactNorm)
		}
		if _, norm := losses(t, m, p, model.PassOptions{DType: dtypes.BFloat16, Recompute: true}); !(math.Abs(norm/halfNorm-1) < 4e-3) {
			t.Errorf("the gradient's norm is %v, with blocks computed again %v", halfNorm, norm)
		}
	}
}
