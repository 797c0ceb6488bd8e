package chat

type constantNode struct{ value value }

func (n *constantNode) eval(*run, *scope) value { return n.value }

type nameNode struct{ name string }

func (n *nameNode) eval(r *run, s *scope) value { return r.lookup(s, n.name) }

type sequenceNode struct {
	items []expression
	kind  sequenceKind
}

func (n *sequenceNode) eval(r *run, s *scope) value {
	return &sequence{items: r.evalAll(n.items, s), kind: n.kind}
}

func (r *run) evalAll(nodes []expression, s *scope) []value {
	r.grow(16 * len(nodes))
	items := make([]value, len(nodes))
	for i, n := range nodes {
		items[i] = r.eval(n, s)
	}
	return items
}

type dictNode struct{ keys, values []expression }

func (n *dictNode) eval(r *run, s *scope) value {
	d := newDict()
	for i, key := range n.keys {
		r.grow(100)
		d.set(r.eval(key, s), r.eval(n.values[i], s))
	}
	return d
}

type conditionalNode struct{ test, then, otherwise expression }

func (n *conditionalNode) eval(r *run, s *scope) value {
	switch {
	case truth(r.eval(n.test, s)):
		return r.eval(n.then, s)
	case n.otherwise != nil:
		return r.eval(n.otherwise, s)
	}
	return undefined{"the inline if-expression evaluated to false and no else section was defined."}
}

type logicalNode struct {
	left, right expression
	or          bool
}

func (n *logicalNode) eval(r *run, s *scope) value {
	if v := r.eval(n.left, s); truth(v) == n.or {
		return v
	}
	return r.eval(n.right, s)
}

type notNode struct{ value expression }

func (n *notNode) eval(r *run, s *scope) value { return !truth(r.eval(n.value, s)) }

// comparisonNode is a chain: a < b < c.
type comparisonNode struct {
	first     expression
	operators []string
	operands  []expression
}

func (n *comparisonNode) eval(r *run, s *scope) value {
	left := r.eval(n.first, s)
	for i, operator := range n.operators {
		right := r.eval(n.operands[i], s)
		if !r.compare(operator, left, right) {
			return false
		}
		left = right
	}
	return true
}

func (r *run) compare(operator string, a, b value) bool {
	switch operator {
	case "==":
		return r.equal(a, b)
	case "!=":
		return !r.equal(a, b)
	case "in":
		return r.contains(b, a)
	case "not in":
		return !r.contains(b, a)
	case "<":
		return r.order(a, b, operator) < 0
	case "<=":
		return r.order(a, b, operator) <= 0
	case ">":
		return r.order(a, b, operator) > 0
	}
	return r.order(a, b, operator) >= 0
}

// concatenationNode is ~, which joins the printed forms.
type concatenationNode struct{ parts []expression }

func (n *concatenationNode) eval(r *run, s *scope) value {
	joined := ""
	for _, part := range n.parts {
		text := r.str(r.eval(part, s))
		r.grow(len(joined) + len(text))
		joined += text
	}
	return joined
}

type attributeNode struct {
	value expression
	name  string
}

func (n *attributeNode) eval(r *run, s *scope) value { return r.attribute(r.eval(n.value, s), n.name) }

type itemNode struct{ value, key expression }

func (n *itemNode) eval(r *run, s *scope) value {
	return r.item(r.eval(n.value, s), r.eval(n.key, s))
}

// sliceNode is a slice; it is a value only as a key.
type sliceNode struct{ bounds [3]expression }

type sliceKey struct{ bounds [3]value }

func (n *sliceNode) eval(r *run, s *scope) value {
	var key sliceKey
	for i, bound := range n.bounds {
		if bound != nil {
			key.bounds[i] = r.eval(bound, s)
		}
	}
	return key
}

type callNode struct {
	function  expression
	arguments argumentsNode
	line      int
}

func (n *callNode) eval(r *run, s *scope) value {
	f := r.eval(n.function, s)
	a := n.arguments.eval(r, s)
	r.line = n.line
	return r.call(f, a)
}

func (n *argumentsNode) eval(r *run, s *scope) arguments {
	a := arguments{positional: r.evalAll(n.positional, s), named: r.evalAll(n.named, s)}
	a.names = append(a.names, n.names...)
	if n.unpacked != nil {
		items := r.iterate(r.eval(n.unpacked, s))
		r.grow(16 * len(items))
		a.positional = append(a.positional, items...)
	}
	if n.keywords != nil {
		d, ok := r.eval(n.keywords, s).(*dict)
		if !ok {
			fail("TypeError: expected a dict behind **")
		}
		r.grow(32 * len(d.keys))
		for i, key := range d.keys {
			name, ok := text(key)
			if !ok {
				fail("TypeError: keywords must be strings")
			}
			a.names, a.named = append(a.names, name), append(a.named, d.values[i])
		}
	}
	return a
}

