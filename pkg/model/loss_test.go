package model_test

import (
	"math"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	mlmodel "github.com/gomlx/gomlx/ml/model"

	"github.com/attune-lab/attune/pkg/model"
)

// packedRow is one row of three documents and padding: [tokens, labels, positions, segments], each int32 [1, width], and the documents.
func packedRow(width, vocab int) (inputs [4]*tensors.Tensor, docs [][]int) {
	var flat [4][]int32
	for s, n := range []int{9, 5, 12} {
		doc := tokens(s+1, n+1, vocab)
		docs = append(docs, doc)
		for k := range n {
			for i, v := range []int{doc[k], doc[k+1], k, s + 1} {
				flat[i] = append(flat[i], int32(v))
			}
		}
	}
	for i := range flat {
		flat[i] = append(flat[i], make([]int32, width-len(flat[i]))...)
		inputs[i] = tensors.FromFlatDataAndDimensions(flat[i], 1, width)
	}
	return inputs, docs
}

func lossOf(m *model.Model, o model.PassOptions, in []*Node) *Node {
	return m.LossGraph(model.Rows{Tokens: in[0], Positions: in[2], Segments: in[3]}, in[1], o)
}

// TestPackedLossOfEveryFamily compares each token's loss in a packed row with what the forward pass says of its document alone. Logits of these models reach tens, so
// their rounding in float32 is about 1e-5.
func TestPackedLossOfEveryFamily(t *testing.T) {
	everyFamily(t, func(t *testing.T, name string) {
		if strings.Contains(name, "dynamic, beyond") || strings.Contains(name, "long rope") {
			t.Skip("its rotation depends on the length of the whole row")
		}
		m := family(t, name)
		inputs, docs := packedRow(30, m.Config.VocabSize)
		exec, err := mlmodel.NewExec(m.Backend, m.Store(), func(_ *mlmodel.Scope, in []*Node) *Node { return lossOf(m, model.PassOptions{}, in) })
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Exec(inputs[0], inputs[1], inputs[2], inputs[3])
		if err != nil {
			t.Fatal(err)
		}
		packed := tensors.MustCopyFlatData[float32](out[0])
		at := 0
		for i, doc := range docs {
			targets := make([]model.Target, len(doc)-1)
			for k := range targets {
				targets[k] = model.Target{Position: k, Token: doc[k+1]}
			}
			r, err := m.Forward(model.Prompts(doc[:len(doc)-1]), model.Outputs{Targets: model.Targets{targets}}, nil)
			if err != nil {
				t.Fatal(err)
			}
			for k, want := range r.LogProbs[0] {
				if d := math.Abs(float64(packed[at]) + want); d > 5e-5 {
					t.Fatalf("document %d, token %d: loss %v packed, %v alone", i, k, packed[at], -want)
				}
				at++
			}
		}
	})
}

// TestGradientOfEveryFamily moves all weights along the gradient by so much that the loss should rise by rise, to first order, and compares the gradient's length with that
// of the pass that computes its blocks again. The loss, a sum of about 100, is known to 1e-5, and what is not linear is in the rest: 2 %.
func TestGradientOfEveryFamily(t *testing.T) {
	const rise = 0.02
	everyFamily(t, func(t *testing.T, name string) {
		m := family(t, name)
		row, _ := packedRow(30, m.Config.VocabSize)
		var names []string
		for _, w := range m.Weights() {
			names = append(names, w.Name)
		}
		value := func(g *Graph, name string) *Node { return m.Store().GetVariable("/" + name).NodeValue(g) }
		// The result is the loss and the squared lengths of both gradients; and the weights move along the first.
		exec, err := mlmodel.NewExec(m.Backend, m.Store(), func(_ *mlmodel.Scope, in []*Node) *Node {
			g := in[0].Graph()
			weights := make([]*Node, len(names))
			for i, name := range names {
				weights[i] = value(g, name)
			}
			real := ConvertDType(GreaterThan(in[3], ZerosLike(in[3])), weights[0].DType())
			gradient := func(o model.PassOptions) (loss, length *Node, grads []*Node) {
				loss = ReduceAllSum(Mul(lossOf(m, o, in), real))
				grads = Gradient(loss, weights...)
				for _, gr := range grads {
					square := ReduceAllSum(Square(gr))
					if length == nil {
						length = square
					} else {
						length = Add(length, square)
					}
				}
				return loss, length, grads
			}
			loss, length, grads := gradient(model.PassOptions{})
			_, again, _ := gradient(model.PassOptions{Recompute: true})
			for i, name := range names {
				m.Store().GetVariable("/" + name).SetNodeValue(Add(weights[i], Mul(grads[i], Div(in[4], length))))
			}
			return Stack([]*Node{loss, length, again}, 0)
		})
		if err != nil {
			t.Fatal(err)
		}
		var results [][]float32
		for _, move := range []float32{rise, 0} {
			out, err := exec.Exec(row[0], row[1], row[2], row[3], move)
			if err != nil {
				t.Fatal(err)
			}
			results = append(results, tensors.MustCopyFlatData[float32](out[0]))
		}
		start, up := results[0], results[1]
		if got := float64(up[0] - start[0]); math.Abs(got/rise-1) > 0.02 {
			t.Errorf("the loss rises from %v by %v, expected %v", start[0], got, rise)
		}
		if a, b := float64(start[1]), float64(start[2]); math.Abs(a/b-1) > 1e-4 {
			t.Errorf("the squared length is %v, of the pass that computes its blocks again %v", a, b)
		}
	})
}
