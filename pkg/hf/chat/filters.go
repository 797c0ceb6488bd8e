package chat

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// filters by name; what is not here is refused by name when a template is read. pprint, random, urlize, urlencode, wordwrap, xmlattr,
// striptags and filesizeformat are left out: no chat template has a use for them.
var filters map[string]func(r *run, v value, a arguments) value

func init() { // map, select and reject call other filters and tests.
	filters = map[string]func(r *run, v value, a arguments) value{
		"abs": func(r *run, v value, a arguments) value {
			a.bind("abs", 0)
			if i, ok := integer(v); ok {
				return max(i, -i)
			}
			f, ok := v.(float64)
			if !ok {
				fail("TypeError: bad operand type for abs(): '%s'", typeName(v))
			}
			return math.Abs(f)
		},
		"attr": func(r *run, v value, a arguments) value {
			name := argument(a.bind("attr", 1, "name")[0], "attr")
			if u, ok := v.(undefined); ok {
				fail("UndefinedError: %s", u.message)
			}
			if m, ok := r.member(v, name); ok {
				return m
			}
			return undefined{"'" + objectName(v) + "' has no attribute '" + name + "'"}
		},
		"batch":      batch,
		"capitalize": onText(capitalize),
		"center": func(r *run, v value, a arguments) value {
			width := given(a.bind("center", 0, "width")[0], int64(80))
			return safeAs(v, r.justified(r.str(v), arguments{positional: []value{width}}, 1, 2))
		},
		"count": lengthFilter, "length": lengthFilter,
		"d": defaultFilter, "default": defaultFilter,
		"dictsort": dictSort,
		"e":        escapeFilter, "escape": escapeFilter,
		"forceescape": func(r *run, v value, a arguments) value { return markup(r.escape(r.str(v))) },
		"first": func(r *run, v value, a arguments) value {
			a.bind("first", 0)
			if items := r.iterate(v); len(items) > 0 {
				return items[0]
			}
			return undefined{"No first item, sequence was empty."}
		},
		"float": func(r *run, v value, a arguments) value {
			otherwise := given(a.bind("float", 0, "default")[0], 0.0)
			if f, ok := toFloat(v); ok {
				return f
			}
			return otherwise
		},
		"format": func(r *run, v value, a arguments) value {
			if len(a.names) > 0 {
				if len(a.positional) > 0 {
					fail("format: positional and named arguments at the same time")
				}
				d := newDict()
				for i, name := range a.names {
					d.set(name, a.named[i])
				}
				return r.format(r.str(v), d)
			}
			return r.format(r.str(v), newTuple(a.positional...))
		},
		"groupby": groupBy,
		"indent":  indent,
		"int":     toInt,
		"items": func(r *run, v value, a arguments) value {
			a.bind("items", 0)
			if _, ok := v.(undefined); ok {
				return &sequence{kind: generatorKind}
			}
			d, ok := v.(*dict)
			if !ok {
				fail("TypeError: Can only get item pairs from a mapping.")
			}
			r.grow(64 * len(d.keys))
			return &sequence{items: d.items(), kind: generatorKind}
		},
		"join": func(r *run, v value, a arguments) value {
			b := a.bind("join", 0, "d", "attribute")
			items := r.iterate(v)
			get := r.getter(given(b[1], nil), nil)
			separator := r.str(given(b[0], ""))
			parts := make([]string, len(items))
			size := 16 * len(items)
			for i, item := range items {
				parts[i] = r.str(get(item))
				size += len(parts[i]) + len(separator)
			}
			r.grow(size)
			return strings.Join(parts, separator)
		},
		"last": func(r *run, v value, a arguments) value {
			a.bind("last", 0)
			if s, ok := v.(*sequence); ok && s.kind == generatorKind {
				fail("TypeError: 'generator' object is not reversible")
			}
			if items := r.iterate(v); len(items) > 0 {
				return items[len(items)-1]
			}
			return undefined{"No last item, sequence was empty."}
		},
		"list": func(r *run, v value, a arguments) value {
			a.bind("list", 0)
			items := r.iterate(v)
			r.grow(16 * len(items))
			return newList(slices.Clone(items))
		},
		"lower":  onText(lower),
		"map":    mapFilter,
		"max":    extreme(1),
		"min":    extreme(-1),
		"reject": selecting(false, false), "rejectattr": selecting(false, true),
		"select": selecting(true, false), "selectattr": selecting(true, true),
		"replace": func(r *run, v value, a arguments) value {
			b := a.bind("replace", 2, "old", "new", "count")
			limit := given(b[2], nil)
			if limit == nil {
				limit = int64(-1)
			}
			return r.replace(r.str(v), r.str(b[0]), r.str(b[1]), whole(limit, "replace"))
		},
		"reverse": func(r *run, v value, a arguments) value {
			a.bind("reverse", 0)
			if s, ok := text(v); ok {
				r.grow(4 * len(s))
				letters := []rune(s)
				slices.Reverse(letters)
				return safeAs(v, string(letters))
			}
			items := slices.Clone(r.iterate(v))
			r.grow(16 * len(items))
			slices.Reverse(items)
			return &sequence{items: items, kind: generatorKind}
		},
		"round": round,
		"safe":  func(r *run, v value, a arguments) value { return markup(r.str(v)) },
		"slice": slice,
		"sort": func(r *run, v value, a arguments) value {
			b := a.bind("sort", 0, "reverse", "case_sensitive", "attribute")
			return newList(r.sorted(r.iterate(v), r.multiGetter(given(b[2], nil), !truth(given(b[1], false))), truth(given(b[0], false))))
		},
		"string": func(r *run, v value, a arguments) value {
			if m, ok := v.(markup); ok {
				return m
			}
			return r.str(v)
		},
		"sum": func(r *run, v value, a arguments) value {
			b := a.bind("sum", 0, "attribute", "start")
			get := r.getter(given(b[0], nil), nil)
			total := given(b[1], int64(0))
			if _, ok := text(total); ok {
				fail("TypeError: sum() can't sum strings")
			}
			for _, item := range r.iterate(v) {
				r.step()
				total = r.binary("+", total, get(item))
			}
			return total
		},
		"title":  onText(titleFilter),
		"tojson": toJSON,
		"trim": func(r *run, v value, a arguments) value {
			s := r.str(v)
			r.charge(len(s))
			if chars := given(a.bind("trim", 0, "chars")[0], nil); chars != nil {
				s = strings.Trim(s, argument(chars, "trim"))
			} else {
				s = strings.Trim(s, pythonSpace)
			}
			return safeAs(v, s)
		},
		"truncate": truncate,
		"unique":   unique,
		"upper":    onText(upper),
		"wordcount": func(r *run, v value, a arguments) value {
			return int64(len(strings.FieldsFunc(r.str(v), func(c rune) bool { return !isWordRune(c) })))
		},
	}
}

