package train

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	mlmodel "github.com/gomlx/gomlx/ml/model"

	"github.com/attune-lab/attune/pkg/model"
)

// HeldOut is a probe of the loss on documents that are not trained on, packed into rows of a width: "loss", the mean of the weighted tokens in nats. rows is how
// many the model sees at once and compute the type of its products, 0 for the model's.
func HeldOut(docs []Document, width, rows int, compute dtypes.DType) func(m *model.Model, step int) (map[string]float64, error) {
	var exec *mlmodel.Exec
	var of *model.Model
	return func(m *model.Model, _ int) (map[string]float64, error) {
		all, err := Pack(docs, width)
		if err != nil {
			return nil, err
		}
		if exec == nil || of != m {
			of = m
			exec, err = mlmodel.NewExec(m.Backend, m.Store(), func(_ *mlmodel.Scope, weights, labels, tokens, positions, segments *Node) *Node {
				loss := m.LossGraph(model.Rows{Tokens: tokens, Positions: positions, Segments: segments}, labels, model.PassOptions{DType: compute})
				return Stack([]*Node{ReduceAllSum(Mul(loss, weights)), ReduceAllSum(weights)}, 0)
			})
			if err != nil {
				return nil, err
			}
		}
		loss, weight := 0.0, 0.0
		for first := 0; first < all.Rows; first += rows {
			ids := func(v []int32) *tensors.Tensor {
				return tensors.FromFlatDataAndDimensions(padded(v, first*width, rows*width), rows, width)
			}
			weights := tensors.FromFlatDataAndDimensions(padded(all.Weights, first*width, rows*width), rows, width)
			out, err := exec.Exec(weights, ids(all.Labels), ids(all.Tokens), ids(all.Positions), ids(all.Segments))
			if err != nil {
				return nil, err
			}
			v, err := tensors.CopyFlatData[float32](out[0])
			if err != nil {
				return nil, err
			}
			loss, weight = loss+float64(v[0]), weight+float64(v[1])
		}
		if weight == 0 {
			return nil, fmt.Errorf("no token of the held-out documents counts in the loss: does the loss mask name sections that they have?")
		}
		return map[string]float64{"loss": loss / weight}, nil
	}
}

// padded is n values from a place on, zeros where there are no more.
func padded[T any](v []T, from, n int) []T {
	out := make([]T, n)
	copy(out, v[from:])
	return out
}
