package chat

// macro is a macro with the scope it was defined in.
type macro struct {
	node  *macroNode
	scope *scope
}

type macroNode struct {
	name                                string
	parameters                          []string
	defaults                            []expression // of the last parameters
	body                                []statement
	usesCaller, usesVarargs, usesKwargs bool
	line                                int
}

func (n *macroNode) exec(r *run, s *scope) flow {
	r.grow(64)
	s.set(n.name, &macro{n, s})
	return ended
}

func (m *macro) call(r *run, a arguments) value {
	r.enter()
	defer r.leave()
	n := m.node
	s := r.inner(m.scope)
	takesCaller := n.usesCaller
	bound := make([]value, len(n.parameters))
	for i, name := range n.parameters {
		bound[i] = missing{}
		takesCaller = takesCaller && name != "caller"
	}
	taken := copy(bound, a.positional)
	kwargs := newDict()
	caller := value(undefined{"No caller defined"})
next:
	for k, name := range a.names {
		for i := taken; i < len(n.parameters); i++ {
			if n.parameters[i] == name {
				bound[i] = a.named[k]
				continue next
			}
		}
		if name == "caller" && takesCaller {
			caller = a.named[k]
			continue
		}
		if !n.usesKwargs {
			fail("TypeError: macro '%s' takes no keyword argument '%s'", n.name, name)
		}
		kwargs.set(name, a.named[k])
	}
	if len(a.positional) > len(n.parameters) && !n.usesVarargs {
		fail("TypeError: macro '%s' takes not more than %d argument(s)", n.name, len(n.parameters))
	}
	if takesCaller {
		s.set("caller", caller)
	}
	if n.usesKwargs {
		s.set("kwargs", kwargs)
	}
	if n.usesVarargs {
		s.set("varargs", newTuple(a.positional[taken:]...))
	}
	first := len(n.parameters) - len(n.defaults)
	for i, name := range n.parameters {
		v := bound[i]
		switch {
		case v != (missing{}):
		case i >= first:
			v = r.eval(n.defaults[i-first], s)
		default:
			v = undefined{"parameter '" + name + "' was not provided"}
		}
		s.set(name, v)
	}
	return r.capture(n.body, s)
}

type callBlockNode struct {
	call  *callNode
	macro *macroNode
	line  int
}

func (n *callBlockNode) exec(r *run, s *scope) flow {
	r.line = n.line
	f := r.eval(n.call.function, s)
	a := n.call.arguments.eval(r, s)
	a.names, a.named = append(a.names, "caller"), append(a.named, &macro{n.macro, s})
	r.write(r.str(r.call(f, a)))
	return ended
}
