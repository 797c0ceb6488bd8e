package model

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/hf/safetensors"
)

// How weights are cut over n devices. What reads the residual stream (queries, keys, values, gate, up) is cut by its outputs, that is by heads or by entries of the
// MLP; what writes it (attention's out, down) by its inputs, so that a device multiplies what it has and devices add up once. The embedding and the head are cut by
// the vocabulary. Experts are cut within each expert, as MLPs are: a token's experts are then read in pieces by all devices, wherever it is sent. What does not
// divide evenly is on every device as a whole, and a warning says so.

// cutting is how a weight is divided: along an axis, and within each of its blocks there, so that every device has a piece of each block.
type cutting struct {
	axis   int
	blocks []int // sizes along the axis; nil = one block
}

// planCut decides how each of the checkpoint's weights is cut.
func (m *Model) planCut() {
	n, c := m.Devices(), m.Config
	if n == 1 {
		return
	}
	m.cuts = map[string]cutting{}
	undivided := map[string]bool{}
	even := func(what string, sizes ...int) bool {
		for _, size := range sizes {
			if size%n != 0 {
				undivided[fmt.Sprintf("%s (%d)", what, size)] = true
				return false
			}
		}
		return true
	}
	axis := func(d dense, out bool) int { // of the stored matrix
		if out != d.transposed {
			return 0
		}
		return 1
	}
	reads := func(blocks []int, products ...dense) {
		for _, d := range products {
			if d.name != "" {
				m.cuts[d.name+".weight"] = cutting{axis(d, true), blocks}
				if d.bias {
					m.cuts[d.name+".bias"] = cutting{0, blocks}
				}
			}
		}
	}
	writes := func(d dense) { m.cuts[d.name+".weight"] = cutting{axis: axis(d, false)} }
	for i := range m.arch.blocks {
		b := &m.arch.blocks[i]
		a := &b.attn
		kv := a.keyHeads(c)
		switch {
		case kv == 1 && a.fused.name == "" && c.Heads%n == 0: // queries share the key and value, which every device has
			reads(nil, a.query)
			writes(a.out)
		case even("kv heads", kv) && even("heads", c.Heads):
			reads(nil, a.query, a.key, a.value)
			var blocks []int
			if !a.interleaved {
				dim := a.fused.out / (c.Heads + 2*kv)
				blocks = []int{c.Heads * dim, kv * dim, kv * dim}
			}
			reads(blocks, a.fused)
			writes(a.out)
		}
		m.cutMLP(&b.mlp, reads, writes, even)
		if e := b.mlp.experts; e != nil {
			m.cutExperts(e, even)
			m.cutMLP(&e.shared, reads, writes, even)
		}
	}
	if even("the vocabulary", c.VocabSize) {
		m.cuts[m.arch.embed] = cutting{}
		if !c.TieEmbeddings {
			m.cuts[m.arch.head] = cutting{}
		}
	}
	for what := range undivided {
		m.Warnings = append(m.Warnings, fmt.Sprintf("%s do not divide among %d devices: each computes them as a whole", what, n))
	}
	slices.Sort(m.Warnings)
}

func (m *Model) cutMLP(p *mlp, reads func([]int, ...dense), writes func(dense), even func(string, ...int) bool) {
	if p.down.name == "" || !even("entries of the MLP", p.down.in) {
		return
	}
	reads(nil, p.gate, p.up)
	reads([]int{p.down.in, p.down.in}, p.gateUp)
	writes(p.down)
}

// cutExperts cuts within the experts, or by expert where their width does not divide.
func (m *Model) cutExperts(e *experts, even func(string, ...int) bool) {
	first, second := 1, 2
	if e.inner%m.Devices() != 0 {
		if !even("experts", e.count) {
			return
		}
		first, second = 0, 0
	}
	if e.gateUp != "" { // columns of gate and up alternate
		m.cuts[e.gateUp], m.cuts[e.down] = cutting{axis: second}, cutting{axis: first}
		m.cuts[e.gateUpBias] = cutting{axis: first}
		if first == 0 {
			m.cuts[e.downBias] = cutting{}
		}
		return
	}
	m.cuts[e.stack(e.module.gate)], m.cuts[e.stack(e.module.up)] = cutting{axis: first}, cutting{axis: first}
	m.cuts[e.stack(e.module.down)] = cutting{axis: second}
}

// cutInto is how many devices have a piece of a product each: 1 where all have the whole.
func (m *Model) cutInto(product string) int {
	if v := m.store.GetVariable("/" + product + ".weight"); m.mesh != nil && !v.ShardingSpec().IsReplicated() {
		return m.Devices()
	}
	return 1
}

// pieceShape is the shape of each device's piece of a weight, and whether it is cut.
func (m *Model) pieceShape(w weight) ([]int, bool) {
	c, ok := m.cuts[w.name]
	shape := slices.Clone(w.shape)
	if ok {
		shape[c.axis] /= m.Devices()
	}
	return shape, ok
}

