package model

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

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
	writers  []*writer         // the text of each sequence; nil where none is asked for on the way
	slots    *tensors.Tensor   // int32 [batch, slots, 2]: position (-1 empty) and token of each frozen slot
	cache    []*tensors.Tensor // keys and values of every layer, alternating, [batch, kv_heads, slots, head_dim]
	used     int               // frozen slots in use
	token    []int32           // the last token of each sequence, not yet in the cache
	done     []bool
	out      [][]int32
	produced int
	blank    []*tensors.Tensor // see empty
	plan     []string
}

// startLoop runs the prefill and chooses each prompt's first new token.
func (m *Model) startLoop(prompts [][]int, opts GenerateOptions, exp Experiment) (*loop, error) {
	l := &loop{model: m, opts: opts, exp: exp, prompts: prompts, streams: newStreams(opts.Sampling.Seed, len(prompts), opts.SampleIDs),
		done: make([]bool, len(prompts)), out: make([][]int32, len(prompts))}
	var err error
	if l.writers, err = m.newWriters(len(prompts), opts); err != nil {
		return nil, err
	}
	return l, l.prefill(prompts)
}

// prefill runs whole sequences, one for each prompt, and chooses the next token of each.
func (l *loop) prefill(sequences [][]int) error {
	m, opts, exp := l.model, l.opts, l.exp
	tokens, lengths, err := m.pad(Batch{Tokens: sequences})
	if err != nil {
		return err
	}
	c, err := m.exec(m.generateKey("prefill", opts, exp), func(c *compiled, in []*Node) []*Node {
		outputs := m.firstStep(c, in, opts, exp)
		if backend.IsXLA(m.Backend) {
			growSlots(outputs[1:], roundUp(in[0].Shape().Dimensions[1]+m.room(opts), cacheBucket))
		}
		return outputs
	})
	if err != nil {
		return err
	}
	outputs, err := c.exec.Call(tokens, lengths, tensors.FromFlatDataAndDimensions(uniforms(l.streams, 1), len(sequences)))
	if err != nil {
		return fmt.Errorf("prefill of %d prompts: %w", len(sequences), err)
	}
	l.plan = slices.Clone(c.plan)
	l.free()
	l.slots, l.cache = outputs[1], outputs[2:]
	l.used = tokens.Shape().Dimensions[1]
	l.accept([][]int32{tensors.MustCopyFlatData[int32](outputs[0])}, 1)
	return nil
}

// cacheBucket is what the frozen cache's length is rounded up to on XLA, so that few graphs cover many lengths.
const cacheBucket = 256

// room is the number of slots that a generation may fill behind its prompt, and a part of the key of its graphs.
func (m *Model) room(opts GenerateOptions) int {
	return roundUp(opts.MaxTokens+m.chunk(opts), cacheBucket)
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
			if l.writers != nil && l.writers[i].push(int(id)) {
				l.done[i] = true
			}
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
	if l.slots == nil {
		return
	}
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
	for _, t := range l.empty() {
		inputs = append(inputs, t)
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

// empty is the chunk's part of the loop's state before its first step: a zero, no tokens, empty slots, no keys or values.
func (l *loop) empty() []*tensors.Tensor {
	if l.blank == nil {
		m, batch := l.model, len(l.prompts)
		chunk := m.chunk(l.opts)
		kv := shapes.Make(m.DType, batch, m.Config.KVHeads, chunk, m.Config.HeadDim)
		l.blank = []*tensors.Tensor{
			tensors.FromScalar(int32(0)), tensors.FromScalarAndDimensions(int32(0), batch, chunk),
			tensors.FromScalarAndDimensions(int32(-1), batch, chunk, 2), tensors.FromShape(kv),
		}
	}
	return l.blank
}

// decodeGraph builds one call of the loop. Inputs: token [batch], position [batch], done bool [batch], uniform [batch, chunk], steps, used, slots
// [batch, slots, 2], the four of empty, then the caches. Outputs: steps run, tokens [batch, chunk], slots, then the caches with the chunk appended.
func (m *Model) decodeGraph(c *compiled, in []*Node, opts GenerateOptions, exp Experiment) []*Node {
	token, position, done, uniform, limit, used, slots := in[0], in[1], in[2], in[3], in[4], in[5], in[6]
	zero, noTokens, noSlots, noCache, frozen := in[7], in[8], in[9], in[10], in[11:]
	g := token.Graph()
	params := m.params(g) // read here, in the main function, which the loop's body captures from

	// Loop state: step, token, done, tokens written, the chunk's slots, then the chunk's keys and values per layer. It starts from inputs and
	// not from constants made here: GoMLX (v0.28) keeps one node per scalar and graph, which XLA's builder refuses in the loop's body if the
	// main function made it, and the other way round.
	state := []*Node{zero, token, done, noTokens, noSlots}
	for range frozen {
		state = append(state, noCache)
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

	outputs := []*Node{final[0], final[3], m.appendSlots(slots, final[4], used, zero, 1)}
	for i, f := range frozen {
		outputs = append(outputs, m.appendSlots(f, final[5+i], used, zero, 2))
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
	tokens := InsertAxes(token, -1)
	slot := Stack([]*Node{queryPos, tokens}, -1) // [batch, 1, 2]
	dims := chunkSlots.Shape().Dimensions
	chunkSlots = Where(BroadcastToDims(InsertAxes(here, -1), dims...), BroadcastToDims(slot, dims...), chunkSlots)
	slots := Concatenate([]*Node{in.slots, chunkSlots}, 1)
	column := func(i int) *Node { return Squeeze(SliceAxis(slots, 2, AxisElem(i)), 2) }
	run := &Run{Graph: g, Config: m.Config, Phase: Decode, Tokens: tokens}
	geo := geometry{queryPos: queryPos, keyPos: column(0), keyTokens: column(1)}
	if m.arch.lengthDependent() != nil {
		geo.lengths = AddScalar(Squeeze(queryPos, 1), 1)
	}
	d := newDecoder(m.arch, in.params, run, geo, exp)

	next := []*Node{AddScalar(step, 1), nil, nil, nil, chunkSlots}
	place := func(cache, row *Node) *Node { // row [batch, kv_heads, 1, head_dim] into the step's slot
		dims := cache.Shape().Dimensions
		return Where(BroadcastToDims(InsertAxes(here, 1, -1), dims...), BroadcastToDims(row, dims...), cache)
	}
	x := d.embed(tokens)
	for l := range m.Config.Layers {
		x = d.layer(l, x, func(k, v *Node) past {
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

// appendSlots adds a chunk behind the frozen slots in use. zero is the scalar.
func (m *Model) appendSlots(frozen, chunk, used, zero *Node, axis int) *Node {
	if !backend.IsXLA(m.Backend) {
		return Concatenate([]*Node{frozen, chunk}, axis)
	}
	start := make([]*Node, frozen.Rank())
	for i := range start {
		start[i] = zero
	}
	start[axis] = used
	return DynamicUpdateSlice(frozen, chunk, start)
}
