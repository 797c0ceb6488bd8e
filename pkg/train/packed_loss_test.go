package train_test

import (
	"math"
	"math/rand/v2"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	mlmodel "github.com/gomlx/gomlx/ml/model"

	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/train"
)

// TestPackedLossEqualsUnpackedLoss compares the loss of each token in a packed row with that of its document alone.
func TestPackedLossEqualsUnpackedLoss(t *testing.T) {
	m := newModel(t)
	r := rand.New(rand.NewPCG(4, 4))
	docs := make([]train.Document, 12)
	for i := range docs {
		docs[i].Tokens = []int32{1}
		for range 2 + r.IntN(14) {
			docs[i].Tokens = append(docs[i].Tokens, int32(2+r.IntN(38)))
		}
	}
	run := func(exec *mlmodel.Exec, err error, inputs ...any) []float32 {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Exec(inputs...)
		if err != nil {
			t.Fatal(err)
		}
		return tensors.MustCopyFlatData[float32](out[0])
	}
	p, err := train.Pack(docs, 40)
	if err != nil {
		t.Fatal(err)
	}
	tensor := func(v []int32, rows, width int) *tensors.Tensor {
		return tensors.FromFlatDataAndDimensions(v, rows, width)
	}
	exec, err := mlmodel.NewExec(m.Backend, m.Store(), func(_ *mlmodel.Scope, tokens, positions, segments, labels *Node) *Node {
		return m.LossGraph(model.Rows{Tokens: tokens, Positions: positions, Segments: segments}, labels, model.PassOptions{})
	})
	packed := run(exec, err, tensor(p.Tokens, p.Rows, p.Width), tensor(p.Positions, p.Rows, p.Width), tensor(p.Segments, p.Rows, p.Width), tensor(p.Labels, p.Rows, p.Width))

	single, err := mlmodel.NewExec(m.Backend, m.Store(), func(_ *mlmodel.Scope, tokens, labels *Node) *Node {
		logProbs := LogSoftmax(m.LogitsGraph(tokens), -1)
		return Neg(ReduceSum(Mul(logProbs, OneHot(labels, m.Config.VocabSize, logProbs.DType())), -1))
	})
	// Documents are found again by their tokens: each begins where its position is 0.
	found := 0
	for at := range p.Tokens {
		if p.Segments[at] == 0 || p.Positions[at] != 0 {
			continue
		}
		n := 0
		for at+n < len(p.Segments) && (at+n)/p.Width == at/p.Width && p.Segments[at+n] == p.Segments[at] {
			n++
		}
		alone := run(single, err, tensor(p.Tokens[at:at+n], 1, n), tensor(p.Labels[at:at+n], 1, n))
		for k := range n {
			if d := math.Abs(float64(packed[at+k] - alone[k])); d > 1e-5 {
				t.Errorf("place %d, token %d of a document: %v packed, %v alone", at, k, packed[at+k], alone[k])
			}
		}
		found++
	}
	if found != len(docs) || p.Rows >= len(docs) {
		t.Errorf("%d documents found in %d rows, expected %d in fewer rows", found, p.Rows, len(docs))
	}
}
