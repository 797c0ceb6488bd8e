package model

import (
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
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

// transposed turns a matrix of so many rows, row by row in memory.
func transposed(values []float32, rows int) []float32 {
	columns := len(values) / rows
	out := make([]float32, len(values))
	for r := range rows {
		for c := range columns {
			out[c*rows+r] = values[r*columns+c]
		}
	}
	return out
}
