package model

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"

	attn "github.com/attune-lab/attune/pkg/attention"
	"github.com/attune-lab/attune/pkg/backend"
)

// A pass runs through stages, each an executable of its own: the embedding, a few consecutive layers at a time, the output head. Stages take weights, the numbers of an
// experiment and what earlier layers kept as inputs, so layers that are alike share one executable, and so do experiments: XLA compiles a few layers in place of the
// whole model once for each experiment and width, and all of them side by side. What is between the stages is freed as the pass goes on, so that a layer's memory
// is bounded without barriers.

// layersPerStage is how many layers that are alike make a stage on XLA. A call costs about 0.25 ms on the host (one H200): five layers a call cost a pass of 16,384
// tokens a tenth of its time and compile in a third of the whole graph's. The rest of a run of layers goes one at a time. On the Go backend a graph costs nothing.
const layersPerStage = 5

// stageLayers is layersPerStage, or what a test wants on every backend.
var stageLayers = func(m *Model) int {
	if backend.IsXLA(m.Backend) {
		return layersPerStage
	}
	return 1
}

// pass is one forward pass.
type pass struct {
	model           *Model
	want            Want
	visits          []*attn.Visit // nil = nothing at any layer
	kinds           []string      // of each layer with its visit: those of one kind build one graph
	tokens, lengths *tensors.Tensor
	positions, ids  *tensors.Tensor // of targets; nil without
}

// stage is an executable with what the host knows of it.
type stage struct {
	key     string
	graph   *Graph
	outputs []*Node
	weights []stageWeight  // that it takes
	inputs  []visitInput   // numbers of the visits that it takes
	plan    []string       // how each layer is computed
	keeps   []attn.Kept    // what its layers keep
	kept    []shapes.Shape // their shapes
	keptAt  []int          // which outputs they are
	emits   []emits        // observations

	compile sync.Once
	failed  error
}

// stageWeight is a weight of the i-th layer of a stage, by the name behind the layer's start, or of no layer (-1), by its whole name.
type stageWeight struct {
	layer int
	name  string
}

// visitInput is an input of the i-th layer's visit.
type visitInput struct {
	layer int
	name  string
}

// emits is one output of observations: of one layer, or of all layers of the stage, one behind the other.
type emits struct {
	name   string
	layers []int // of the stage
	output int   // which one
}

// keptTensor is what a layer has kept, on the way through a pass.
type keptTensor struct {
	attn.Kept
	shape shapes.Shape
	value *tensors.Tensor // nil while the pass is only planned
}

// call is a stage at a place of a pass.
type call struct {
	*stage
	first int // layer
	takes []string
}

// compiling bounds how many executables are compiled at a time.
var compiling = make(chan struct{}, runtime.NumCPU())

// ready compiles the stage unless it is.
func (s *stage) ready() error {
	s.compile.Do(func() {
		compiling <- struct{}{}
		defer func() { <-compiling }()
		defer backend.EndVectors()
		if err := exceptions.TryCatch[error](func() { s.failed = s.graph.Compile(s.outputs...) }); err != nil {
			s.failed = err
		}
		s.outputs = nil
	})
	return s.failed
}

// stage returns the executable of a key, whose graph is built the first time.
func (m *Model) stage(key string, build func(s *stage)) (*stage, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.stages[key]; s != nil {
		return s, nil
	}
	s := &stage{key: key, graph: NewGraph(m.Backend, "attune")}
	if err := exceptions.TryCatch[error](func() { build(s) }); err != nil {
		return nil, err
	}
	m.compilations.Add(1)
	m.stages[key] = s
	return s, nil
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

// forget drops the stages that failed to compile, as for want of memory: a later pass tries again.
func (m *Model) forget(calls []call) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range calls {
		if c.failed != nil && m.stages[c.key] == c.stage {
			delete(m.stages, c.key)
		}
	}
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
	kept := map[string]keptTensor{}
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
			kept[k.Name] = keptTensor{Kept: k, shape: s.kept[i]}
		}
		l += n
	}
	if p.want.Logits || p.want.Targets != nil {
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
	if p.want.Logits || p.want.Targets != nil {
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
		if l+n >= end || p.kinds[l+n] != p.kinds[l] {
			return 1
		}
	}
	return most
}

// kinds are those of all blocks.
func (m *Model) kinds() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.blockKinds == nil {
		for l := range m.arch.blocks {
			m.blockKinds = append(m.blockKinds, m.kind(l))
		}
	}
	return m.blockKinds
}

