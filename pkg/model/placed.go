package model

import (
	"fmt"
	"strings"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"

	attn "github.com/attune-lab/attune/pkg/attention"
	"github.com/attune-lab/attune/pkg/backend"
)

// A model's layers may also be placed on devices, some on each, in place of being cut: a pass then goes from one device to the next, which takes one copy of the residual
// stream and adds nothing up, and several passes side by side keep all devices at work. Results are those of one device: sums have the same order. One executable serves the
// layers of one kind on all devices. It is for scoring and surveys: there is no graph of all layers, so a text is written by a pass for each token.

// placed is a model whose layers lie on several devices.
type placed struct {
	devices int
	serial  bool                       // one executable runs at a time on all devices together, see backend.Exclusive
	turns   []sync.Mutex               // of passes, by device
	copies  map[string]*tensors.Tensor // weights of no layer, by name and device, where they are used on another one than their own
}

// PlaceLayers is Options.Place for layers on devices.
const PlaceLayers = "layers"

// newPlaced is nil for a model on one device.
func newPlaced(b compute.Backend, n int) (*placed, error) {
	mesh, err := newMesh(b, n)
	if err != nil || mesh == nil {
		return nil, err
	}
	return &placed{devices: n, serial: backend.Records(b), turns: make([]sync.Mutex, n), copies: map[string]*tensors.Tensor{}}, nil
}

// deviceAt is the device of a layer; behind the last one stands the output head.
func (m *Model) deviceAt(layer int) compute.DeviceNum {
	if m.placed == nil {
		return 0
	}
	return compute.DeviceNum(min(layer, m.Config.Layers-1) * m.placed.devices / m.Config.Layers)
}

// endAt is the first layer behind a layer's that is on another device.
func (m *Model) endAt(layer int) int {
	end := layer + 1
	for end < m.Config.Layers && m.deviceAt(end) == m.deviceAt(layer) {
		end++
	}
	return end
}

// homeOf is the first device that has a weight.
func (m *Model) homeOf(name string) compute.DeviceNum {
	if m.placed != nil {
		for l := range m.arch.blocks {
			if strings.HasPrefix(name, m.arch.layerName(l)) {
				return m.deviceAt(l)
			}
		}
	}
	return 0
}

// homes are the devices that have a weight or pieces of it.
func (m *Model) homes(name string) []compute.DeviceNum {
	if m.placed != nil {
		return []compute.DeviceNum{m.homeOf(name)}
	}
	var all []compute.DeviceNum
	for d := range m.Devices() {
		all = append(all, compute.DeviceNum(d))
	}
	return all
}

// runPlaced runs a graph of one device on the one of a layer, to which it brings the inputs.
func (m *Model) runPlaced(g *Graph, layer int, inputs []*value) (outputs []*value, err error) {
	device := m.deviceAt(layer)
	args := make([]any, len(inputs))
	for i, v := range inputs {
		if args[i], err = m.bring(v, device); err != nil {
			return nil, err
		}
	}
	run := func() {
		err = exceptions.TryCatch[error](func() { outputs = collect(g.RunOnDevice(device, args...), nil, 1) })
	}
	if m.placed.serial {
		backend.Exclusive(m.Backend, run)
	} else {
		run()
	}
	return outputs, err
}

// turn is a pass's right to a device. It has it for all its layers there: two passes that took turns at each layer would reach the next device together, late.
type turn struct {
	model  *Model
	device compute.DeviceNum
	held   bool
}

// take waits for the device of a layer, and gives the one before back.
func (t *turn) take(layer int) {
	if t.model.placed == nil {
		return
	}
	device := t.model.deviceAt(layer)
	if t.held && t.device == device {
		return
	}
	t.end()
	t.model.placed.turns[device].Lock()
	t.device, t.held = device, true
}

func (t *turn) end() {
	if t.held {
		t.model.placed.turns[t.device].Unlock()
		t.held = false
	}
}

