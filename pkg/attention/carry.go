package attention

import (
	"maps"
	"slices"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Carry is what the layers built into one graph share: values that earlier layers kept for later ones, and what was emitted. Where a pass runs through several
// executables, kept values are outputs of one and inputs of the next.
type Carry struct {
	Options
	// Emitted are the observations of this graph, in order.
	Emitted []Emission

	kept    map[string]keptValue
	fresh   map[string]bool  // kept in this graph
	scratch map[string]*Node // what several layers of this graph read and none keeps, see Site.once
	inputs  func(string, []float32) *Node
}

// Options say how a graph is meant to be used.
type Options struct {
	// Packed is the fused kernel's bias that keeps several documents of a row apart, made of the queries; nil = a row is one document.
	Packed func(query *Node) *Node
	// Differentiable graphs are asked for gradients: kernels without one stay out.
	Differentiable bool
	// Training multiplies with gradients in the operands' type, see Product.
	Training bool
}

// Emission is a value that a layer emitted.
type Emission struct {
	Name  string
	Layer int
	Value *Node
}

// keptValue is a node with what is known on the host of the layer that it is from.
type keptValue struct {
	node *Node
	from Form
}

// Form is how a layer makes scores of its products.
type Form struct {
	Scale, Softcap float64
	Window         int
}

// NewCarry begins a graph. inputs gives the node of a Visit's input, by its name, for the values of the layer that asks; nil makes them constants.
func NewCarry(o Options, inputs func(name string, values []float32) *Node) *Carry {
	return &Carry{Options: o, kept: map[string]keptValue{}, fresh: map[string]bool{}, scratch: map[string]*Node{}, inputs: inputs}
}

// Kept describes a value that was kept, without its node.
type Kept struct {
	Name string
	From Form // of the layer that kept it
}

// Receive puts a value that an earlier graph kept into this one.
func (c *Carry) Receive(k Kept, node *Node) { c.kept[k.Name] = keptValue{node, k.From} }

// Leave lists what this graph's layers kept, in the order of names, and the nodes.
func (c *Carry) Leave() (kept []Kept, nodes []*Node) {
	for _, name := range slices.Sorted(maps.Keys(c.fresh)) {
		kept = append(kept, Kept{name, c.kept[name].from})
		nodes = append(nodes, c.kept[name].node)
	}
	return kept, nodes
}

// Keep leaves a value for later layers under a name, in place of what had the name before. A later layer's Kept gives it back.
func (s *Site) Keep(name string, x *Node) {
	name = s.scope + name
	s.carry.kept[name], s.carry.fresh[name] = keptValue{x, Form{s.Scale, s.Softcap, s.Window}}, true
	for key := range s.carry.scratch { // made of what the name stood for
		if strings.HasPrefix(key, name) {
			delete(s.carry.scratch, key)
		}
	}
}

// Kept is what an earlier layer, or this one, has kept under a name; nil where none has.
func (s *Site) Kept(name string) *Node { return s.carry.kept[s.scope+name].node }

// Input is one of the Visit's Inputs: float32 [values].
func (s *Site) Input(name string) *Node {
	full := s.scope + name
	if n := s.inputs[full]; n != nil {
		return n
	}
	values, ok := s.values[full]
	if !ok {
		exceptions.Panicf("layer %d: the experiment has no input %q", s.Index, name)
	}
	var n *Node
	if s.carry.inputs == nil {
		n = Const(s.graph(), values)
	} else {
		n = s.carry.inputs(full, values)
	}
	s.inputs[full] = n
	return n
}

// Emit hands out an observation of the layer: Result.Emitted has it under the name, at the layer. It panics, as graph-building code does, on a second output of the
// same name at a layer, and in Decode, where a compiled loop has no place for it.
func (s *Site) Emit(name string, value *Node) {
	if s.Phase == Decode {
		exceptions.Panicf("experiment output %q: nothing can be emitted while decoding", name)
	}
	for _, e := range s.carry.Emitted {
		if e.Name == name && e.Layer == s.Index {
			exceptions.Panicf("experiment output %q is emitted twice by layer %d", name, s.Index)
		}
	}
	s.carry.Emitted = append(s.carry.Emitted, Emission{name, s.Index, value})
}

// within runs f with names of kept values and inputs of their own.
func (s *Site) within(scope string, f func()) {
	before := s.scope
	s.scope += scope
	f()
	s.scope = before
}

// once makes something that several layers of this graph share, unless it is there.
func (s *Site) once(name string, make func() *Node) *Node {
	name = s.scope + name
	if n := s.carry.scratch[name]; n != nil {
		return n
	}
	n := make()
	s.carry.scratch[name] = n
	return n
}

// KeepLayer keeps what says the layer's attention as it stands: its operands where a fused kernel computes it, otherwise its probabilities. KeptLayer gives it back.
func KeepLayer(s *Site, name string) {
	if !s.blocked() || s.LSE() == nil {
		s.Keep(name+".probs", s.Probs())
		return
	}
	KeepOperands(s, name, s.LSE())
}

// KeepOperands keeps a layer's queries, keys and the log-sum-exp of its rows, [batch, heads, queries], which say its attention: exp(score - LSE).
func KeepOperands(s *Site, name string, lse *Node) {
	s.Keep(name+".query", s.Query)
	s.Keep(name+".key", s.Keys[0])
	s.Keep(name+".lse", lse)
}

// KeptLayer is the site of an earlier layer that KeepLayer or KeepOperands kept, seen from a site of the same pass: to be read only. Its positions and tokens are
// those of the site that asks. It is nil where nothing was kept under the name.
func KeptLayer(s *Site, name string) *Site {
	part := &Site{Layer: s.Layer, carry: s.carry, scope: s.scope, part: true}
	part.Operands = Operands{QueryPos: s.QueryPos, KeyPos: s.KeyPos, KeyTokens: s.KeyTokens, Lengths: s.Lengths, Prompt: s.Prompt, Span: s.Span, Trees: s.Trees, Mask: s.Mask}
	if probs := s.Kept(name + ".probs"); probs != nil {
		part.probs = probs
		part.Query, part.Keys = s.Query, s.Keys // their dimensions are the same
		return part
	}
	query := s.Kept(name + ".query")
	if query == nil {
		return nil
	}
	from := s.carry.kept[s.scope+name+".query"].from
	part.Scale, part.Softcap, part.Window = from.Scale, from.Softcap, from.Window
	part.Mask = causal(s.QueryPos, s.KeyPos, from.Window)
	part.Query, part.Keys, part.lse = query, []*Node{s.Kept(name + ".key")}, s.Kept(name+".lse")
	return part
}
