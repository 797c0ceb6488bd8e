package model

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/distributed"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"

	attn "github.com/attune-lab/attune/pkg/attention"
)

// A pass runs through stages, each an executable of its own: the embedding, a few consecutive layers at a time, the output head. Stages take weights, the numbers of an
// experiment and what earlier layers kept as inputs, so layers that are alike share one executable, and so do experiments: XLA compiles a few layers in place of the
// whole model once for each experiment and width, and all of them side by side. What is between the stages is freed as the pass goes on, so that a layer's memory
// is bounded without barriers.

// pass is one forward pass.
type pass struct {
	model   *Model
	want    Outputs
	visits  []*attn.Visit // nil = nothing at any layer
	kinds   []string      // of each layer with its visit: those of one kind build one graph
	batch   []*value      // tokens and extents and, of trees, what treeLayout gives
	targets [][]*value    // positions and ids of each call of the head; nil without
	next    *Sampling     // how the token behind each sequence is chosen; nil = none is, see placed.go
}

// wantsHead reports whether the pass goes through the output head.
func (p *pass) wantsHead() bool { return p.want.Logits || p.want.Targets != nil || p.next != nil }

// inTrees is the part of a stage's key that says whether its rows hold trees, and how many tokens they have.
func (p *pass) inTrees() string {
	if len(p.batch) > 2 {
		return fmt.Sprintf(" %d inputs of trees %v", len(p.batch), p.batch[0].shape())
	}
	return ""
}

// keptValue is what a layer keeps, as far as a plan knows it.
type keptValue struct {
	attn.Kept
	shape shapes.Shape
	cut   *distributed.ShardingSpec
}

// call is a stage at a place of a pass.
type call struct {
	*stage
	first int // layer
	takes []string
}

// layered runs the pass by stages.
func (p *pass) layered() (*Result, error) {
	calls, err := p.plan()
	if err != nil {
		return nil, err
	}
	if err := compileAll(calls); err != nil {
		p.model.forget(calls)
		return nil, err
	}
	if p.want.Ready != nil {
		p.want.Ready()
	}
	return p.run(calls)
}

// compileAll compiles the stages side by side.
func compileAll(calls []call) error {
	failed := make([]error, len(calls))
	var all sync.WaitGroup
	for i, c := range calls {
		all.Go(func() { failed[i] = c.ready() })
	}
	all.Wait()
	for _, err := range failed {
		if err != nil {
			return err
		}
	}
	return nil
}

// plan finds the stages of the pass and builds the graphs of those that are new.
func (p *pass) plan() ([]call, error) {
	m := p.model
	var calls []call
	embed, err := p.embedStage()
	if err != nil {
		return nil, err
	}
	calls = append(calls, call{stage: embed})
	p.kinds = slices.Clone(m.kinds())
	for l := range p.kinds {
		p.kinds[l] += " " + p.visit(l).Describe()
	}
	kept := map[string]keptValue{}
	end := p.lastLayer() + 1
	for l := 0; l < end; {
		n := p.alike(l, end)
		var takes []string // where nothing happens nothing is read
		if p.visit(l) != nil {
			takes = slices.Sorted(maps.Keys(kept))
		}
		s, err := p.layerStage(l, n, embed.kept[0], takes, kept)
		if err != nil {
			return nil, err
		}
		calls = append(calls, call{s, l, takes})
		for i, k := range s.keeps {
			kept[k.Name] = keptValue{Kept: k, shape: s.kept[i], cut: s.spec(s.keptAt[i])}
		}
		l += n
	}
	if p.wantsHead() {
		head, err := p.headStage(embed.kept[0])
		if err != nil {
			return nil, err
		}
		calls = append(calls, call{stage: head, first: m.Config.Layers})
	}
	return calls, nil
}

// lastLayer is the last layer that the pass needs: without logits or targets the last that an experiment does something at.
func (p *pass) lastLayer() int {
	if p.wantsHead() {
		return p.model.Config.Layers - 1
	}
	last := -1
	for l, v := range p.visits {
		if v != nil {
			last = l
		}
	}
	return last
}

func (p *pass) visit(l int) *attn.Visit {
	if p.visits == nil {
		return nil
	}
	return p.visits[l]
}

// alike is how many layers from l on make a stage: as many as stages have where so many are alike, otherwise one.
func (p *pass) alike(l, end int) int {
	most := stageLayers(p.model)
	for n := 1; n < most; n++ {
		if l+n >= min(end, p.model.endAt(l)) || p.kinds[l+n] != p.kinds[l] {
			return 1
		}
	}
	return most
}

