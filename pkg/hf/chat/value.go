package chat

import (
	"fmt"
	"math"
	"strings"
)

// value is what an expression has. Its Go types stand for Python's:
//
//	nil None, bool, int64 int, float64 float, string str, markup Markup, *sequence list, tuple, range, dict view or generator,
//	*dict dict, *namespace, *function, *macro, *loop, undefined, selfReference
type value = any

// undefined is a name, attribute or element that does not exist. It prints as nothing, is false and iterates over nothing; anything else
// is an error with its message.
type undefined struct{ message string }

// markup is a string that an operator with another string escapes: the result of the filters e and safe.
type markup string

// selfReference is the name self, which a chat template has no use for.
type selfReference struct{}

type sequenceKind byte

const (
	listKind sequenceKind = iota
	tupleKind
	rangeKind
	keysKind
	valuesKind
	itemsKind
	generatorKind // can be gone through once
)

var sequenceNames = [...]string{"list", "tuple", "range", "dict_keys", "dict_values", "dict_items", "generator"}

type sequence struct {
	items []value
	kind  sequenceKind
	label string // of a range: how Python prints it
}

func newList(items []value) *sequence   { return &sequence{items: items} }
func newTuple(items ...value) *sequence { return &sequence{items: items, kind: tupleKind} }

// dict keeps the order of its keys.
type dict struct {
	keys, values []value
	index        map[any]int
}

func newDict() *dict { return &dict{index: map[any]int{}} }

// hashKey is the Go key under which Python finds a key; 1, 1.0 and True are one.
func hashKey(key value) (any, bool) {
	switch k := key.(type) {
	case bool:
		if k {
			return int64(1), true
		}
		return int64(0), true
	case float64:
		if k == math.Trunc(k) && math.Abs(k) < 1<<62 {
			return int64(k), true
		}
		return k, true
	case markup:
		return string(k), true
	case undefined:
		return undefined{}, true // All are equal.
	case nil, int64, string, *function, *macro, *namespace:
		return key, true
	case *sequence:
		if k.kind == rangeKind {
			return [2]string{k.label}, true
		}
		if k.kind != tupleKind || len(k.items) > 16 {
			return nil, false
		}
		var b strings.Builder
		for _, item := range k.items {
			part, ok := hashKey(item)
			if !ok {
				return nil, false
			}
			fmt.Fprintf(&b, "%T %v\x00", part, part)
		}
		return [1]string{b.String()}, true
	}
	return nil, false
}

func (d *dict) get(key value) (value, bool) {
	hash, ok := hashKey(key)
	if !ok {
		return nil, false
	}
	i, ok := d.index[hash]
	if !ok {
		return nil, false
	}
	return d.values[i], true
}

func (d *dict) set(key, v value) {
	hash, ok := hashKey(key)
	if !ok {
		fail("TypeError: unhashable type: '%s'", typeName(key))
	}
	if i, ok := d.index[hash]; ok {
		d.values[i] = v
		return
	}
	d.index[hash] = len(d.keys)
	d.keys, d.values = append(d.keys, key), append(d.values, v)
}

func (d *dict) items() []value {
	items := make([]value, len(d.keys))
	for i, key := range d.keys {
		items[i] = newTuple(key, d.values[i])
	}
	return items
}

// namespace is an object whose attributes a template may set.
type namespace struct{ attributes *dict }

// function is a builtin or a bound method.
type function struct {
	name string
	call func(r *run, a arguments) value
}

// arguments of a call.
type arguments struct {
	positional []value
	names      []string // of named
	named      []value
}

// missing marks a parameter that was not given.
type missing struct{}

// bind gives arguments to parameters, of which the first required ones must be there; one that is not given is missing.
func (a arguments) bind(what string, required int, parameters ...string) []value {
	if len(a.positional) > len(parameters) {
		fail("TypeError: %s takes at most %d arguments, %d were given", what, len(parameters), len(a.positional))
	}
	bound := make([]value, len(parameters))
	for i := range bound {
		bound[i] = missing{}
	}
	copy(bound, a.positional)
next:
	for i, name := range a.names {
		for k, parameter := range parameters {
			if parameter == name {
				if bound[k] != (missing{}) {
					fail("TypeError: %s got multiple values for argument '%s'", what, name)
				}
				bound[k] = a.named[i]
				continue next
			}
		}
		fail("TypeError: %s got an unexpected keyword argument '%s'", what, name)
	}
	for i := range required {
		if bound[i] == (missing{}) {
			fail("TypeError: %s is missing the argument '%s'", what, parameters[i])
		}
	}
	return bound
}

// given returns a bound argument or its default.
func given(v, otherwise value) value {
	if v == (missing{}) {
		return otherwise
	}
	return v
}

// typeName is the name Python has for a value's type.
func typeName(v value) string {
	switch v := v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case markup:
		return "Markup"
	case undefined:
		return "Undefined"
	case *sequence:
		return sequenceNames[v.kind]
	case *dict:
		return "dict"
	case *namespace:
		return "Namespace"
	case *macro:
		return "Macro"
	case *loop:
		return "LoopContext"
	case *function:
		return "function"
	}
	return "object"
}