func (r *run) call(f value, a arguments) value {
	switch f := f.(type) {
	case *function:
		return f.call(r, a)
	case *macro:
		return f.call(r, a)
	case *loop:
		if !f.node.recursive {
			fail("TypeError: the loop must have the 'recursive' marker to be called")
		}
		items := a.bind("loop", 1, "iterable")[0]
		outer := r.out
		r.out = newBuilder()
		f.node.loop(r, f.scope, r.iterate(items), f.depth0+1)
		printed := r.out.String()
		r.out = outer
		return printed
	case undefined:
		fail("UndefinedError: %s", f.message)
	}
	fail("TypeError: '%s' object is not callable", typeName(f))
	return nil
}

type filterNode struct {
	value     expression // nil: the text of a block
	name      string
	arguments argumentsNode
	line      int
}

func (n *filterNode) eval(r *run, s *scope) value { return n.apply(r, r.eval(n.value, s), s) }

func (n *filterNode) apply(r *run, v value, s *scope) value {
	a := n.arguments.eval(r, s)
	r.line = n.line
	return filters[n.name](r, v, a)
}

type testNode struct {
	value     expression
	name      string
	arguments argumentsNode
	line      int
}

func (n *testNode) eval(r *run, s *scope) value {
	v := r.eval(n.value, s)
	a := n.arguments.eval(r, s)
	r.line = n.line
	return tests[n.name](r, v, a)
}

// attribute is v.name: an attribute of the object, else its element.
func (r *run) attribute(v value, name string) value {
	if u, ok := v.(undefined); ok && !isDunder(name) {
		fail("UndefinedError: %s", u.message)
	}
	if m, ok := r.member(v, name); ok {
		return m
	}
	if d, ok := v.(*dict); ok {
		if m, ok := d.get(name); ok {
			return m
		}
	}
	return undefined{"'" + objectName(v) + "' has no attribute '" + name + "'"}
}

// item is v[key]: an element of the object, else its attribute.
func (r *run) item(v, key value) value {
	switch v := v.(type) {
	case undefined:
		fail("UndefinedError: %s", v.message)
	case *dict:
		if m, ok := v.get(key); ok {
			return m
		}
	case *sequence:
		if key, ok := key.(sliceKey); ok && v.kind <= rangeKind {
			return r.sliceOf(v, key)
		}
		if i, ok := integer(key); ok && v.kind <= rangeKind {
			if i < 0 {
				i += int64(len(v.items))
			}
			if i >= 0 && i < int64(len(v.items)) {
				return v.items[i]
			}
		}
	case string:
		if m, ok := r.character(v, key); ok {
			return m
		}
	case markup:
		if m, ok := r.character(string(v), key); ok {
			return markup(m)
		}
	}
	if name, ok := text(key); ok {
		if m, ok := r.member(v, name); ok {
			return m
		}
		return undefined{"'" + objectName(v) + "' has no attribute '" + name + "'"}
	}
	if _, ok := key.(sliceKey); ok {
		return undefined{objectName(v) + " has no element slice"}
	}
	return undefined{objectName(v) + " has no element " + r.repr(key)}
}

// character is an index or a slice of a text.
func (r *run) character(s string, key value) (string, bool) {
	if key, ok := key.(sliceKey); ok {
		r.grow(4 * len(s))
		letters := []rune(s)
		var out []rune
		r.slice(len(letters), key, func(i int) { out = append(out, letters[i]) })
		return string(out), true
	}
	i, ok := integer(key)
	if !ok {
		return "", false
	}
	n := int64(r.runes(s))
	if i < 0 {
		i += n
	}
	if i < 0 || i >= n {
		return "", false
	}
	for _, c := range s {
		if i == 0 {
			return string(c), true
		}
		i--
	}
	return "", false
}

func (r *run) sliceOf(v *sequence, key sliceKey) *sequence {
	out := &sequence{kind: v.kind}
	r.grow(16 * len(v.items))
	r.slice(len(v.items), key, func(i int) { out.items = append(out.items, v.items[i]) })
	if v.kind == rangeKind {
		out.kind = listKind // How a slice of a range prints is not reproduced; it iterates alike.
	}
	return out
}

// slice visits the indices of a slice of n elements by Python's rules.
func (r *run) slice(n int, key sliceKey, visit func(i int)) {
	bound := func(i int, otherwise int64) int64 {
		if key.bounds[i] == nil {
			return otherwise
		}
		if u, ok := key.bounds[i].(undefined); ok {
			fail("UndefinedError: %s", u.message)
		}
		b, ok := integer(key.bounds[i])
		if !ok {
			fail("TypeError: slice indices must be integers or None")
		}
		return b
	}
	step := bound(2, 1)
	if step == 0 {
		fail("ValueError: slice step cannot be zero")
	}
	size := int64(n)
	low, high := int64(0), size
	if step < 0 {
		low, high = -1, size-1
	}
	clamp := func(b int64) int64 {
		if b < 0 {
			b += size
		}
		return max(low, min(high, b))
	}
	from, to := low, high
	if step < 0 {
		from, to = high, low
	}
	if key.bounds[0] != nil {
		from = clamp(bound(0, 0))
	}
	if key.bounds[1] != nil {
		to = clamp(bound(1, 0))
	}
	for i := from; step > 0 && i < to || step < 0 && i > to; i += step {
		visit(int(i))
		if step > size || step < -size {
			return
		}
	}
}
