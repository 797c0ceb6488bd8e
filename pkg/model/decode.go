package model

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	attn "github.com/attune-lab/attune/pkg/attention"
	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/internal/while"
)

// loop is a generation under way. Its cache of keys and values grows on the Go backend, where a graph of another shape costs next to nothing; on XLA it has
// room from the start, where every shape is another compilation. See cacheState for how a step writes to it.
type loop struct {
	model    *Model
	opts     GenerateOptions
	exp      Experiment
	prompts  [][]int
	streams  []*rand.Rand
	writers  []*writer // the text of each sequence; nil where none is asked for on the way
	slots    *value    // int32 [batch, slots, 2]: position (-1 empty) and token of each slot
	cache    []*value  // keys and values of every layer, alternating, [batch, kv_heads, slots, head_dim]
	used     int       // slots in use
	token    []int32   // the last token of each sequence, not yet in the cache
	done     []bool
	out      [][]int32
	produced int
	blank    []*value // see empty
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
	batch := Batch{Tokens: sequences, Extents: make([]Extent, len(sequences))}
	for i := range sequences {
		batch.Extents[i] = l.extent(i)
	}
	tokens, extents, err := m.pad(batch)
	if err != nil {
		return err
	}
	visits, err := m.visits(exp, attn.Prefill)
	if err != nil {
		return err
	}
	if m.placed != nil {
		return l.placedPrefill(tokens, extents, visits)
	}
	c, err := m.exec(m.generateKey("prefill", opts, visits), func(c *compiled, in []*Node) []*Node {
		outputs := m.firstStep(c, in, opts, visits)
		if backend.IsXLA(m.Backend) {
			padSlots(outputs[1:], roundUp(in[0].Shape().Dimensions[1]+m.capacity(opts), cacheBucket))
		}
		return outputs
	})
	if err != nil {
		return err
	}
	inputs, err := m.allOnDevices(tokens, extents, tensors.FromFlatDataAndDimensions(uniforms(l.streams, 1), len(sequences)))
	if err != nil {
		return err
	}
	outputs, err := c.call(inputs...)
	if err != nil {
		return fmt.Errorf("prefill of %d prompts: %w", len(sequences), err)
	}
	l.plan = slices.Clone(c.plan)
	l.free()
	l.slots, l.cache = outputs[1], outputs[2:]
	l.used = tokens.Shape().Dimensions[1]
	l.accept([][]int32{tensors.MustCopyFlatData[int32](outputs[0].first())}, 1)
	return nil
}

// extent of a sequence: what is behind its prompt is generated, also where a prefill reads it again.
func (l *loop) extent(i int) Extent {
	var e Extent
	if l.opts.Extents != nil {
		e = l.opts.Extents[i]
	}
	if e.Prompt == 0 {
		e.Prompt = len(l.prompts[i])
	}
	return e
}

// cacheBucket is what the frozen cache's length is rounded up to on XLA, so that few graphs cover many lengths.
const cacheBucket = 256

// capacity is the number of slots that a generation may fill behind its prompt, and a part of the key of its graphs.
func (m *Model) capacity(opts GenerateOptions) int {
	return roundUp(max(opts.MaxTokens, opts.Room)+m.chunk(opts), cacheBucket)
}

// padSlots pads slot positions (with -1) and caches (with zeros) to a number of slots, in place.
func padSlots(nodes []*Node, capacity int) {
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
	for _, v := range append(l.cache, l.slots) {
		v.free()
	}
}

