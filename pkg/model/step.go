package model

import (
	"fmt"
	"maps"
	"slices"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/attune-lab/attune/pkg/backend"
)

// decodeGraph builds one call of the loop. Inputs: token [batch], position [batch], done bool [batch], uniform [batch, chunk], steps, used, slots
// [batch, slots, 2], what loop.empty lists, then the caches. Outputs: steps run, tokens [batch, chunk], slots, then the caches with the call's tokens in them.
func (m *Model) decodeGraph(c *compiled, in []*Node, opts GenerateOptions, exp Experiment) []*Node {
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
		frozen = in[11:]
		fixed.slots, fixed.frozen = slots, frozen
		state = append(append(state, in[9]), slices.Repeat(in[10:11], len(frozen))...)
	}
	changing := len(state)
	if inPlace {
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
		if inPlace {
			in = fixed.from(s[changing:])
		}
		return append(m.decodeStep(c, g, in, s[:changing], opts, exp), s[changing:]...)
	})
	final := While(cond, body, state...)

	outputs := append([]*Node{final[0], final[3]}, final[4:changing]...)
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
func (m *Model) decodeStep(c *compiled, g *Graph, in *invariants, s []*Node, opts GenerateOptions, exp Experiment) []*Node {
	step, token, done, written := s[0], s[1], s[2], s[3]
	here := Equal(indexLike(written), step) // bool [batch, chunk]: the token this step adds

	queryPos := InsertAxes(Add(in.position, step), -1)
	tokens := InsertAxes(token, -1)
	cache := newCacheState(in, s[4:], step, here)
	slots := cache.place(Stack([]*Node{queryPos, tokens}, -1))
	column := func(i int) *Node { return Squeeze(SliceAxis(slots, 2, AxisElem(i)), 2) }
	run := &Run{Graph: g, Config: m.Config, Phase: Decode, Tokens: tokens}
	geo := geometry{queryPos: queryPos, keyPos: column(0), keyTokens: column(1)}
	if m.arch.lengthDependent() != nil {
		geo.lengths = AddScalar(Squeeze(queryPos, 1), 1)
	}
	d := newDecoder(m.arch, in.params, run, geo, exp)

	x := d.embed(tokens)
	for l := range m.Config.Layers {
		x = d.layer(l, x, func(k, v *Node) past { return cache.extend(l, k, v) })
	}
	logits := d.logits(Reshape(x, x.Shape().Dimensions[0], m.Config.HiddenSize))
	draw := ReduceSum(Where(here, in.uniform, ZerosLike(in.uniform)), -1)
	chosen := opts.Sampling.next(logits, draw)
	c.plan = d.plan
	return append([]*Node{
		AddScalar(step, 1), chosen, LogicalOr(done, isEOS(chosen, m.eos(opts))),
		Where(here, BroadcastToDims(InsertAxes(chosen, -1), written.Shape().Dimensions...), written),
	}, cache.state...)
}