// kind describes a block, with what an adapter adds to it, by all but the names of its weights: blocks of one kind build one graph.
func (m *Model) kind(l int) string {
	b, start := m.arch.blocks[l], m.arch.layerName(l)
	mixture := ""
	if e := b.mlp.experts; e != nil {
		mixture = fmt.Sprintf("%+v", *e)
		b.mlp.experts = nil
	}
	kind := fmt.Sprintf("%+v %s", b, mixture)
	for _, name := range m.AdapterModules() {
		if strings.HasPrefix(name, start) {
			kind += fmt.Sprintf(" %s%v*%g", name, m.store.GetVariable("/"+name+loraA).Shape(), m.adapter.modules[name].scale)
		}
	}
	return strings.ReplaceAll(kind, start, "")
}

// embedStage: tokens -> the residual stream before the first layer. Its kept shape is the stream's.
func (p *pass) embedStage() (*stage, error) {
	m := p.model
	return m.stage(fmt.Sprintf("embed %v", p.tokens.Shape()), func(s *stage) {
		d := p.begin(s, 0, 0)
		x := d.embed(d.geo.keyTokens)
		s.outputs, s.kept = []*Node{x}, []shapes.Shape{x.Shape()}
	})
}

// layerStage: n layers from l on, given the shape of the residual stream and the names of what it takes of what earlier ones kept.
func (p *pass) layerStage(l, n int, stream shapes.Shape, names []string, kept map[string]keptTensor) (*stage, error) {
	m := p.model
	key := fmt.Sprintf("%d layers %v %s", n, stream, p.kinds[l])
	for _, name := range names {
		key += fmt.Sprintf(" %v %v", kept[name].Kept, kept[name].shape)
	}
	return m.stage(key, func(s *stage) {
		x := Parameter(s.graph, "stream", stream)
		var received []*Node
		for i, name := range names {
			received = append(received, Parameter(s.graph, fmt.Sprintf("kept%d", i), kept[name].shape))
		}
		d := p.begin(s, l, n)
		d.visits = p.visits
		at := l
		d.carry = attn.NewCarry(attn.Options{}, func(name string, values []float32) *Node {
			s.inputs = append(s.inputs, visitInput{at - l, name})
			return Parameter(s.graph, fmt.Sprintf("input%d", len(s.inputs)), shapes.Make(dtypes.Float32, len(values)))
		})
		for i, name := range names {
			d.carry.Receive(kept[name].Kept, received[i])
		}
		for ; at < l+n; at++ {
			x = d.layer(at, x, func(k, v *Node) past { return past{[]*Node{k}, []*Node{v}} })
		}
		s.plan = d.plan
		var nodes []*Node
		s.keeps, nodes = d.carry.Leave()
		s.outputs = append(s.outputs, x)
		for i, k := range nodes {
			s.kept = append(s.kept, k.Shape())
			s.keptAt = append(s.keptAt, s.output(nodes[i]))
		}
		s.observe(d.carry.Emitted, l)
	})
}

// observe adds what layers emitted to the outputs: of several layers stacked, which is one transfer to the host in place of several.
func (s *stage) observe(emitted []attn.Emission, l int) {
	byName := map[string][]attn.Emission{}
	for _, e := range emitted {
		byName[e.Name] = append(byName[e.Name], e)
	}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		es := byName[name]
		var layers []int
		var values []*Node
		for _, e := range es {
			layers, values = append(layers, e.Layer-l), append(values, e.Value)
		}
		if len(es) > 1 && !slices.ContainsFunc(es, func(e attn.Emission) bool { return !e.Value.Shape().Equal(es[0].Value.Shape()) }) {
			s.emits = append(s.emits, emits{name, layers, s.output(Stack(values, 0))})
			continue
		}
		for i := range es {
			s.emits = append(s.emits, emits{name, layers[i : i+1], s.output(values[i])})
		}
	}
}

// output is the number of a node among the outputs, where no node is twice: two tensors would have one memory.
func (s *stage) output(x *Node) int {
	if i := slices.Index(s.outputs, x); i >= 0 {
		return i
	}
	s.outputs = append(s.outputs, x)
	return len(s.outputs) - 1
}

// headStage: the residual stream behind the last layer -> logits, log-probabilities at targets.
func (p *pass) headStage(stream shapes.Shape) (*stage, error) {
	m := p.model
	key := fmt.Sprintf("head %v logits=%t", stream, p.want.Logits)
	if p.want.Targets != nil {
		key += fmt.Sprintf(" targets %v", p.positions.Shape())
	}
	return m.stage(key, func(s *stage) {
		x := Parameter(s.graph, "stream", stream)
		d := p.begin(s, 0, 0)
		var targets []*Node
		if p.want.Targets != nil {
			targets = []*Node{Parameter(s.graph, "positions", p.positions.Shape()), Parameter(s.graph, "ids", p.ids.Shape())}
		}
		s.outputs = d.heads(p.want, x, targets)
	})
}