// text returns the string of a str or Markup.
func text(v value) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case markup:
		return string(v), true
	}
	return "", false
}

// integer returns a bool or int as an int.
func integer(v value) (int64, bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case int64:
		return v, true
	}
	return 0, false
}

// number returns a bool, int or float as a float.
func number(v value) (float64, bool) {
	if f, ok := v.(float64); ok {
		return f, true
	}
	i, ok := integer(v)
	return float64(i), ok
}

// truth is bool(v).
func truth(v value) bool {
	switch v := v.(type) {
	case nil, undefined:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case markup:
		return v != ""
	case *sequence:
		return v.kind == generatorKind || len(v.items) > 0
	case *dict:
		return len(v.keys) > 0
	}
	return true
}

// iterate returns the items that a for loop sees.
func (r *run) iterate(v value) []value {
	switch v := v.(type) {
	case undefined:
		return nil
	case *sequence:
		items := v.items
		if v.kind == generatorKind {
			v.items = nil
		}
		return items
	case *dict:
		return v.keys
	case *loop:
		fail("TypeError: iterating over loop is not supported")
	}
	if s, ok := text(v); ok {
		r.grow(16 * len(s))
		items := make([]value, 0, len(s))
		for _, c := range s {
			items = append(items, string(c))
		}
		return items
	}
	fail("TypeError: '%s' object is not iterable", typeName(v))
	return nil
}

// length is len(v).
func (r *run) length(v value) int {
	switch v := v.(type) {
	case undefined:
		return 0
	case string:
		return r.runes(v)
	case markup:
		return r.runes(string(v))
	case *dict:
		return len(v.keys)
	case *loop:
		return v.length(r)
	case *sequence:
		if v.kind != generatorKind {
			return len(v.items)
		}
	}
	fail("TypeError: object of type '%s' has no len()", typeName(v))
	return 0
}

// equal is ==.
func (r *run) equal(a, b value) bool {
	r.step()
	r.enter()
	defer r.leave()
	if x, ok := number(a); ok {
		y, ok := number(b)
		if i, oki := integer(a); oki {
			if j, okj := integer(b); okj {
				return i == j
			}
		}
		return ok && x == y
	}
	if s, ok := text(a); ok {
		t, ok := text(b)
		return ok && s == t
	}
	switch a := a.(type) {
	case nil:
		return b == nil
	case undefined:
		_, ok := b.(undefined)
		return ok
	case *sequence:
		b, ok := b.(*sequence)
		if !ok || a.kind != b.kind || a.kind >= keysKind {
			return ok && a == b
		}
		if len(a.items) != len(b.items) {
			return false
		}
		for i := range a.items {
			if !r.equal(a.items[i], b.items[i]) {
				return false
			}
		}
		return true
	case *dict:
		b, ok := b.(*dict)
		if !ok || len(a.keys) != len(b.keys) {
			return false
		}
		for i, key := range a.keys {
			other, ok := b.get(key)
			if !ok || !r.equal(a.values[i], other) {
				return false
			}
		}
		return true
	}
	return a == b
}

// order is a negative number, 0 or a positive one as a is less than, equal to or greater than b.
func (r *run) order(a, b value, operator string) int {
	r.step()
	r.enter()
	defer r.leave()
	for _, v := range []value{a, b} {
		if u, ok := v.(undefined); ok {
			fail("UndefinedError: %s", u.message)
		}
	}
	if x, ok := number(a); ok {
		if y, ok := number(b); ok {
			i, oki := integer(a)
			j, okj := integer(b)
			switch {
			case oki && okj:
				return compare(i, j)
			case math.IsNaN(x) || math.IsNaN(y):
				fail("comparing NaN is not supported")
			}
			return compare(x, y)
		}
	}
	if s, ok := text(a); ok {
		if t, ok := text(b); ok {
			return strings.Compare(s, t)
		}
	}
	x, okx := a.(*sequence)
	y, oky := b.(*sequence)
	if okx && oky && x.kind == y.kind && x.kind <= tupleKind {
		for i := range min(len(x.items), len(y.items)) {
			if !r.equal(x.items[i], y.items[i]) {
				return r.order(x.items[i], y.items[i], operator)
			}
		}
		return compare(int64(len(x.items)), int64(len(y.items)))
	}
	fail("TypeError: '%s' not supported between instances of '%s' and '%s'", operator, typeName(a), typeName(b))
	return 0
}

func compare[T int64 | float64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// contains is v in container.
func (r *run) contains(container, v value) bool {
	if s, ok := text(container); ok {
		t, ok := text(v)
		if !ok {
			if u, ok := v.(undefined); ok {
				fail("TypeError: 'in <string>' requires string as left operand, not Undefined (%s)", u.message)
			}
			fail("TypeError: 'in <string>' requires string as left operand, not %s", typeName(v))
		}
		r.charge(len(s))
		return strings.Contains(s, t)
	}
	if d, ok := container.(*dict); ok {
		if _, hashable := hashKey(v); !hashable {
			fail("TypeError: unhashable type: '%s'", typeName(v))
		}
		_, found := d.get(v)
		return found
	}
	for _, item := range r.iterate(container) {
		if r.equal(item, v) {
			return true
		}
	}
	return false
}
