package model

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/hf/safetensors"
)

// Products that read the same input are one product with their weights one above the other: queries, keys and values, and gate and up. On an accelerator one
// wide product is faster than its parts, which leave some of the machine idle. So models in bfloat16 fuse them there when they are opened, on the device, a
// layer at a time. The checkpoint's names stay what everyone else sees: Save and Weights speak of the parts, and whoever asks for the Store, to train or
// adapt the model, has them split for good.

// fusedWeights are a product made of parts, in the order of its rows.
type fusedWeights struct {
	dense
	parts []dense
}

// fused returns the architecture with fused products, and what it fused; nothing where a family has no such products or stores them fused. Products
// of which some are cut over devices and some are not stay split.
func (a *architecture) fused(isCut func(dense) bool) (*architecture, []fusedWeights) {
	var fused []fusedWeights
	fuse := func(name string, parts ...*dense) (d dense) {
		first := *parts[0]
		for _, p := range parts {
			if p.name == "" || p.transposed || p.in != first.in || p.bias != first.bias || isCut(*p) != isCut(first) {
				return dense{}
			}
		}
		j := fusedWeights{dense: dense{name: name, in: first.in, bias: first.bias}}
		for _, p := range parts {
			j.out += p.out
			j.parts = append(j.parts, *p)
			*p = dense{}
		}
		fused = append(fused, j)
		return j.dense
	}
	wide := *a
	wide.blocks = slices.Clone(a.blocks)
	wide.each(func(b *block, p string) {
		if b.attn.fused.name == "" {
			b.attn.fused = fuse(p+"fused.query_key_value", &b.attn.query, &b.attn.key, &b.attn.value)
		}
		if b.mlp.gateUp.name == "" {
			b.mlp.gateUp = fuse(p+"fused.gate_up", &b.mlp.gate, &b.mlp.up)
		}
	})
	return &wide, fused
}

// suffixes are the ends of the names of a product's weights.
func (d dense) suffixes() []string {
	if d.bias {
		return []string{".weight", ".bias"}
	}
	return []string{".weight"}
}

// arrange changes the weights' layout to the one that the backend multiplies fastest: fused products on an accelerator, input-major ones ([in, out]) where the Go backend has
// vector kernels.
func (m *Model) arrange() error {
	switch {
	case m.split || m.inputMajor != nil:
	case backend.IsXLA(m.Backend):
		if m.DType == dtypes.BFloat16 {
			return m.fuseAll()
		}
	case m.wantsInputMajor():
		return m.toInputMajor()
	}
	return nil
}

func (m *Model) fuseAll() error {
	arch, fused := m.arch.fused(func(d dense) bool { _, isCut := m.cuts[d.name+".weight"]; return isCut })
	if err := m.exchangeAll(fused, func(j fusedWeights) (from, to []dense) { return j.parts, []dense{j.dense} }); err != nil {
		return err
	}
	m.arch, m.fused, m.split = arch, fused, len(fused) == 0
	return nil
}

// splitAll makes the weights again what the checkpoint has, and keeps them so.
func (m *Model) splitAll() error {
	m.split = true
	if m.fused == nil && m.inputMajor == nil {
		return nil
	}
	arch, err := m.Config.describe()
	if err != nil {
		return err
	}
	if err := m.exchangeAll(m.fused, func(j fusedWeights) (from, to []dense) { return []dense{j.dense}, j.parts }); err != nil {
		return err
	}
	if err := m.transposeAll(m.inputMajor); err != nil {
		return err
	}
	m.arch, m.fused, m.inputMajor = arch, nil, nil
	return nil
}

// exchangeAll replaces the weights of some products by those of others with the same rows in the same order. Over several devices each exchanges its own pieces: a device
// has a piece of every part of a fused product.
func (m *Model) exchangeAll(fused []fusedWeights, sides func(fusedWeights) (from, to []dense)) error {
	execs := map[string]*Exec{} // one for each division of rows
	for _, j := range fused {
		from, to := sides(j)
		n := 1
		if _, isCut := m.cuts[j.parts[0].name+".weight"]; isCut {
			n = m.Devices()
		}
		key := fmt.Sprint(rows(from, n), rows(to, n))
		if execs[key] == nil {
			e, err := NewExec(m.Backend, func(in []*Node) []*Node {
				whole, at := Concatenate(in, 0), 0
				var out []*Node
				for _, size := range rows(to, n) {
					out = append(out, SliceAxis(whole, 0, AxisRange(at, at+size)))
					at += size
				}
				return out
			})
			if err != nil {
				return err
			}
			defer e.Finalize()
			execs[key] = e
		}
		for _, suffix := range j.suffixes() {
			if err := m.exchange(execs[key], from, to, suffix); err != nil {
				return fmt.Errorf("joining or separating the weights of %s: %w", j.name, err)
			}
		}
	}
	m.dropCompiled()
	return nil
}

