package model

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// NewOnDevice is New with weights drawn on the backend by its own generator: other values than New's and other on every backend, but
// a model of many gigabytes takes seconds and nothing on the host. It is meant for measuring speed, which does not depend on the values.
func NewOnDevice(c *Config, seed int64, opts Options) (*Model, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	m, err := newModel(c, opts)
	if err != nil {
		return nil, err
	}
	values := map[string]*tensors.Tensor{}
	draws := map[string]*Exec{} // one for each shape and kind
	for i, w := range m.weights {
		key := fmt.Sprint(w.shape, w.init)
		if draws[key] == nil {
			if draws[key], err = NewExec(m.Backend, func(state *Node) *Node { return m.draw(state, w) }); err != nil {
				return nil, err
			}
			defer draws[key].Finalize()
		}
		state, err := RNGStateFromSeed(seed<<20 + int64(i))
		if err != nil {
			return nil, err
		}
		if values[w.name], err = draws[key].Call1(state); err != nil {
			return nil, fmt.Errorf("weight %q: %w", w.name, err)
		}
	}
	return m, m.setWeights(values)
}

// draw is a weight's starting value, in the model's type, from a random state.
func (m *Model) draw(state *Node, w weight) *Node {
	shape := shapes.Make(dtypes.Float32, w.shape...)
	std := m.Config.InitializerRange
	switch w.init {
	case initOnes:
		return ConvertDType(Ones(state.Graph(), shape), m.DType)
	case initZeros:
		return ConvertDType(Zeros(state.Graph(), shape), m.DType)
	case initResidual:
		std /= math.Sqrt(2 * float64(m.Config.Layers))
	}
	_, normal := RandomNormal(state, shape)
	return ConvertDType(MulScalar(normal, std), m.DType)
}
