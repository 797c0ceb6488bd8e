package model

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/backend"
)

// loop is a generation under way. Its cache has two parts: the frozen slots, read-only within a call, and the call's own chunk of new
// tokens, small enough to be carried as loop state and rewritten with Where, which every backend has. At the end of a call the
// chunk is appended to the frozen part: growing it on the Go backend, where a graph of another shape costs nothing, in place of empty
// slots on XLA, where it would be another compilation.
type loop struct {
	model    *Model
	opts     GenerateOptions
	exp      Experiment
	prompts  [][]int
	streams  []*rand.Rand
	slots    *tensors.Tensor   // int32 [batch, slots]: position of each frozen slot, -1 empty
	cache    []*tensors.Tensor // keys and values of every layer, alternating, [batch, kv_heads, slots, head_dim]
	used     int               // frozen slots in use
	token    []int32           // the last token of each sequence, not yet in the cache
	done     []bool
	out      [][]int32
	produced int
	plan     []string
}

// startLoop runs the prefill and chooses each prompt's first new token.
func (m *Model) startLoop(prompts [][]int, opts GenerateOptions, exp Experiment) (*loop, error) {
	tokens, lengths, err := m.pad(Batch{Tokens: prompts})
	if err != nil {
		return nil, err
	}
	l := &loop{model: m, opts: opts, exp: exp, prompts: prompts, streams: newStreams(opts.Sampling.Seed, len(prompts)),
		done: make([]bool, len(prompts)), out: make([][]int32, len(prompts))}
	c, err := m.exec(m.generateKey("prefill", opts, exp), func(c *compiled, in []*Node) []*Node {
		outputs := m.firstStep(c, in, opts, exp)
		if backend.IsXLA(m.Backend) {
			growSlots(outputs[1:], m.capacity(tokens.Shape().Dimensions[1], opts))
		}
		return outputs
	})
	if err != nil {
		return nil, err
	}
	outputs, err := c.exec.Call(tokens, lengths, tensors.FromFlatDataAndDimensions(uniforms(l.streams, 1), len(prompts)))
	if err != nil {
		return nil, fmt.Errorf("prefill of %d prompts: %w", len(prompts), err)
	}
	l.plan = slices.Clone(c.plan)
	l.slots, l.cache = outputs[1], outputs[2:]
	l.used = tokens.Shape().Dimensions[1]
	l.accept([][]int32{tensors.MustCopyFlatData[int32](outputs[0])}, 1)
	return l, nil
}

// capacity of the frozen cache on XLA: room for the whole generation, in steps that few graphs cover.
func (m *Model) capacity(prompt int, opts GenerateOptions) int {
	return roundUp(prompt+opts.MaxTokens+m.chunk(opts), 256)
}

// growSlots pads slot positions (with -1) and caches (with zeros) to a number of slots, in place.
func growSlots(nodes []*Node, capacity int) {
	nodes[0] = growAxis(nodes[0], 1, capacity, -1)
	for i, kv := range nodes[1:] {
		nodes[i+1] = growAxis(kv, 2, capacity, 0)
	}
}

func growAxis(x *Node, axis, size int, fill float64) *Node {
	if more := size - x.Shape().Dimensions[axis]; more > 0 {
		return GrowRight(x, axis, more, fill)
	}
	return x
}

// accept records rounds of new tokens, [step][batch]; a sequence that met its end takes no more.
func (l *loop) accept(rounds [][]int32, steps int) {
	for _, round := range rounds[:steps] {
		l.token = round
		l.produced++
		for i, id := range round {
			if l.done[i] {
				continue
			}
			if slices.Contains(l.model.eos(l.opts), int(id)) {
				l.done[i] = true
				continue
			}
			l.out[i] = append(l.out[i], id)
		}
	}
}

func (l *loop) allDone() bool { return !slices.Contains(l.done, false) }

func (l *loop) tokensOf(i int) []int {
	ids := make([]int, 0, len(l.out[i]))
	for _, id := range l.out[i][:min(len(l.out[i]), l.opts.MaxTokens)] {
		ids = append(ids, int(id))
	}
	return ids
}

// free releases the cache before the garbage collector would.
func (l *loop) free() {
	for _, t := range append(l.cache, l.slots) {
		t.FinalizeAll()
	}
}