// Placed is the number of devices that the model's layers are placed on; 0 = they are not.
func (m *Model) Placed() int {
	if m.placed == nil {
		return 0
	}
	return m.placed.devices
}

// bring copies what a pass has to a device. Of what came from the host each device has a copy already.
func (m *Model) bring(v *value, device compute.DeviceNum) (*tensors.Tensor, error) {
	if len(v.on) > 1 {
		return v.on[device], nil
	}
	for _, t := range append(v.copies, v.on[0]) {
		if at, err := t.Device(); err != nil || at == device {
			return t, nil
		}
	}
	made, err := m.copyTo(v.on[0], device)
	if err != nil {
		return nil, err
	}
	v.copies = append(v.copies, made)
	return made, nil
}

// copyTo is a copy of a device's tensor on another device.
func (m *Model) copyTo(t *tensors.Tensor, device compute.DeviceNum) (*tensors.Tensor, error) {
	from, err := t.Device()
	if err != nil {
		return nil, err
	}
	buffer, err := t.Buffer(m.Backend, from)
	if err != nil {
		return nil, err
	}
	if buffer, err = buffer.CopyToDevice(device); err != nil {
		return nil, err
	}
	return tensors.FromBuffer(buffer)
}

// weightAt is a weight on the device of a layer.
func (m *Model) weightAt(name string, layer int) (*value, error) {
	v, err := m.variable(name)
	if err != nil || m.placed == nil {
		return v, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	device := m.deviceAt(layer)
	if at, err := v.on[0].Device(); err == nil && at == device {
		return v, nil
	}
	key := fmt.Sprint(name, " ", device)
	if m.placed.copies[key] == nil {
		if m.placed.copies[key], err = m.copyTo(v.on[0], device); err != nil {
			return nil, err
		}
	}
	return &value{on: []*tensors.Tensor{m.placed.copies[key]}}, nil
}

// placedPrefill chooses the token behind each sequence by a pass through the stages. Nothing is cached: layers on several devices make no loop of one executable, so each
// token is such a pass.
func (l *loop) placedPrefill(tokens, extents *tensors.Tensor, visits []*attn.Visit) error {
	m := l.model
	p := &pass{model: m, visits: visits, next: &l.opts.Sampling}
	var err error
	if p.batch, err = m.allOnDevices(tokens, extents); err != nil {
		return err
	}
	uniform, err := m.onDevices(tensors.FromFlatDataAndDimensions(uniforms(l.streams, 1), len(l.streams)))
	if err != nil {
		return err
	}
	p.targets = [][]*value{{uniform}}
	r, err := p.layered()
	if err != nil {
		return fmt.Errorf("a pass for the next token of %d prompts: %w", len(l.streams), err)
	}
	l.plan = r.Plan
	l.accept([][]int32{r.next}, 1)
	return nil
}

// nextStage: the residual stream behind the last layer -> the next token of each sequence.
func (p *pass) nextStage(key string, stream shapes.Shape) (*stage, error) {
	m, sampling := p.model, *p.next
	sampling.Seed = 0 // random numbers are an input
	return m.stage(fmt.Sprintf("%s next %+v", key, sampling), func(s *stage) {
		x := m.parameter(s.graph, "stream", stream, nil)
		d := p.begin(s, 0, 0)
		uniform := m.parameter(s.graph, "uniform", p.targets[0][0].shape(), nil)
		s.outputs = []*Node{sampling.next(d.logits(lastHidden(x, d.geo.real)), uniform)}
	})
}

// wholeGraphs refuses, for a model whose layers are on several devices, what is one graph of all layers.
func (m *Model) wholeGraphs(what string) error {
	if m.placed == nil {
		return nil
	}
	return fmt.Errorf("%s: the model's layers are placed on %d devices, which no graph spans: open it with Options.Place empty, which cuts it", what, m.placed.devices)
}
