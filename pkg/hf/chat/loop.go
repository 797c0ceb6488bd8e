package chat

type forNode struct {
	target          target
	items, test     expression // test: nil or what an item must fulfil
	body, otherwise []statement
	recursive       bool
	line            int
}

func (n *forNode) exec(r *run, s *scope) flow {
	r.line = n.line
	n.loop(r, s, r.iterate(r.eval(n.items, s)), 0)
	return ended
}

// loop runs the body for each item; depth counts recursive loops.
func (n *forNode) loop(r *run, s *scope, items []value, depth int) {
	r.enter()
	defer r.leave()
	l := &loop{node: n, scope: s, items: items, index0: -1, depth0: depth}
	completed := false
	for l.next(r) {
		r.step()
		inner := r.inner(s)
		inner.set("loop", l)
		r.assign(n.target, l.current, inner)
		switch r.exec(n.body, inner) {
		case broken:
			l.items, l.peeked = nil, false
		case ended:
			completed = true
		}
	}
	// As in Jinja2 else also follows a loop whose every turn ended by break or continue.
	if !completed {
		r.exec(n.otherwise, r.inner(s))
	}
}

// loop is the variable loop in a body. As in Jinja2 an item is tested when the loop comes to it.
type loop struct {
	node              *forNode
	scope             *scope
	items             []value // not yet looked at
	index0            int
	depth0            int
	current, previous value
	ahead             value // the item after the current one
	peeked            bool
	total             int // 0: not known
	last              *sequence
}

// take returns the next item that fulfils the loop's test.
func (l *loop) take(r *run) (value, bool) {
	for len(l.items) > 0 {
		item := l.items[0]
		l.items = l.items[1:]
		if l.node.test == nil {
			return item, true
		}
		inner := r.inner(l.scope)
		r.assign(l.node.target, item, inner)
		if truth(r.eval(l.node.test, inner)) {
			return item, true
		}
	}
	return nil, false
}

func (l *loop) next(r *run) bool {
	item, ok := l.peek(r)
	if !ok {
		return false
	}
	l.peeked, l.ahead = false, nil
	l.index0++
	l.previous, l.current = l.current, item
	return true
}

func (l *loop) peek(r *run) (value, bool) {
	if !l.peeked {
		item, ok := l.take(r)
		if !ok {
			return nil, false
		}
		l.ahead, l.peeked = item, true
	}
	return l.ahead, true
}

func (l *loop) length(r *run) int {
	if l.total == 0 {
		rest := 0
		if l.peeked {
			rest = 1
		}
		if l.node.test == nil {
			rest += len(l.items)
		} else {
			var kept []value
			for item, ok := l.take(r); ok; item, ok = l.take(r) {
				r.grow(16)
				kept = append(kept, item)
			}
			rest += len(kept)
			l.items, l.node = kept, &forNode{target: l.node.target, body: l.node.body, recursive: l.node.recursive}
		}
		l.total = l.index0 + 1 + rest
	}
	return l.total
}

func (l *loop) attribute(r *run, name string) (value, bool) {
	switch name {
	case "index":
		return int64(l.index0 + 1), true
	case "index0":
		return int64(l.index0), true
	case "first":
		return l.index0 == 0, true
	case "last":
		_, more := l.peek(r)
		return !more, true
	case "length":
		return int64(l.length(r)), true
	case "revindex":
		return int64(l.length(r) - l.index0), true
	case "revindex0":
		return int64(l.length(r) - l.index0 - 1), true
	case "depth":
		return int64(l.depth0 + 1), true
	case "depth0":
		return int64(l.depth0), true
	case "previtem":
		if l.index0 == 0 {
			return undefined{"there is no previous item"}, true
		}
		return l.previous, true
	case "nextitem":
		item, more := l.peek(r)
		if !more {
			return undefined{"there is no next item"}, true
		}
		return item, true
	case "cycle":
		return &function{"cycle", func(_ *run, a arguments) value {
			if len(a.positional) == 0 || len(a.named) > 0 {
				fail("TypeError: no items for cycling given")
			}
			return a.positional[l.index0%len(a.positional)]
		}}, true
	case "changed":
		return &function{"changed", func(r *run, a arguments) value {
			now := newTuple(a.positional...)
			if l.last != nil && r.equal(l.last, now) {
				return false
			}
			l.last = now
			return true
		}}, true
	}
	return nil, false
}