// onText is a filter that changes a text and keeps its being safe.
func onText(change func(string) string) func(r *run, v value, a arguments) value {
	return func(r *run, v value, a arguments) value {
		a.bind("case", 0)
		s := r.str(v)
		r.grow(3 * len(s))
		return safeAs(v, change(s))
	}
}

// safeAs is a text as the value that it was made of has it: safe if that is.
func safeAs(v value, s string) value {
	if _, ok := v.(markup); ok {
		return markup(s)
	}
	return s
}

func lengthFilter(r *run, v value, a arguments) value {
	a.bind("length", 0)
	return int64(r.length(v))
}

func defaultFilter(r *run, v value, a arguments) value {
	b := a.bind("default", 0, "default_value", "boolean")
	if _, ok := v.(undefined); ok || truth(given(b[1], false)) && !truth(v) {
		return given(b[0], "")
	}
	return v
}

func escapeFilter(r *run, v value, a arguments) value {
	a.bind("escape", 0)
	if m, ok := v.(markup); ok {
		return m
	}
	return markup(r.escape(r.str(v)))
}

// getter returns the function for attribute= of a filter: a path of names and numbers with dots between; nil is the item itself.
func (r *run) getter(attribute, otherwise value) func(value) value {
	if attribute == nil {
		return func(v value) value { return v }
	}
	parts := []value{attribute}
	if path, ok := text(attribute); ok {
		parts = nil
		for _, part := range strings.Split(path, ".") {
			r.grow(16)
			if n, err := strconv.ParseInt(part, 10, 64); err == nil && n >= 0 {
				parts = append(parts, n)
			} else {
				parts = append(parts, part)
			}
		}
	}
	return func(v value) value {
		for _, part := range parts {
			r.step()
			v = r.item(v, part)
			if _, ok := v.(undefined); ok && otherwise != nil {
				v = otherwise
			}
		}
		return v
	}
}

// multiGetter is the key of sort: the attributes that commas separate, in lower case if folded.
func (r *run) multiGetter(attribute value, folded bool) func(value) value {
	var getters []func(value) value
	if path, ok := text(attribute); ok {
		for _, part := range strings.Split(path, ",") {
			getters = append(getters, r.getter(part, nil))
		}
	} else {
		getters = append(getters, r.getter(attribute, nil))
	}
	return func(v value) value {
		r.grow(16 * len(getters))
		key := newList(nil)
		for _, get := range getters {
			key.items = append(key.items, r.fold(get(v), folded))
		}
		return key
	}
}

func (r *run) fold(v value, folded bool) value {
	if s, ok := text(v); ok && folded {
		r.grow(3 * len(s))
		return lower(s)
	}
	return v
}

