package model

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/backend"
)

// Products that read the same input are one product with their weights one above the other: queries, keys and values, and gate and up. On an accelerator one
// wide product is faster than its parts, which leave some of the machine idle. So models in bfloat16 join them there when they are opened, on the device, a
// layer at a time. The checkpoint's names stay what everyone else sees: Save and Weights speak of the parts, and whoever asks for the Store, to train or
// adapt the model, has them taken apart for good.

// joint is a product made of parts, in the order of its rows.
type joint struct {
	dense
	parts []dense
}

// joined returns the architecture with joined products, and what it joined; nothing where a family has no such products or stores them joined.
func (a *architecture) joined() (*architecture, []joint) {
	var joints []joint
	join := func(name string, parts ...*dense) (d dense) {
		first := *parts[0]
		for _, p := range parts {
			if p.name == "" || p.transposed || p.in != first.in || p.bias != first.bias {
				return dense{}
			}
		}
		j := joint{dense: dense{name: name, in: first.in, bias: first.bias}}
		for _, p := range parts {
			j.out += p.out
			j.parts = append(j.parts, *p)
			*p = dense{}
		}
		joints = append(joints, j)
		return j.dense
	}
	wide := *a
	wide.blocks = slices.Clone(a.blocks)
	wide.each(func(b *block, p string) {
		if b.attn.fused.name == "" {
			b.attn.fused = join(p+"joined.query_key_value", &b.attn.query, &b.attn.key, &b.attn.value)
		}
		if b.mlp.gateUp.name == "" {
			b.mlp.gateUp = join(p+"joined.gate_up", &b.mlp.gate, &b.mlp.up)
		}
	})
	return &wide, joints
}

// suffixes are the ends of the names of a product's weights.
func (d dense) suffixes() []string {
	if d.bias {
		return []string{".weight", ".bias"}
	}
	return []string{".weight"}
}

// arrange changes the weights' layout to the one that the backend multiplies fastest: joined products on an accelerator, turned ones where the Go backend has
// vector kernels.
func (m *Model) arrange() error {
	switch {
	case m.apart || m.turned != nil:
	case backend.IsXLA(m.Backend):
		if m.DType == dtypes.BFloat16 {
			return m.joinAll()
		}
	case m.turns():
		return m.turnAll()
	}
	return nil
}

func (m *Model) joinAll() error {
	arch, joints := m.arch.joined()
	if err := m.exchangeAll(joints, func(j joint) (from, to []dense) { return j.parts, []dense{j.dense} }); err != nil {
		return err
	}
	m.arch, m.joints, m.apart = arch, joints, len(joints) == 0
	return nil
}

// separate makes the weights again what the checkpoint has, and keeps them so.
func (m *Model) separate() error {
	m.apart = true
	if m.joints == nil && m.turned == nil {
		return nil
	}
	arch, err := m.Config.describe()
	if err != nil {
		return err
	}
	if err := m.exchangeAll(m.joints, func(j joint) (from, to []dense) { return []dense{j.dense}, j.parts }); err != nil {
		return err
	}
	if err := m.transposeAll(m.turned); err != nil {
		return err
	}
	m.arch, m.joints, m.turned = arch, nil, nil
	return nil
}

// exchangeAll replaces the weights of some products by those of others with the same rows in the same order.
func (m *Model) exchangeAll(joints []joint, sides func(joint) (from, to []dense)) error {
	execs := map[string]*Exec{} // one for each division of rows
	for _, j := range joints {
		from, to := sides(j)
		key := fmt.Sprint(rows(from), rows(to))
		if execs[key] == nil {
			e, err := NewExec(m.Backend, func(in []*Node) []*Node {
				whole, at := Concatenate(in, 0), 0
				var out []*Node
				for _, n := range rows(to) {
					out = append(out, SliceAxis(whole, 0, AxisRange(at, at+n)))
					at += n
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

func rows(products []dense) []int {
	var ns []int
	for _, d := range products {
		ns = append(ns, d.out)
	}
	return ns
}

func (m *Model) exchange(e *Exec, from, to []dense, suffix string) error {
	var in []any
	for _, d := range from {
		t, err := m.store.GetVariable("/" + d.name + suffix).Value()
		if err != nil {
			return err
		}
		in = append(in, t)
	}
	out, err := e.Call(in...)
	if err != nil {
		return err
	}
	for i, d := range from {
		if err := m.store.DeleteVariable("/" + d.name + suffix); err != nil {
			return err
		}
		in[i].(*tensors.Tensor).FinalizeAll() // its memory is needed now, not when the collector comes
	}
	for i, d := range to {
		if _, err := m.store.RootScope().CreateVariable(d.name+suffix, out[i]); err != nil {
			return err
		}
	}
	return nil
}

// partsOf is what the checkpoint has for a product: its parts, or itself.
func (m *Model) partsOf(d dense) []dense {
	for _, j := range m.joints {
		if j.name == d.name {
			return j.parts
		}
	}
	return []dense{d}
}

// joinedAt says where a weight of the checkpoint is now: in the variable of a name, from a row on.
func (m *Model) joinedAt(name string) (variable string, row int) {
	for _, j := range m.joints {
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
