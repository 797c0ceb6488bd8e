package model

import (
	"errors"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/hf/safetensors"
)

// The vector kernels of the Go backend (compute v0.1.6 with GOEXPERIMENT=simd) multiply weights stored [in, out] as fast as the machine adds, and weights stored [out, in], as
// almost all checkpoints have them, three to ten times slower where the input has few rows or columns: there they add up a register's lanes for every number of
// the result. So in such a build the weights of the blocks' products are turned when a model is opened. As with joined products nobody else sees it.

// turned returns the architecture with every product of the blocks stored [in, out], and those that were not.
func (a *architecture) turned() (*architecture, []dense) {
	var turned []dense
	flat := *a
	flat.blocks = slices.Clone(a.blocks)
	flat.each(func(b *block, _ string) {
		for _, d := range b.products() {
			if d.name != "" && !d.transposed {
				turned = append(turned, *d)
				d.transposed = true
			}
		}
	})
	return &flat, turned
}

// turns reports whether turning pays.
func (m *Model) turns() bool { return backend.SIMD && !backend.IsXLA(m.Backend) }

// turnAll turns the weights of the blocks' products.
func (m *Model) turnAll() error {
	arch, turned := m.arch.turned()
	if err := m.transposeAll(turned); err != nil {
		return err
	}
	m.arch, m.turned = arch, turned
	return nil
}

// transposeAll transposes the weights of products in place.
func (m *Model) transposeAll(products []dense) error {
	e, err := NewExec(m.Backend, func(w *Node) *Node { return Transpose(w, 0, 1) })
	if err != nil {
		return err
	}
	defer e.Finalize()
	for _, d := range products {
		if err := m.exchange(e, []dense{d}, []dense{d}, ".weight"); err != nil {
			return err
		}
	}
	m.dropCompiled()
	return nil
}

// isTurned reports whether the variable of a weight is the transposed of what the checkpoint has.
func (m *Model) isTurned(name string) bool {
	return slices.ContainsFunc(m.turned, func(d dense) bool { return d.name+".weight" == name })
}

// convertTurned is convert for a matrix [out, in] that is wanted [in, out], in float32.
func (m *Model) convertTurned(t safetensors.Tensor) (*tensors.Tensor, error) {
	rows, columns := t.Shape[0], t.Shape[1]
	out, err := tensors.FromShapeForBackend(m.Backend, 0, shapes.Make(dtypes.Float32, columns, rows))
	if err != nil {
		return nil, err
	}
	width := len(t.Data) / rows
	var failed error
	err = tensors.MutableFlatData(out, func(flat []float32) {
		for r := 0; r < rows && failed == nil; r += strip {
			n := min(strip, rows-r)
			part := safetensors.Tensor{Name: t.Name, DType: t.DType, Shape: []int{n, columns}, Data: t.Data[r*width : (r+n)*width]}
			var values []float32
			if values, failed = part.Float32s(); failed == nil {
				turnStrip(flat, values, r, rows, columns)
			}
		}
	})
	return out, errors.Join(err, failed)
}

// strip is the number of rows turned at a time: their numbers in a column fill a cache line.
const strip = 16

// turnStrip puts values, a few rows of a matrix from row r on, into the transposed matrix out.
func turnStrip(out, values []float32, r, rows, columns int) {
	for c := range columns {
		for k := range len(values) / columns {
			out[c*rows+r+k] = values[k*columns+c]
		}
	}
}

// transposed turns a matrix of so many rows.
func transposed(values []float32, rows int) []float32 {
	columns := len(values) / rows
	out := make([]float32, len(values))
	for r := 0; r < rows; r += strip {
		turnStrip(out, values[r*columns:min(r+strip, rows)*columns], r, rows, columns)
	}
	return out
}