// begin declares what every stage takes: tokens, lengths, and the weights of n layers from l on or, without layers, those of none.
func (p *pass) begin(s *stage, l, n int) *decoder {
	m := p.model
	tokens, lengths := Parameter(s.graph, "tokens", p.tokens.Shape()), Parameter(s.graph, "lengths", p.lengths.Shape())
	var names []string
	for _, name := range m.parameterNames() {
		at := stageWeight{layer: -1, name: name}
		for i := range len(m.arch.blocks) {
			if rest, ok := strings.CutPrefix(name, m.arch.layerName(i)); ok {
				at = stageWeight{i - l, rest}
				break
			}
		}
		if n == 0 && at.layer == -1 || at.layer >= 0 && at.layer < n {
			s.weights, names = append(s.weights, at), append(names, name)
		}
	}
	params := m.paramNodes(names, func(name string) *Node {
		return Parameter(s.graph, name, m.store.GetVariable("/"+name).Shape())
	})
	return m.newDecoder(params, attn.Prefill, prefillGeometry(tokens, lengths), nil)
}

// run takes the pass through its stages, which are compiled.
func (p *pass) run(calls []call) (*Result, error) {
	m := p.model
	r := &Result{Emitted: Emitted{}}
	var x *tensors.Tensor
	kept := map[string]*tensors.Tensor{}
	mine := map[*tensors.Tensor]bool{} // to be freed
	free := func(t *tensors.Tensor) {
		if mine[t] {
			t.FinalizeAll()
			delete(mine, t)
		}
	}
	defer func() {
		for t := range mine {
			t.FinalizeAll()
		}
	}()
	for _, c := range calls {
		outputs, err := p.call(c, x, kept)
		if err != nil {
			return nil, err
		}
		if c.first == m.Config.Layers {
			r.head(p.want, outputs)
			break
		}
		for _, t := range outputs {
			mine[t] = true
		}
		before := x
		x = outputs[0]
		stays := func(t *tensors.Tensor) bool {
			for _, k := range kept {
				if k == t {
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
			t := outputs[e.output]
			if len(e.layers) == 1 {
				r.Emitted.add(e.name, c.first+e.layers[0], m.Config.Layers, t)
				delete(mine, t)
				continue
			}
			parts, err := split(t, len(e.layers))
			if err != nil {
				return nil, err
			}
			for i, l := range e.layers {
				r.Emitted.add(e.name, c.first+l, m.Config.Layers, parts[i])
			}
			free(t)
		}
		if before != nil && !stays(before) {
			free(before)
		}
		r.Plan = append(r.Plan, c.plan...)
	}
	r.Plan = planOf(r.Plan)
	return r, nil
}

// call runs a stage.
func (p *pass) call(c call, x *tensors.Tensor, kept map[string]*tensors.Tensor) (outputs []*tensors.Tensor, err error) {
	m := p.model
	var in []any
	if x != nil {
		in = append(in, x)
	}
	for _, name := range c.takes {
		in = append(in, kept[name])
	}
	in = append(in, p.tokens, p.lengths)
	for _, w := range c.weights {
		name := w.name
		if w.layer >= 0 {
			name = m.arch.layerName(c.first+w.layer) + name
		}
		t, err := m.store.GetVariable("/" + name).Value()
		if err != nil {
			return nil, err
		}
		in = append(in, t)
	}
	if c.first == m.Config.Layers && p.want.Targets != nil {
		in = append(in, p.positions, p.ids)
	}
	for _, input := range c.inputs {
		in = append(in, m.number(p.visit(c.first + input.layer).Inputs[input.name]))
	}
	err = exceptions.TryCatch[error](func() { outputs = c.graph.Run(in...) })
	return outputs, err
}

// number is an experiment's input on the device, where it stays for the passes to come.
func (m *Model) number(values []float32) *tensors.Tensor {
	key := make([]byte, 0, 4*len(values))
	for _, v := range values {
		key = binary.LittleEndian.AppendUint32(key, math.Float32bits(v))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if t := m.numbers[string(key)]; t != nil {
		return t
	}
	if len(m.numbers) >= maxNumbers { // an experiment with other numbers in every pass: those of passes under way live until they end
		m.numbers = map[string]*tensors.Tensor{}
	}
	t := tensors.FromFlatDataAndDimensions(values, len(values))
	m.numbers[string(key)] = t
	return t
}

// maxNumbers is how many inputs stay on the device: those of a few hundred arms.
const maxNumbers = 1 << 14

// split copies a stack of n values to the host and cuts it.
func split(t *tensors.Tensor, n int) ([]*tensors.Tensor, error) {
	shape := shapes.Make(t.DType(), t.Shape().Dimensions[1:]...)
	parts := make([]*tensors.Tensor, n)
	var failed error
	err := t.ConstBytes(func(all []byte) {
		size := len(all) / n
		for i := range parts {
			parts[i] = tensors.FromShape(shape)
			failed = errors.Join(failed, parts[i].MutableBytes(func(data []byte) { copy(data, all[i*size:]) }))
		}
	})
	return parts, errors.Join(err, failed)
}