// sorted returns the items in the order of their keys, equal ones as they were.
func (r *run) sorted(items []value, key func(value) value, reverse bool) []value {
	r.grow(48 * len(items))
	type keyed struct{ item, key value }
	all := make([]keyed, len(items))
	for i, item := range items {
		r.step()
		all[i] = keyed{item, key(item)}
	}
	slices.SortStableFunc(all, func(a, b keyed) int {
		if reverse {
			return r.order(b.key, a.key, "<")
		}
		return r.order(a.key, b.key, "<")
	})
	out := make([]value, len(items))
	for i, k := range all {
		out[i] = k.item
	}
	return out
}

func dictSort(r *run, v value, a arguments) value {
	b := a.bind("dictsort", 0, "case_sensitive", "by", "reverse")
	d, ok := v.(*dict)
	if !ok {
		fail("TypeError: dictsort: expected a dict, found %s", typeName(v))
	}
	position := slices.Index([]value{"key", "value"}, given(b[1], "key"))
	if position < 0 {
		fail(`dictsort: You can only sort by either "key" or "value"`)
	}
	r.grow(64 * len(d.keys))
	folded := !truth(given(b[0], false))
	return newList(r.sorted(d.items(), func(v value) value { return r.fold(v.(*sequence).items[position], folded) }, truth(given(b[2], false))))
}

func groupBy(r *run, v value, a arguments) value {
	b := a.bind("groupby", 1, "attribute", "default", "case_sensitive")
	get := r.getter(b[0], given(b[1], nil))
	folded := !truth(given(b[2], false))
	key := func(v value) value { return r.fold(get(v), folded) }
	groups := newList(nil)
	var last value
	for i, item := range r.sorted(r.iterate(v), key, false) {
		k := key(item)
		if i == 0 || !r.equal(k, last) {
			r.grow(128)
			groups.items = append(groups.items, newTuple(get(item), newList(nil)))
			last = k
		}
		r.grow(16)
		members := groups.items[len(groups.items)-1].(*sequence).items[1].(*sequence)
		members.items = append(members.items, item)
	}
	return groups
}

func unique(r *run, v value, a arguments) value {
	b := a.bind("unique", 0, "case_sensitive", "attribute")
	get := r.getter(given(b[1], nil), nil)
	folded := !truth(given(b[0], false))
	seen := newDict()
	out := &sequence{kind: generatorKind}
	for _, item := range r.iterate(v) {
		r.step()
		r.grow(116)
		key := r.fold(get(item), folded)
		if _, ok := seen.get(key); !ok {
			seen.set(key, nil)
			out.items = append(out.items, item)
		}
	}
	return out
}

func extreme(sign int) func(r *run, v value, a arguments) value {
	return func(r *run, v value, a arguments) value {
		b := a.bind("max", 0, "case_sensitive", "attribute")
		get := r.getter(given(b[1], nil), nil)
		folded := !truth(given(b[0], false))
		items := r.iterate(v)
		if len(items) == 0 {
			return undefined{"No aggregated item, sequence was empty."}
		}
		best, key := items[0], r.fold(get(items[0]), folded)
		for _, item := range items[1:] {
			if k := r.fold(get(item), folded); sign*r.order(k, key, "<") > 0 {
				best, key = item, k
			}
		}
		return best
	}
}

func mapFilter(r *run, v value, a arguments) value {
	out := &sequence{kind: generatorKind}
	if !truth(v) {
		return out
	}
	apply := func(v value) value { return nil }
	if len(a.positional) == 0 && slices.Contains(a.names, "attribute") {
		b := a.bind("map", 0, "attribute", "default")
		apply = r.getter(b[0], given(b[1], nil))
	} else {
		if len(a.positional) == 0 {
			fail("map requires a filter argument")
		}
		name := argument(a.positional[0], "map")
		f, ok := filters[name]
		if !ok {
			r.unsupported("the filter %s", name)
		}
		rest := arguments{a.positional[1:], a.names, a.named}
		apply = func(v value) value { return f(r, v, rest) }
	}
	for _, item := range r.iterate(v) {
		r.step()
		r.grow(16)
		out.items = append(out.items, apply(item))
	}
	return out
}

// selecting is select, reject and their forms by attribute.
func selecting(keep, byAttribute bool) func(r *run, v value, a arguments) value {
	return func(r *run, v value, a arguments) value {
		out := &sequence{kind: generatorKind}
		if !truth(v) {
			return out
		}
		get := func(v value) value { return v }
		rest := a
		if byAttribute {
			if len(rest.positional) == 0 {
				fail("Missing parameter for attribute name")
			}
			get = r.getter(rest.positional[0], nil)
			rest.positional = rest.positional[1:]
		}
		fulfils := truth
		if len(rest.positional) > 0 {
			name := argument(rest.positional[0], "select")
			test, ok := tests[name]
			if !ok {
				r.unsupported("the test %s", name)
			}
			rest.positional = rest.positional[1:]
			fulfils = func(v value) bool { return truth(test(r, v, rest)) }
		}
		for _, item := range r.iterate(v) {
			r.step()
			if fulfils(get(item)) == keep {
				r.grow(16)
				out.items = append(out.items, item)
			}
		}
		return out
	}
}