// BytesPerDevice is what the weights take on the device that has most of them, in the model's type.
func (m *Model) BytesPerDevice() (most int64) {
	var bytes [backend.MaxDevices]int64
	for _, w := range m.weights {
		n := int64(w.size())
		if _, ok := m.cuts[w.name]; ok {
			n /= int64(m.Devices())
		}
		device := m.homeOf(w.name)
		bytes[device] = min(bytes[device]+n*int64(m.DType.Size()), 1<<56) // more than any memory; a hostile configuration would overflow
		most = max(most, bytes[device])
	}
	return most
}

// DescribeWeights says in words what the weights take where, for messages about memory.
func (m *Model) DescribeWeights() string {
	n := m.Devices()
	if m.placed != nil {
		n = m.placed.devices
	}
	if n == 1 {
		return "weights take " + gibibytes(m.BytesPerDevice())
	}
	return fmt.Sprintf("weights take %s on each of %d devices", gibibytes(m.BytesPerDevice()), n)
}

// fit explains an error of a device that is full.
func (m *Model) fit(err error) error {
	if err == nil || !backend.OutOfMemory(err) {
		return err
	}
	return fmt.Errorf("a device's memory does not suffice for the model: its %s; over more devices each has less (Options.Devices, -p devices=N): %w", m.DescribeWeights(), err)
}

// cutWeight puts each device's piece of a weight into its memory. parts are the checkpoint's tensors of it, or one tensor that is all of it. Nothing is whole but the file.
func (m *Model) cutWeight(w weight, parts []safetensors.Tensor) (*value, error) {
	v := &value{}
	shape, isCut := m.pieceShape(w)
	c := m.cuts[w.name]
	if isCut {
		v.cut = m.cutAt(c.axis)
	}
	n := m.Devices()
	for i := range n {
		mine := parts
		switch stacked := len(parts[0].Shape) < len(w.shape); {
		case !isCut:
		case stacked && c.axis == 0:
			mine = parts[i*len(parts)/n : (i+1)*len(parts)/n]
		case stacked:
			mine = nil
			for _, p := range parts {
				mine = append(mine, piecesOf(p, c.axis-1, c.blocks, i, n)...)
			}
		default:
			mine = piecesOf(parts[0], c.axis, c.blocks, i, n)
		}
		t, err := m.convertOn(compute.DeviceNum(i), shapes.Make(m.DType, shape...), mine)
		if err != nil {
			return nil, fmt.Errorf("weight %q, device %d: %w", w.name, i, err)
		}
		v.on = append(v.on, t)
	}
	return v, nil
}

// piecesOf is piece i of n of a tensor cut along an axis, as tensors whose bytes follow each other: views along axis 0, a copy along others.
func piecesOf(t safetensors.Tensor, axis int, blocks []int, i, n int) []safetensors.Tensor {
	if blocks == nil {
		blocks = []int{t.Shape[axis]}
	}
	step := len(t.Data) / max(1, t.Len()) // bytes of one step along the axis
	for _, d := range t.Shape[axis+1:] {
		step *= d
	}
	row := step * t.Shape[axis]
	var pieces []safetensors.Tensor
	var copied []byte
	for at := 0; at < len(t.Data); at += row {
		from := at
		for _, size := range blocks {
			data := t.Data[from+i*size/n*step : from+(i+1)*size/n*step]
			from += size * step
			if axis > 0 {
				copied = append(copied, data...)
				continue
			}
			p := safetensors.Tensor{Name: t.Name, DType: t.DType, Shape: slices.Clone(t.Shape), Data: data}
			p.Shape[0] = size / n
			pieces = append(pieces, p)
		}
	}
	if axis == 0 {
		return pieces
	}
	p := safetensors.Tensor{Name: t.Name, DType: t.DType, Shape: slices.Clone(t.Shape), Data: copied}
	p.Shape[axis] /= n
	return []safetensors.Tensor{p}
}

// convertOn is convertParts into the memory of a device, which the host keeps no copy of.
func (m *Model) convertOn(device compute.DeviceNum, shape shapes.Shape, parts []safetensors.Tensor) (*tensors.Tensor, error) {
	if stored := parts[0].DType; len(parts) == 1 && (stored == "F32" && m.DType == dtypes.Float32 || stored == "BF16" && m.DType == dtypes.BFloat16) {
		return tensors.FromRaw(m.Backend, device, shape, parts[0].Data)
	}
	out, err := m.convertParts(device, shape, parts)
	if err != nil || m.Backend.HasSharedBuffers() {
		return out, err
	}
	defer out.FinalizeAll()
	var placed *tensors.Tensor
	var failed error
	err = out.ConstBytes(func(data []byte) { placed, failed = tensors.FromRaw(m.Backend, device, shape, data) })
	if err == nil {
		err = failed
	}
	return placed, err
}

// raw shows a tensor of the host as one of a file.
func raw(name string, t *tensors.Tensor, use func(safetensors.Tensor) error) error {
	stored := "F32"
	if t.DType() == dtypes.BFloat16 {
		stored = "BF16"
	}
	var failed error
	if err := t.ConstBytes(func(data []byte) {
		failed = use(safetensors.Tensor{Name: name, DType: stored, Shape: t.Shape().Dimensions, Data: data})
	}); err != nil {
		return err
	}
	return failed
}