// run takes the pass through its stages, which are compiled.
func (p *pass) run(calls []call) (*Result, error) {
	m := p.model
	r := &Result{Emitted: Emitted{}}
	var x *value
	kept := map[string]*value{}
	mine := map[*value]bool{} // to be freed
	free := func(v *value) {
		if mine[v] {
			v.free()
			delete(mine, v)
		}
	}
	copied := copies{backend: m.Backend, receive: p.want.Receive}
	defer func() {
		copied.end()
		for v := range mine {
			v.free()
		}
	}()
	turn := turn{model: m}
	defer turn.end()
	for _, c := range calls {
		turn.take(c.first)
		if c.first == m.Config.Layers {
			if err := p.head(c, x, r); err != nil {
				return nil, err
			}
			break
		}
		outputs, err := p.call(c, x, kept, nil)
		if err != nil {
			return nil, err
		}
		for _, v := range outputs {
			mine[v] = true
		}
		before := x
		x = outputs[0]
		stays := func(v *value) bool {
			for _, k := range kept {
				if k == v {
					return true
				}
			}
			return false
		}
		for i, k := range c.keeps {
			old := kept[k.Name]
			kept[k.Name] = outputs[c.keptAt[i]]
			if old != nil && old != before && !stays(old) {
				free(old)
			}
		}
		for _, e := range c.emits {
			v := outputs[e.output]
			if p.want.Receive != nil {
				delete(mine, v)
				copied.hand(v, e, c.first)
				continue
			}
			if !e.stacked() {
				t := v.on[0]
				if delete(mine, v); !stays(v) && v != x {
					t = v.first()
				}
				r.Emitted.add(e.names[0], c.first+e.layers[0], m.Config.Layers, t)
				copied.startWhole(t)
				continue
			}
			copied.start(v.on[0], e, c.first)
		}
		if before != nil && !stays(before) {
			free(before)
		}
		r.Plan = append(r.Plan, c.plan...)
	}
	r.Plan = planOf(r.Plan)
	return r, copied.give(r.Emitted, m.Config.Layers)
}

// head runs the output head, once for each part of the targets.
func (p *pass) head(c call, x *value, r *Result) error {
	parts := p.targets
	if parts == nil {
		parts = [][]*value{nil}
	}
	for _, targets := range parts {
		outputs, err := p.call(c, x, nil, targets)
		if err != nil {
			return err
		}
		if p.next != nil {
			r.next = tensors.MustCopyFlatData[int32](outputs[0].first())
			continue
		}
		r.head(p.want, outputs)
	}
	return nil
}

// call runs a stage.
func (p *pass) call(c call, x *value, kept map[string]*value, targets []*value) (outputs []*value, err error) {
	m := p.model
	var in []*value
	if x != nil {
		in = append(in, x)
	}
	for _, name := range c.takes {
		in = append(in, kept[name])
	}
	in = append(in, p.batch...)
	for _, w := range c.weights {
		name := w.name
		if w.layer >= 0 {
			name = m.arch.layerName(c.first+w.layer) + name
		}
		v, err := m.weightAt(name, c.first)
		if err != nil {
			return nil, err
		}
		if err := m.materialize(v); err != nil {
			return nil, err
		}
		in = append(in, v)
	}
	in = append(in, targets...)
	for _, input := range c.inputs {
		v, err := m.number(p.visit(c.first + input.layer).Inputs[input.name])
		if err != nil {
			return nil, err
		}
		in = append(in, v)
	}
	if m.placed != nil {
		return m.runPlaced(c.graph, c.first, in)
	}
	return m.run(c.graph, in, c.specs)
}

// materialize brings a value that passes share to its devices before they use it: GoMLX (v0.28.8) looks at a tensor without its lock while another pass may be moving it.
func (m *Model) materialize(v *value) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lockedMaterialize(v)
}

func (m *Model) lockedMaterialize(v *value) error {
	if m.placed != nil && len(v.on) == 1 { // it is where it belongs
		return nil
	}
	for i, t := range v.on {
		if _, err := t.Buffer(m.Backend, compute.DeviceNum(i)); err != nil {
			return err
		}
	}
	return nil
}

// number is an experiment's input on the devices, where it stays for the passes to come.
func (m *Model) number(values []float32) (*value, error) {
	key := make([]byte, 0, 4*len(values))
	for _, v := range values {
		key = binary.LittleEndian.AppendUint32(key, math.Float32bits(v))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if v := m.numbers[string(key)]; v != nil {
		return v, nil
	}
	if len(m.numbers) >= maxNumbers { // an experiment with other numbers in every pass: those of passes under way live until they end
		m.numbers = map[string]*value{}
	}
	v, err := m.onDevices(tensors.FromFlatDataAndDimensions(values, len(values)))
	if err != nil {
		return nil, err
	}
	if err := m.lockedMaterialize(v); err != nil {
		return nil, err
	}
	m.numbers[string(key)] = v
	return v, nil
}

// maxNumbers is how many inputs stay on the device: those of a few hundred arms.
const maxNumbers = 1 << 14