// rows of products on each of n devices.
func rows(products []dense, n int) []int {
	var sizes []int
	for _, d := range products {
		sizes = append(sizes, d.out/n)
	}
	return sizes
}

func (m *Model) exchange(e *Exec, from, to []dense, suffix string) error {
	var in []*value
	for _, d := range from {
		v, err := m.variable(d.name + suffix)
		if err != nil {
			return err
		}
		in = append(in, v)
	}
	out := make([]*value, len(to))
	for place, device := range m.homes(from[0].name) {
		var args []any
		for _, v := range in {
			args = append(args, v.on[place])
		}
		made, _, err := e.CallWithGraphOnDevice(device, args...)
		if err != nil {
			return err
		}
		for i, t := range made {
			if place == 0 {
				out[i] = &value{cut: in[0].cut}
			}
			out[i].on = append(out[i].on, t)
		}
	}
	for i, d := range from {
		if err := m.store.DeleteVariable("/" + d.name + suffix); err != nil {
			return err
		}
		in[i].free() // its memory is needed now, not when the collector comes
	}
	for i, d := range to {
		if err := m.setVariable(d.name+suffix, out[i]); err != nil {
			return err
		}
	}
	return nil
}

// partsOf is what the checkpoint has for a product: its parts, or itself.
func (m *Model) partsOf(d dense) []dense {
	for _, j := range m.fused {
		if j.name == d.name {
			return j.parts
		}
	}
	return []dense{d}
}

// joinedAt says where a weight of the checkpoint is now: in the variable of a name, from a row on.
func (m *Model) joinedAt(name string) (variable string, row int) {
	for _, j := range m.fused {
		row := 0
		for _, p := range j.parts {
			for _, suffix := range j.suffixes() {
				if p.name+suffix == name {
					return j.name + suffix, row
				}
			}
			row += p.out
		}
	}
	return name, 0
}

// The vector kernels of the Go backend (compute v0.1.6 with GOEXPERIMENT=simd) multiply weights stored [in, out] as fast as the machine adds, and weights stored [out, in], as
// almost all checkpoints have them, three to ten times slower where the input has few rows or columns: there they add up a register's lanes for every number of
// the result. So in such a build the weights of the blocks' products are transposed when a model is opened. As with fused products nothing outside the package sees it.

// inputMajor returns the architecture with every product of the blocks stored [in, out], and those that were not.
func (a *architecture) inputMajor() (*architecture, []dense) {
	var changed []dense
	flat := *a
	flat.blocks = slices.Clone(a.blocks)
	flat.each(func(b *block, _ string) {
		for _, d := range b.products() {
			if d.name != "" && !d.transposed {
				changed = append(changed, *d)
				d.transposed = true
			}
		}
	})
	return &flat, changed
}

// wantsInputMajor reports whether turning pays.
func (m *Model) wantsInputMajor() bool { return backend.SIMD && !backend.IsXLA(m.Backend) }

// toInputMajor transposes the weights of the blocks' products.
func (m *Model) toInputMajor() error {
	arch, changed := m.arch.inputMajor()
	if err := m.transposeAll(changed); err != nil {
		return err
	}
	m.arch, m.inputMajor = arch, changed
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

// isInputMajor reports whether the variable of a weight is the transposed of what the checkpoint has.
func (m *Model) isInputMajor(name string) bool {
	return slices.ContainsFunc(m.inputMajor, func(d dense) bool { return d.name+".weight" == name })
}

// convertInputMajor is convert for a matrix [out, in] that is wanted [in, out], in float32.
func (m *Model) convertInputMajor(t safetensors.Tensor) (*tensors.Tensor, error) {
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
				transposeStrip(flat, values, r, rows, columns)
			}
		}
	})
	return out, errors.Join(err, failed)
}

// strip is the number of rows transposed at a time: their numbers in a column fill a cache line.
const strip = 16

// transposeStrip puts values, a few rows of a matrix from row r on, into the transposed matrix out.
func transposeStrip(out, values []float32, r, rows, columns int) {
	for c := range columns {
		for k := range len(values) / columns {
			out[c*rows+r+k] = values[k*columns+c]
		}
	}
}

// transposed is the transpose of a matrix of that many rows.
func transposed(values []float32, rows int) []float32 {
	columns := len(values) / rows
	out := make([]float32, len(values))
	for r := 0; r < rows; r += strip {
		transposeStrip(out, values[r*columns:min(r+strip, rows)*columns], r, rows, columns)
	}
	return out
}
