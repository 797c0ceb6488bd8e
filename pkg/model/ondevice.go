package model

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// NewOnDevice is New with weights drawn on the backend by its own generator: other values than New's and other on every backend, but
// a model of many gigabytes takes seconds and nothing on the host; over several devices each draws its own piece of every weight. It is meant for measuring speed, which does not depend on the values.
func NewOnDevice(c *Config, seed int64, opts Options) (*Model, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	m, err := newModel(c, opts)
	if err != nil {
		return nil, err
	}
	values := map[string]*value{}
	draws := map[string]*Exec{} // one for each shape and kind
	for i, w := range m.weights {
		v := &value{}
		dims, isCut := m.pieceShape(w)
		if isCut {
			v.cut = m.cutAt(m.cuts[w.name].axis)
		}
		key := fmt.Sprint(dims, w.init)
		if draws[key] == nil {
			if draws[key], err = NewExec(m.Backend, func(state *Node) *Node { return m.draw(state, dims, w.init) }); err != nil {
				return nil, err
			}
			defer draws[key].Finalize()
		}
		for _, device := range m.homes(w.name) {
			number := int64(i)
			if isCut {
				number += int64(device) << 16
			}
			state, err := RNGStateFromSeed(seed<<20 + number)
			if err != nil {
				return nil, err
			}
			drawn, _, err := draws[key].CallWithGraphOnDevice(device, state)
			if err != nil {
				return nil, m.fit(fmt.Errorf("weight %q: %w", w.name, err))
			}
			v.on = append(v.on, drawn[0])
		}
		values[w.name] = v
	}
	return m, m.fit(m.setWeights(values))
}

// draw is a starting value, in the model's type, from a random state.
func (m *Model) draw(state *Node, dims []int, init initKind) *Node {
	shape := shapes.Make(dtypes.Float32, dims...)
	std := m.Config.InitializerRange
	switch init {
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