// advance runs one call of the compiled loop.
func (l *loop) advance() error {
	m := l.model
	steps := min(m.chunk(l.opts), l.opts.MaxTokens-l.produced)
	c, err := m.exec(m.generateKey("decode", l.opts, l.exp), func(c *compiled, in []*Node) []*Node { return m.decodeGraph(c, in, l.opts, l.exp) })
	if err != nil {
		return err
	}
	positions := make([]int32, len(l.prompts))
	for i, p := range l.prompts {
		positions[i] = int32(len(p) + l.produced - 1)
	}
	batch := len(l.prompts)
	inputs := []any{
		tensors.FromFlatDataAndDimensions(l.token, batch), tensors.FromFlatDataAndDimensions(positions, batch),
		tensors.FromFlatDataAndDimensions(slices.Clone(l.done), batch),
		tensors.FromFlatDataAndDimensions(uniforms(l.streams, m.chunk(l.opts)), batch, m.chunk(l.opts)),
		tensors.FromScalar(int32(steps)), tensors.FromScalar(int32(l.used)), l.slots,
	}
	for _, t := range l.cache {
		inputs = append(inputs, t)
	}
	outputs, err := c.exec.Call(inputs...)
	if err != nil {
		return fmt.Errorf("decoding after %d tokens: %w", l.produced, err)
	}
	if !slices.Contains(l.plan, "decode:") {
		l.plan = append(append(l.plan, "decode:"), c.plan...)
	}
	l.free()
	ran := int(tensors.ToScalar[int32](outputs[0]))
	rows := intRows(outputs[1])
	l.slots, l.cache = outputs[2], outputs[3:]
	l.used += m.chunk(l.opts)
	rounds := make([][]int32, ran)
	for s := range rounds {
		rounds[s] = make([]int32, batch)
		for i := range rows {
			rounds[s][i] = rows[i][s]
		}
	}
	l.accept(rounds, ran)
	return nil
}

// decodeGraph builds one call of the loop. Inputs: token [batch], position [batch], done bool [batch], uniform [batch, chunk], steps, used, slots
// [batch, slots], then the caches. Outputs: steps run, tokens [batch, chunk], slots, then the caches with the chunk appended.
func (m *Model) decodeGraph(c *compiled, in []*Node, opts GenerateOptions, exp Experiment) []*Node {
	token, position, done, uniform, limit, used, slots, frozen := in[0], in[1], in[2], in[3], in[4], in[5], in[6], in[7:]
	g := token.Graph()
	batch, chunk := uniform.Shape().Dimensions[0], uniform.Shape().Dimensions[1]
	params := m.params(g) // read here, in the main function, which the loop's body captures from
	kv := shapes.Make(frozen[0].DType(), batch, m.Config.KVHeads, chunk, m.Config.HeadDim)
	rowOfSlots := shapes.Make(dtypes.Int32, batch, chunk)

	// Loop state: step, token, done, tokens written, positions of the chunk's slots, then the chunk's keys and values per layer.
	state := []*Node{ScalarZero(g, dtypes.Int32), token, done, Zeros(g, rowOfSlots), Neg(Ones(g, rowOfSlots))}
	for range frozen {
		state = append(state, Zeros(g, kv))
	}
	fixed := &invariants{params: params, position: position, uniform: uniform, slots: slots, frozen: frozen}
	changing := len(state)
	if backend.IsXLA(m.Backend) {
		// XLA's builder (go-xla v0.4.5) refuses arithmetic on values captured by a loop's body, so they travel as state that no
		// step changes; XLA keeps such state in place.
		state = append(state, fixed.list()...)
	}
	declare := func(g *Graph) []*Node {
		nodes := make([]*Node, len(state))
		for i, s := range state {
			nodes[i] = Parameter(g, fmt.Sprintf("state%d", i), s.Shape())
		}
		return nodes
	}
	cond := NewClosure(g, func(g *Graph) []*Node {
		s := declare(g)
		return []*Node{LogicalAnd(LessThan(s[0], limit), LogicalAny(LogicalNot(s[2])))}
	})
	body := NewClosure(g, func(g *Graph) []*Node {
		s := declare(g)
		in := fixed
		if len(s) > changing {
			in = fixed.from(s[changing:])
		}
		return append(m.decodeStep(c, g, in, s[:changing], opts, exp), s[changing:]...)
	})
	final := While(cond, body, state...)

	outputs := []*Node{final[0], final[3], m.appendSlots(slots, final[4], used, 1)}
	for i, f := range frozen {
		outputs = append(outputs, m.appendSlots(f, final[5+i], used, 2))
	}
	return outputs
}

