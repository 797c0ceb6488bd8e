package model

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/distributed"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/core/tensors/dtensor"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/attune-lab/attune/pkg/backend"
)

// A model may be cut over several devices of its backend: tensor parallelism (Shoeybi et al. 2019, arXiv 1909.08053). Graphs stay those of one device. The weights, which
// lie in pieces on the devices (cut.go), say how they are cut, and so do caches; XLA's partitioner (Shardy) derives from that what each device computes and where
// devices add up: behind the attention and behind the MLP of each layer.

// meshAxis names the only axis of the devices' mesh.
const meshAxis = "model"

// value is a tensor as the model's devices hold it: on each the whole of it or, cut, a piece. A model on one device has one.
type value struct {
	on  []*tensors.Tensor
	cut *distributed.ShardingSpec // nil: not cut
	// copies that a pass has made of it on other devices, see placed.go.
	copies []*tensors.Tensor
}

// newMesh is the mesh of so many devices of a backend; nil for one device.
func newMesh(b compute.Backend, n int) (*distributed.DeviceMesh, error) {
	switch {
	case n < 0:
		return nil, fmt.Errorf("%d devices: expected 1 or more", n)
	case n <= 1:
		return nil, nil
	case !backend.IsXLA(b):
		return nil, fmt.Errorf("%d devices on the Go backend, which has one: use xla:cuda or xla:cpu", n)
	case b.NumDevices() < n:
		return nil, fmt.Errorf("%d devices asked for, and the backend %s has %d: CUDA_VISIBLE_DEVICES says which cards a process sees", n, backend.Describe(b), b.NumDevices())
	}
	return distributed.NewDeviceMesh([]int{n}, []string{meshAxis})
}

// Devices is the number of devices that the model is cut over; 1 = it is on one.
func (m *Model) Devices() int {
	if m.mesh == nil {
		return 1
	}
	return m.mesh.NumDevices()
}

// Device says in one line what the model computes on.
func (m *Model) Device() string {
	s := backend.Describe(m.Backend)
	if n := m.Devices(); n > 1 {
		s += fmt.Sprintf(", cut over %d devices", n)
	}
	if m.placed != nil {
		s += fmt.Sprintf(", layers placed on %d devices", m.placed.devices)
	}
	return s
}

// whole is the specification of what every device has as a whole, cutAt of what is cut along an axis; nil on one device.
func (m *Model) whole() *distributed.ShardingSpec {
	if m.mesh == nil {
		return nil
	}
	return distributed.NewReplicatedShardingSpec(m.mesh)
}

func (m *Model) cutAt(axis int) *distributed.ShardingSpec {
	spec := m.whole()
	if spec != nil {
		spec.Axes = make([]distributed.AxisSpec, axis+1)
		spec.Axes[axis] = distributed.AxisSpec{meshAxis}
	}
	return spec
}

// byHeads is how a tensor [batch, heads or kv_heads, ...] lies on the devices: cut where the heads of its layer are.
func (m *Model) byHeads(shape shapes.Shape) *distributed.ShardingSpec {
	if m.mesh != nil && m.Config.KVHeads%m.Devices() == 0 && shape.Rank() > 2 && (shape.Dimensions[1] == m.Config.KVHeads || shape.Dimensions[1] == m.Config.Heads) {
		return m.cutAt(1)
	}
	return m.whole()
}

// parameter declares an input of a graph. A nil specification is that of what every device has as a whole.
func (m *Model) parameter(g *Graph, name string, shape shapes.Shape, spec *distributed.ShardingSpec) *Node {
	if m.mesh != nil && spec == nil {
		spec = m.whole()
	}
	return ShardedParameter(g, name, shape, spec)
}

// newGraph is an empty graph over the model's devices.
func (m *Model) newGraph() (*Graph, error) {
	g := NewGraph(m.Backend, "attune")
	if m.mesh == nil {
		return g, nil
	}
	return g, g.SetAutoSharding(m.mesh)
}

