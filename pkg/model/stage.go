package model

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/gomlx/compute/distributed"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"

	attn "github.com/attune-lab/attune/pkg/attention"
	"github.com/attune-lab/attune/pkg/backend"
)

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

// stage is an executable with what the host knows of it.
type stage struct {
	key     string
	graph   *Graph
	outputs []*Node
	weights []stageWeight               // that it takes
	inputs  []visitInput                // numbers of the visits that it takes
	plan    []string                    // how each layer is computed
	keeps   []attn.Kept                 // what its layers keep
	kept    []shapes.Shape              // their shapes
	keptAt  []int                       // which outputs they are
	emits   []emits                     // observations
	specs   []*distributed.ShardingSpec // of the outputs, how they lie on the devices; nil on one device

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

// emits is one output of observations: of one layer, or of all layers of the stage, one behind the other, for one name after the other.
type emits struct {
	names  []string
	layers []int // of the stage
	output int   // which one
}

// stacked reports whether the output is several values.
func (e emits) stacked() bool { return len(e.names)*len(e.layers) > 1 }

// compiling bounds how many executables are compiled at a time.
var compiling = make(chan struct{}, runtime.NumCPU())

// ready compiles the stage unless it is.
func (s *stage) ready() error {
	s.compile.Do(func() {
		compiling <- struct{}{}
		defer func() { <-compiling }()
		defer backend.EndVectors()
		if err := exceptions.TryCatch[error](func() { s.failed = s.graph.CompileWithSharding(s.outputs, s.specs) }); err != nil {
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
	g, err := m.newGraph()
	if err != nil {
		return nil, err
	}
	s := &stage{key: key, graph: g}
	if err := exceptions.TryCatch[error](func() { build(s) }); err != nil {
		return nil, err
	}
	if m.mesh != nil {
		for i := range s.outputs {
			s.specs = append(s.specs, m.whole())
			emitted := slices.ContainsFunc(s.emits, func(e emits) bool { return e.output == i })
			if i > 0 && !emitted && slices.Contains(s.keptAt, i) {
				s.specs[i] = m.byHeads(s.outputs[i].Shape())
			}
		}
	}
	m.compilations.Add(1)
	m.stages[key] = s
	return s, nil
}

// spec is how an output lies on the devices.
func (s *stage) spec(output int) *distributed.ShardingSpec {
	if s.specs == nil {
		return nil
	}
	return s.specs[output]
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
	return m.stage(fmt.Sprintf("embed %v%s", p.batch[0].shape(), p.inTrees()), func(s *stage) {
		d := p.begin(s, 0, 0)
		x := d.embed(d.geo.ofStream(d.geo.keyTokens))
		s.outputs, s.kept = []*Node{x}, []shapes.Shape{x.Shape()}
	})
}

// layerStage: n layers from l on, given the shape of the residual stream and the names of what it takes of what earlier ones kept.
func (p *pass) layerStage(l, n int, stream shapes.Shape, names []string, kept map[string]keptValue) (*stage, error) {
	m := p.model
	key := fmt.Sprintf("%d layers %v%s %s", n, stream, p.inTrees(), p.kinds[l])
	for _, name := range names {
		key += fmt.Sprintf(" %v %v", kept[name].Kept, kept[name].shape)
	}
	return m.stage(key, func(s *stage) {
		x := m.parameter(s.graph, "stream", stream, nil)
		var received []*Node
		for i, name := range names {
			received = append(received, m.parameter(s.graph, fmt.Sprintf("kept%d", i), kept[name].shape, kept[name].cut))
		}
		d := p.begin(s, l, n)
		d.visits = p.visits
		at := l
		d.carry = attn.NewCarry(attn.Options{}, func(name string, values []float32) *Node {
			s.inputs = append(s.inputs, visitInput{at - l, name})
			return m.parameter(s.graph, fmt.Sprintf("input%d", len(s.inputs)), shapes.Make(dtypes.Float32, len(values)), nil)
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

// A layer's observation of largeObservation bytes or more is a transfer to the host by itself: cutting a stack would take longer than another transfer does. Those of less
// than smallObservation share one, whatever their names: on an H200 a transfer takes 0.3 ms, and twenty at once more than one.
const (
	largeObservation = 256 << 10
	smallObservation = 4 << 10
)

// observe adds what layers emitted to the outputs: alike values of several layers, and small ones of several names, are stacked, which is one transfer to the host in place of several.
func (s *stage) observe(emitted []attn.Emission, l int) {
	byName := map[string][]attn.Emission{}
	for _, e := range emitted {
		byName[e.Name] = append(byName[e.Name], e)
	}
	var stacks []emits
	var values [][]*Node // of each stack
	place := map[string]int{}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		es := byName[name]
		own, shape := emits{names: []string{name}}, es[0].Value.Shape()
		var nodes []*Node
		for _, e := range es {
			own.layers, nodes = append(own.layers, e.Layer-l), append(nodes, e.Value)
		}
		differs := func(e attn.Emission) bool { return !e.Value.Shape().Equal(shape) }
		switch key := fmt.Sprint(shape, own.layers); {
		case slices.ContainsFunc(es, differs) || shape.Memory() >= largeObservation:
			for i := range es {
				stacks, values = append(stacks, emits{names: own.names, layers: own.layers[i : i+1]}), append(values, nodes[i:i+1])
			}
		case shape.Memory() < smallObservation && place[key] > 0:
			at := place[key] - 1
			stacks[at].names, values[at] = append(stacks[at].names, name), append(values[at], nodes...)
		default:
			stacks, values = append(stacks, own), append(values, nodes)
			place[key] = len(stacks)
		}
	}
	for i, e := range stacks {
		x := values[i][0]
		if e.stacked() {
			x = Stack(values[i], 0)
		}
		e.output = s.output(x)
		s.emits = append(s.emits, e)
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
	key := fmt.Sprintf("head %v%s logits=%t", stream, p.inTrees(), p.want.Logits)
	if p.want.Targets != nil {
		key += fmt.Sprintf(" targets %v", p.targets[0][0].shape())
	}
	if p.next != nil {
		return p.nextStage(key, stream)
	}
	return m.stage(key, func(s *stage) {
		x := m.parameter(s.graph, "stream", stream, nil)
		d := p.begin(s, 0, 0)
		var targets []*Node
		if p.want.Targets != nil {
			targets = []*Node{m.parameter(s.graph, "positions", p.targets[0][0].shape(), nil), m.parameter(s.graph, "ids", p.targets[0][1].shape(), nil)}
		}
		s.outputs = d.heads(p.want, x, targets)
	})
}

// begin declares what every stage takes: tokens, extents, and the weights of n layers from l on or, without layers, those of none.
func (p *pass) begin(s *stage, l, n int) *decoder {
	m := p.model
	tokens, extents := m.parameter(s.graph, "tokens", p.batch[0].shape(), nil), m.parameter(s.graph, "extents", p.batch[1].shape(), nil)
	geo := prefillGeometry(tokens, extents)
	if layout := p.batch[2:]; len(layout) > 0 {
		var nodes []*Node
		for i, v := range layout {
			nodes = append(nodes, m.parameter(s.graph, fmt.Sprintf("layout%d", i), v.shape(), nil))
		}
		geo = geo.inTrees(nodes)
	}
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
		v := m.store.GetVariable("/" + name)
		return m.parameter(s.graph, name, v.Shape(), v.ShardingSpec())
	})
	return m.newDecoder(params, attn.Prefill, geo, nil)
}