// invariants are what every step of a call reads and none changes.
type invariants struct {
	params                   map[string]*Node
	position, uniform, slots *Node
	frozen                   []*Node
}

// list flattens the invariants in a fixed order.
func (in *invariants) list() []*Node {
	nodes := []*Node{in.position, in.uniform, in.slots}
	for _, name := range slices.Sorted(maps.Keys(in.params)) {
		nodes = append(nodes, in.params[name])
	}
	return append(nodes, in.frozen...)
}

// from is the inverse of list, for nodes of a loop's body.
func (in *invariants) from(nodes []*Node) *invariants {
	out := &invariants{params: map[string]*Node{}, position: nodes[0], uniform: nodes[1], slots: nodes[2]}
	nodes = nodes[3:]
	for i, name := range slices.Sorted(maps.Keys(in.params)) {
		out.params[name] = nodes[i]
	}
	out.frozen = nodes[len(in.params):]
	return out
}

// decodeStep is the loop's body: the whole model on one token per sequence.
func (m *Model) decodeStep(c *compiled, g *Graph, in *invariants, s []*Node, opts GenerateOptions, exp Experiment) []*Node {
	step, token, done, written, chunkSlots := s[0], s[1], s[2], s[3], s[4]
	chunk := written.Shape().Dimensions[1]
	here := Equal(indexLike(written), step) // bool [batch, chunk]: the slot this step fills

	queryPos := InsertAxes(Add(in.position, step), -1)
	chunkSlots = Where(here, BroadcastToDims(queryPos, written.Shape().Dimensions...), chunkSlots)
	tokens := InsertAxes(token, -1)
	run := &Run{Graph: g, Config: m.Config, Phase: Decode, Tokens: tokens}
	d := newDecoder(in.params, run, exp)
	geo := decodeGeometry(queryPos, Concatenate([]*Node{in.slots, chunkSlots}, 1))
	rope := newRotary(queryPos, m.Config.HeadDim, m.Config.RopeTheta)

	next := []*Node{AddScalar(step, 1), nil, nil, nil, chunkSlots}
	place := func(cache, row *Node) *Node { // row [batch, kv_heads, 1, head_dim] into the step's slot
		dims := cache.Shape().Dimensions
		return Where(BroadcastToDims(InsertAxes(here, 1, -1), dims...), BroadcastToDims(row, dims...), cache)
	}
	x := d.embed(tokens)
	for l := range m.Config.Layers {
		x = d.layer(l, x, geo, rope, func(k, v *Node) past {
			k, v = place(s[5+2*l], k), place(s[6+2*l], v)
			next = append(next, k, v)
			return past{[]*Node{in.frozen[2*l], k}, []*Node{in.frozen[2*l+1], v}}
		})
	}
	logits := d.logits(Reshape(x, x.Shape().Dimensions[0], m.Config.HiddenSize))
	draw := ReduceSum(Where(here, in.uniform, ZerosLike(in.uniform)), -1)
	chosen := opts.Sampling.next(logits, draw)
	next[1] = chosen
	next[2] = LogicalOr(done, isEOS(chosen, m.eos(opts)))
	next[3] = Where(here, BroadcastToDims(InsertAxes(chosen, -1), chosen.Shape().Dimensions[0], chunk), written)
	c.plan = d.plan
	return next
}

// appendSlots adds a chunk behind the frozen slots in use.
func (m *Model) appendSlots(frozen, chunk, used *Node, axis int) *Node {
	if !backend.IsXLA(m.Backend) {
		return Concatenate([]*Node{frozen, chunk}, axis)
	}
	start := make([]*Node, frozen.Rank())
	for i := range start {
		start[i] = ScalarZero(frozen.Graph(), dtypes.Int32)
	}
	start[axis] = used
	return DynamicUpdateSlice(frozen, chunk, start)
}
