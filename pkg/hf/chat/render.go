package chat

import (
	"strings"
	"time"
)

// run is one rendering.
type run struct {
	budget
	out     *strings.Builder
	context map[string]value // the variables of the conversation
	now     time.Time
	stack   int // nodes under evaluation
}

// flow says how a statement ended.
type flow byte

const (
	ended flow = iota
	broken
	continued
)

type statement interface {
	exec(r *run, s *scope) flow
}

type expression interface {
	eval(r *run, s *scope) value
}

// scope holds the names set in a body; a template has few, so that a search is faster than a map.
type scope struct {
	parent *scope
	names  []string
	values []value
}

func (s *scope) set(name string, v value) {
	for i, known := range s.names {
		if known == name {
			s.values[i] = v
			return
		}
	}
	s.names, s.values = append(s.names, name), append(s.values, v)
}

// inner opens a scope: what is set in it is not seen outside.
func (r *run) inner(s *scope) *scope {
	r.grow(64)
	return &scope{parent: s}
}

func (r *run) lookup(s *scope, name string) value {
	for ; s != nil; s = s.parent {
		for i, known := range s.names {
			if known == name {
				return s.values[i]
			}
		}
	}
	if v, ok := r.context[name]; ok {
		return v
	}
	if v, ok := globals[name]; ok {
		return v
	}
	return undefined{"'" + name + "' is undefined"}
}

func (r *run) eval(n expression, s *scope) value {
	r.step()
	if r.stack++; r.stack > maxStack {
		r.exceeded("expressions more than %d deep", maxStack)
	}
	v := n.eval(r, s)
	r.stack--
	return v
}

func (r *run) exec(body []statement, s *scope) flow {
	if r.stack++; r.stack > maxStack {
		r.exceeded("statements more than %d deep", maxStack)
	}
	for _, n := range body {
		r.step()
		if f := n.exec(r, s); f != ended {
			r.stack--
			return f
		}
	}
	r.stack--
	return ended
}

// capture returns the text that a body prints.
func (r *run) capture(body []statement, s *scope) string {
	outer := r.out
	var b strings.Builder
	r.out = &b
	r.exec(body, s)
	r.out = outer
	return b.String()
}

func (r *run) write(s string) {
	r.growText(len(s))
	r.out.WriteString(s)
}

type textNode struct{ text string }

func (n *textNode) exec(r *run, _ *scope) flow {
	r.write(n.text)
	return ended
}

type outputNode struct {
	value expression
	line  int
}

func (n *outputNode) exec(r *run, s *scope) flow {
	r.line = n.line
	r.write(r.str(r.eval(n.value, s)))
	return ended
}

type printNode struct {
	values []expression
	line   int
}

func (n *printNode) exec(r *run, s *scope) flow {
	r.line = n.line
	for _, v := range n.values {
		r.write(r.str(r.eval(v, s)))
	}
	return ended
}

type leaveNode struct{ how flow }

func (n leaveNode) exec(*run, *scope) flow { return n.how }

type ifNode struct {
	tests     []expression
	bodies    [][]statement
	otherwise []statement
	line      int
}

func (n *ifNode) exec(r *run, s *scope) flow {
	r.line = n.line
	for i, test := range n.tests {
		if truth(r.eval(test, s)) {
			return r.exec(n.bodies[i], s)
		}
	}
	return r.exec(n.otherwise, s)
}

type setNode struct {
	target target
	value  expression
	line   int
}

func (n *setNode) exec(r *run, s *scope) flow {
	r.line = n.line
	r.assign(n.target, r.eval(n.value, s), s)
	return ended
}

func (r *run) assign(t target, v value, s *scope) {
	switch {
	case t.attribute != "":
		ns, ok := r.lookup(s, t.name).(*namespace)
		if !ok {
			fail("cannot assign an attribute of %s, which is not a namespace", t.name)
		}
		r.grow(64)
		ns.attributes.set(t.attribute, v)
	case t.parts != nil:
		items := r.iterate(v)
		if len(items) != len(t.parts) {
			fail("ValueError: found %d values to unpack, expected %d", len(items), len(t.parts))
		}
		for i, part := range t.parts {
			r.assign(part, items[i], s)
		}
	default:
		r.grow(32)
		s.set(t.name, v)
	}
}

type setBlockNode struct {
	target  target
	filters expression // nil: none
	body    []statement
	line    int
}

func (n *setBlockNode) exec(r *run, s *scope) flow {
	r.line = n.line
	inner := r.inner(s)
	v := value(r.capture(n.body, inner))
	if n.filters != nil {
		v = r.filtered(n.filters, v, inner)
	}
	r.assign(n.target, v, s)
	return ended
}

// filtered applies the filters of a block to its text.
func (r *run) filtered(n expression, text value, s *scope) value {
	f := n.(*filterNode)
	if f.value != nil {
		text = r.filtered(f.value, text, s)
	}
	return f.apply(r, text, s)
}

type filterBlockNode struct {
	filters expression
	body    []statement
	line    int
}

func (n *filterBlockNode) exec(r *run, s *scope) flow {
	r.line = n.line
	inner := r.inner(s)
	v := r.filtered(n.filters, r.capture(n.body, inner), inner)
	printed, ok := text(v)
	if !ok {
		fail("TypeError: the filters of a block give a %s, expected str", typeName(v))
	}
	r.write(printed)
	return ended
}

type withNode struct {
	targets []target
	values  []expression
	body    []statement
	line    int
}

func (n *withNode) exec(r *run, s *scope) flow {
	r.line = n.line
	inner := r.inner(s)
	for i, t := range n.targets {
		r.assign(t, r.eval(n.values[i], s), inner)
	}
	return r.exec(n.body, inner)
}

// scopeNode is a generation block: transformers marks the assistant's words with it; what it prints is its text.
type scopeNode struct{ body []statement }

func (n *scopeNode) exec(r *run, s *scope) flow {
	r.exec(n.body, r.inner(s))
	return ended
}