// advance runs one call of the compiled loop.
func (l *loop) advance() error {
	m := l.model
	steps := min(m.chunk(l.opts), l.opts.MaxTokens-l.produced)
	visits, err := m.visits(l.exp, attn.Decode)
	if err != nil {
		return err
	}
	c, err := m.exec(m.generateKey("decode", l.opts, visits), func(c *compiled, in []*Node) []*Node { return m.decodeGraph(c, in, l.opts, visits) })
	if err != nil {
		return err
	}
	var positions []int32
	for i, p := range l.prompts {
		row := l.extent(i).row(len(p) + l.produced - 1)
		positions = append(positions, row[:]...)
	}
	batch := len(l.prompts)
	inputs, err := m.allOnDevices(
		tensors.FromFlatDataAndDimensions(l.token, batch), tensors.FromFlatDataAndDimensions(positions, batch, 4),
		tensors.FromFlatDataAndDimensions(slices.Clone(l.done), batch),
		tensors.FromFlatDataAndDimensions(uniforms(l.streams, m.chunk(l.opts)), batch, m.chunk(l.opts)),
		tensors.FromScalar(int32(steps)), tensors.FromScalar(int32(l.used)),
	)
	if err != nil {
		return err
	}
	blank, err := l.empty()
	if err != nil {
		return err
	}
	outputs, err := c.call(slices.Concat(inputs, []*value{l.slots}, blank, l.cache)...)
	if err != nil {
		return fmt.Errorf("decoding after %d tokens: %w", l.produced, err)
	}
	if !slices.Contains(l.plan, "decode:") {
		l.plan = append(append(l.plan, "decode:"), c.plan...)
	}
	l.free()
	ran := int(tensors.ToScalar[int32](outputs[0].first()))
	rows := intRows(outputs[1].first())
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

// empty is what the loop's state starts from: a zero, no tokens, and on the Go backend the chunk's empty slots and no keys or values.
func (l *loop) empty() ([]*value, error) {
	if l.blank != nil {
		return l.blank, nil
	}
	m, batch := l.model, len(l.prompts)
	chunk := m.chunk(l.opts)
	blank := []*tensors.Tensor{tensors.FromScalar(int32(0)), tensors.FromScalarAndDimensions(int32(0), batch, chunk)}
	if !backend.IsXLA(m.Backend) {
		blank = append(blank, tensors.FromScalarAndDimensions(int32(-1), batch, chunk, 2))
		dims, _ := m.headDims()
		for _, dim := range dims {
			blank = append(blank, tensors.FromShape(shapes.Make(m.DType, batch, m.Config.KVHeads, chunk, dim)))
		}
	}
	var err error
	l.blank, err = m.allOnDevices(blank...)
	return l.blank, err
}

// WidestHead is the width of the model's widest heads: in some families layers differ.
func (m *Model) WidestHead() int {
	dims, _ := m.headDims()
	return slices.Max(dims)
}

// headDims are the widths of heads that the layers have, and for each layer which of them.
func (m *Model) headDims() (dims, of []int) {
	for i := range m.arch.blocks {
		dim := m.arch.blocks[i].attn.headDim
		if dim == 0 {
			dim = m.Config.HeadDim
		}
		at := slices.Index(dims, dim)
		if at < 0 {
			at, dims = len(dims), append(dims, dim)
		}
		of = append(of, at)
	}
	return dims, of
}

// decodeGraph builds one call of the loop. Inputs: token [batch], position [batch, 4] (the position of the token, then as extents), done bool [batch], uniform [batch, chunk], steps, used, slots
// [batch, slots, 2], what loop.empty lists, then the caches. Outputs: steps run, tokens [batch, chunk], slots, then the caches with the call's tokens in them.
func (m *Model) decodeGraph(c *compiled, in []*Node, opts GenerateOptions, visits []*attn.Visit) []*Node {
	token, position, done, uniform, limit, used, slots, zero, noTokens := in[0], in[1], in[2], in[3], in[4], in[5], in[6], in[7], in[8]
	g := token.Graph()
	fixed := &invariants{params: m.params(g), position: position, uniform: uniform} // params are read here, in the main function, which the loop's body captures from

	// Loop state: step, token, done, tokens written, then the cache's. It starts from inputs and not from constants made here: GoMLX (v0.28) keeps one node
	// per scalar and graph, which XLA's builder refuses in the loop's body if the main function made it, and the other way round.
	state := []*Node{zero, token, done, noTokens}
	inPlace := backend.IsXLA(m.Backend)
	var frozen []*Node
	if inPlace {
		fixed.used = used
		state = append(append(state, slots), in[9:]...)
	} else {
		dims, of := m.headDims()
		frozen = in[10+len(dims):]
		fixed.slots, fixed.frozen = slots, frozen
		state = append(state, in[9])
		for _, dim := range of {
			state = append(state, in[10+dim], in[10+dim]) // keys and values
		}
	}
	changing := len(state)
	if inPlace {
		// XLA's builder (go-xla v0.4.5) refuses arithmetic on values captured by a loop's body, so they travel as state that no
		// step changes; XLA keeps such state in place.
		state = append(state, fixed.list()...)
	}
	cond := func(s []*Node) *Node { return LogicalAnd(LessThan(s[0], limit), LogicalAny(LogicalNot(s[2]))) }
	body := func(s []*Node) []*Node {
		in := fixed
		if inPlace {
			in = fixed.from(s[changing:])
		}
		return append(m.decodeStep(c, s[0].Graph(), in, s[:changing], opts, visits), s[changing:]...)
	}
	final := while.Loop(state, cond, body)

	outputs := append([]*Node{final[0], final[3]}, final[4:changing]...)
	c.caches = 3
	if !inPlace {
		outputs[2] = Concatenate([]*Node{slots, outputs[2]}, 1)
		for i, f := range frozen {
			outputs[3+i] = Concatenate([]*Node{f, outputs[3+i]}, 2)
		}
	}
	return outputs
}

// invariants are what every step of a call reads and none changes.
type invariants struct {
	params            map[string]*Node
	position, uniform *Node
	used              *Node   // where the cache is written in place: slots in use before the call
	slots             *Node   // elsewhere: what was in the cache before the call
	frozen            []*Node // the same, keys and values of every layer
}

// list flattens the invariants of a cache written in place, in a fixed order.
func (in *invariants) list() []*Node {
	nodes := []*Node{in.position, in.uniform, in.used}
	for _, name := range slices.Sorted(maps.Keys(in.params)) {
		nodes = append(nodes, in.params[name])
	}
	return nodes
}

// from is the inverse of list, for nodes of a loop's body.
func (in *invariants) from(nodes []*Node) *invariants {
	out := &invariants{params: map[string]*Node{}, position: nodes[0], uniform: nodes[1], used: nodes[2]}
	for i, name := range slices.Sorted(maps.Keys(in.params)) {
		out.params[name] = nodes[3+i]
	}
	return out
}

// decodeStep is the loop's body: the whole model on one token per sequence.
func (m *Model) decodeStep(c *compiled, g *Graph, in *invariants, s []*Node, opts GenerateOptions, visits []*attn.Visit) []*Node {
	step, token, done, written := s[0], s[1], s[2], s[3]
	here := Equal(indexLike(written), step) // bool [batch, chunk]: the token this step adds

	position, prompt, span := splitExtents(in.position)
	queryPos := InsertAxes(Add(position, step), -1)
	tokens := InsertAxes(token, -1)
	cache := newCacheState(in, s[4:], step, here)
	slots := cache.place(Stack([]*Node{queryPos, tokens}, -1))
	column := func(i int) *Node { return Squeeze(SliceAxis(slots, 2, AxisElem(i)), 2) }
	geo := geometry{queryPos: queryPos, keyPos: column(0), keyTokens: column(1), prompt: prompt, span: span}
	if m.arch.lengthDependent() != nil {
		geo.lengths = AddScalar(Squeeze(queryPos, 1), 1)
	}
	d := m.newDecoder(in.params, attn.Decode, geo, visits)

	x := d.embed(tokens)
	for l := range m.Config.Layers {
		x = d.layer(l, x, func(k, v *Node) past { return cache.extend(l, k, v) })
	}
	logits := d.logits(Reshape(d.hidden(x), x.Shape().Dimensions[0], m.Config.HiddenSize))
	draw := ReduceSum(Where(here, in.uniform, ZerosLike(in.uniform)), -1)
	chosen := opts.Sampling.next(logits, draw)
	c.plan = planOf(d.plan)
	return append([]*Node{
		AddScalar(step, 1), chosen, LogicalOr(done, isEOS(chosen, m.eos(opts))),
		Where(here, BroadcastToDims(InsertAxes(chosen, -1), written.Shape().Dimensions...), written),
	}, cache.state...)
}

// needsRecompute reports whether cached keys of a sequence may become invalid. With frequencies for short and for long sequences (longrope) they do where the
// trained length is passed on the way; with a base that grows with the sequence (dynamic) at every token beyond it.
func (m *Model) needsRecompute(prompts [][]int, opts GenerateOptions) bool {
	r := m.arch.lengthDependent()
	if r == nil {
		return false
	}
	for _, p := range prompts {
		settled := r.long != nil && len(p) > r.trained
		if len(p)+opts.MaxTokens > r.trained && !settled {
			return true
		}
	}
	return false
}

// recompute chooses one more token by running every sequence from its start.
func (l *loop) recompute() error {
	sequences := make([][]int, len(l.prompts))
	for i, p := range l.prompts {
		sequences[i] = append(append([]int{}, p...), l.tokensOf(i)...)
	}
	return l.prefill(sequences)
}