// onDevices gives every device a copy of a tensor of the host.
func (m *Model) onDevices(t *tensors.Tensor) (*value, error) {
	v := &value{on: []*tensors.Tensor{t}}
	copies := m.Devices()
	if m.placed != nil {
		copies = m.placed.devices
	}
	for range copies - 1 { // a GoMLX tensor is on one device
		copied, err := t.LocalClone()
		if err != nil {
			return nil, err
		}
		v.on = append(v.on, copied)
	}
	return v, nil
}

// allOnDevices is onDevices of several tensors.
func (m *Model) allOnDevices(ts ...*tensors.Tensor) ([]*value, error) {
	var all []*value
	for _, t := range ts {
		v, err := m.onDevices(t)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

// shape is the tensor's as a whole.
func (v *value) shape() shapes.Shape {
	if v.cut == nil {
		return v.on[0].Shape()
	}
	return v.cut.LogicalShapeForShard(v.on[0].Shape())
}

// first is the tensor of the first device, which has the whole; the others' are freed.
func (v *value) first() *tensors.Tensor {
	for _, t := range v.on[1:] {
		t.FinalizeAll()
	}
	v.on = v.on[:1]
	return v.on[0]
}

// free gives the memory back before the garbage collector would.
func (v *value) free() {
	for _, t := range append(v.copies, v.on...) {
		t.FinalizeAll()
	}
}

// flatten lists inputs as GoMLX takes them: all of the first device, then all of the second.
func flatten(inputs []*value, devices int) []any {
	flat := make([]any, 0, devices*len(inputs))
	for d := range devices {
		for _, v := range inputs {
			flat = append(flat, v.on[d])
		}
	}
	return flat
}

// collect is the inverse of flatten for what a call returned.
func collect(flat []*tensors.Tensor, specs []*distributed.ShardingSpec, devices int) []*value {
	values := make([]*value, len(flat)/devices)
	for i := range values {
		v := &value{}
		for d := range devices {
			v.on = append(v.on, flat[d*len(values)+i])
		}
		if i < len(specs) && specs[i] != nil && !specs[i].IsReplicated() {
			v.cut = specs[i]
		}
		values[i] = v
	}
	return values
}

// run calls a compiled graph whose outputs lie as specified.
func (m *Model) run(g *Graph, inputs []*value, specs []*distributed.ShardingSpec) (outputs []*value, err error) {
	n := m.Devices()
	backend.Exclusive(m.Backend, func() {
		err = exceptions.TryCatch[error](func() { outputs = collect(g.Run(flatten(inputs, n)...), specs, n) })
	})
	return outputs, err
}

// specsOf lists how inputs lie, for an executable that is told before it is called.
func (m *Model) specsOf(inputs []*value) []*distributed.ShardingSpec {
	specs := make([]*distributed.ShardingSpec, len(inputs))
	for i, v := range inputs {
		if specs[i] = v.cut; v.cut == nil {
			specs[i] = m.whole()
		}
	}
	return specs
}

// variable is a weight by its name, as the devices hold it.
func (m *Model) variable(name string) (*value, error) {
	v := m.store.GetVariable("/" + name)
	if m.mesh == nil {
		t, err := v.Value()
		return &value{on: []*tensors.Tensor{t}}, err
	}
	d, err := v.DistributedValue()
	if err != nil {
		return nil, err
	}
	return &value{on: d.Shards(), cut: d.ShardingSpec()}, nil
}

// setVariable makes a weight's variable.
func (m *Model) setVariable(name string, v *value) error {
	if m.mesh == nil {
		_, err := m.store.RootScope().CreateVariable(name, v.on[0])
		return err
	}
	spec := v.cut
	if spec == nil {
		spec = m.whole()
	}
	d, err := dtensor.NewTensor(spec, slices.Clone(v.on))
	if err != nil {
		return err
	}
	return m.store.RootScope().VariableWithShape(name, d.Shape()).SetDistributedValue(d)
}

// oneDeviceOnly refuses what a model on several devices does not do.
func (m *Model) oneDeviceOnly(what string) error {
	if m.mesh == nil && m.placed == nil {
		return nil
	}
	return fmt.Errorf("%s: the model is on several devices, and this is done on one only: open it with Options.Devices 1", what)
}
