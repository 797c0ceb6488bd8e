package chat

import "strings"

// objectName is how jinja2 names an object in an error.
func objectName(v value) string {
	if v == nil {
		return "None"
	}
	return typeName(v) + " object"
}

func isDunder(name string) bool {
	return strings.HasPrefix(name, "__") && strings.HasSuffix(name, "__")
}

// hidden are methods that change a list or a dict: the sandbox hides them.
var hidden = map[string]map[string]bool{
	"dict": words("clear pop popitem setdefault update"),
	"list": words("append clear pop reverse insert sort extend remove"),
}

func words(s string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(s) {
		set[w] = true
	}
	return set
}

// member is an attribute of a value's type: a method mostly.
func (r *run) member(v value, name string) (value, bool) {
	kind := typeName(v)
	if isDunder(name) || hidden[kind][name] {
		return undefined{"access to attribute '" + name + "' of '" + kind + "' object is unsafe."}, true
	}
	switch v := v.(type) {
	case string, markup:
		s, _ := text(v)
		if method, ok := textMethods[name]; ok {
			return &function{name, func(r *run, a arguments) value {
				r.charge(len(s))
				if _, safe := v.(markup); safe && !keepsMarkup[name] {
					r.unsupported("the method %s of a text that is marked safe", name)
				} else if safe {
					return markup(method(r, s, a).(string))
				}
				return method(r, s, a)
			}}, true
		}
		if unsupportedTextMethods[name] {
			r.unsupported("the method %s", name)
		}
	case *dict:
		if method, ok := dictMethods[name]; ok {
			return &function{name, func(r *run, a arguments) value { return method(r, v, a) }}, true
		}
		if name == "fromkeys" {
			r.unsupported("the method fromkeys")
		}
	case *sequence:
		if v.kind <= rangeKind && (name == "index" || name == "count") || v.kind == listKind && name == "copy" {
			return &function{name, func(r *run, a arguments) value { return r.sequenceMethod(v, name, a) }}, true
		}
	case *namespace:
		return v.attributes.get(name)
	case *loop:
		return v.attribute(r, name)
	case *object:
		m, ok := v.members[name]
		return m, ok
	case *macro:
		if name == "name" {
			return v.node.name, true
		}
		if name == "arguments" || name == "catch_kwargs" || name == "catch_varargs" || name == "caller" {
			r.unsupported("the attribute %s of a macro", name)
		}
	case bool, int64, float64:
		if numberAttributes[name] {
			r.unsupported("the attribute %s of a number", name)
		}
	}
	return nil, false
}

var numberAttributes = words("real imag numerator denominator conjugate bit_length bit_count to_bytes from_bytes as_integer_ratio is_integer hex fromhex")

func (r *run) sequenceMethod(v *sequence, name string, a arguments) value {
	if name == "copy" {
		a.bind("copy", 0)
		r.grow(16 * len(v.items))
		return newList(append([]value(nil), v.items...))
	}
	wanted := a.bind(name, 1, "value")[0]
	n := int64(0)
	for i, item := range v.items {
		if r.equal(item, wanted) {
			if name == "index" {
				return int64(i)
			}
			n++
		}
	}
	if name == "index" {
		fail("ValueError: %s is not in list", r.repr(wanted))
	}
	return n
}

var dictMethods = map[string]func(r *run, d *dict, a arguments) value{
	"get": func(r *run, d *dict, a arguments) value {
		b := a.bind("get", 1, "key", "default")
		if v, ok := d.get(b[0]); ok {
			return v
		}
		return given(b[1], nil)
	},
	"items": func(r *run, d *dict, a arguments) value {
		a.bind("items", 0)
		r.grow(64 * len(d.keys))
		return &sequence{items: d.items(), kind: itemsKind}
	},
	"keys": func(r *run, d *dict, a arguments) value {
		a.bind("keys", 0)
		return &sequence{items: d.keys, kind: keysKind}
	},
	"values": func(r *run, d *dict, a arguments) value {
		a.bind("values", 0)
		return &sequence{items: d.values, kind: valuesKind}
	},
	"copy": func(r *run, d *dict, a arguments) value {
		a.bind("copy", 0)
		r.grow(100 * len(d.keys))
		out := newDict()
		for i, key := range d.keys {
			out.set(key, d.values[i])
		}
		return out
	},
}
