package model

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// defaults.json holds transformers' configuration classes as data: testdata/make_defaults.py writes it.
//
//go:embed defaults.json
var defaultsFile []byte

// class is transformers' configuration class of a family: its fields with their defaults, other names of them, and the rotary base where a file says none.
type class struct {
	Fields map[string]json.RawMessage `json:"fields"`
	Names  map[string]string          `json:"names"` // other name -> field
	Theta  struct{ Global, Local float64 }
}

var classes = func() map[string]*class {
	all := map[string]*class{}
	if err := json.Unmarshal(defaultsFile, &all); err != nil {
		panic(fmt.Sprintf("defaults.json: %v", err)) // a file of this package
	}
	return all
}()

// names are those under which a field may stand in a file, the one that counts first; none for a field that the class does not have, which transformers
// does not read either.
func (c *class) names(field string) []string {
	if c == nil {
		return []string{field}
	}
	own := field
	if other, ok := c.Names[field]; ok {
		own = other
	}
	var names []string
	for other, of := range c.Names { // these are set after the class's own names, and so over them
		if of == own {
			names = append(names, other)
		}
	}
	names = append(names, own)
	if c.fallback(names) == nil {
		return nil
	}
	return names
}

// fallback is the default of a field by its names; nil where the class has none of them.
func (c *class) fallback(names []string) json.RawMessage {
	for _, name := range names {
		if v, ok := c.Fields[name]; ok {
			return v
		}
	}
	return nil
}

// fields reads the values of config.json as a family's configuration class in transformers does: a field that the class has, under any of its names, and where
// it is absent the class's default. The first error is kept, so that a family's file reads without a check per line.
type fields struct {
	values map[string]json.RawMessage
	class  *class // nil: every field is read under its own name and has no default
	path   string // in front of names in messages: "rope_parameters." inside that object
	*reading
}

// reading is what all objects of a file share.
type reading struct {
	seen map[string]bool // fields of the file itself that were read
	err  error
}

func newFields(data []byte) (*fields, error) {
	f := &fields{reading: &reading{seen: map[string]bool{}}}
	if err := json.Unmarshal(data, &f.values); err != nil {
		return nil, fmt.Errorf("not a model configuration: %w", err)
	}
	return f, nil
}

// plain reads fields of the file whatever the class has: what transformers reads by another way than its classes' fields.
func (f *fields) plain() *fields {
	return &fields{values: f.values, path: f.path, reading: f.reading}
}

// lookup returns the value of a field, the class's default where the file has none, and nil where there is neither.
func (f *fields) lookup(field string) json.RawMessage {
	names := f.class.names(field)
	for _, name := range names {
		if v, ok := f.values[name]; ok {
			if f.path == "" {
				f.seen[name] = true
			}
			return v
		}
	}
	if f.class == nil {
		return nil
	}
	return f.class.fallback(names)
}

// has reports whether a field, or its default, is there and not null.
func (f *fields) has(name string) bool {
	v := f.lookup(name)
	return v != nil && !isNull(v)
}

func isNull(v json.RawMessage) bool { return bytes.Equal(bytes.TrimSpace(v), []byte("null")) }

// fail keeps the first error.
func (f *fields) fail(format string, args ...any) {
	if f.err == nil {
		f.err = fmt.Errorf(format, args...)
	}
}

// read decodes the first of the fields that is there and not null into a value of T; without any it returns def.
func read[T any](f *fields, kind string, def T, names ...string) T {
	for _, name := range names {
		raw := f.lookup(name)
		if raw == nil || isNull(raw) {
			continue
		}
		var v T
		if err := json.Unmarshal(raw, &v); err != nil {
			f.fail("%s%s is %s, expected %s", f.path, name, shorten(raw), kind)
			return def
		}
		return v
	}
	return def
}

// integer reads a whole number, also one that was written with a decimal point: 512.0 is 512.
func (f *fields) integer(def int, names ...string) int {
	x := read(f, "a whole number", float64(def), names...)
	if x != math.Trunc(x) || math.Abs(x) > 1<<53 {
		f.fail("%s%s is %v, expected a whole number", f.path, strings.Join(names, " or "), x)
		return def
	}
	return int(x)
}

func (f *fields) number(def float64, names ...string) float64 {
	return read(f, "a number", def, names...)
}

func (f *fields) boolean(def bool, names ...string) bool {
	return read(f, "true or false", def, names...)
}

func (f *fields) text(def string, names ...string) string { return read(f, "a string", def, names...) }

// object reads a field that is itself an object; nil where it is absent or, as Python reads it, empty.
func (f *fields) object(name string) *fields {
	values := read[map[string]json.RawMessage](f, "an object", nil, name)
	if len(values) == 0 {
		return nil
	}
	return &fields{values: values, path: f.path + name + ".", reading: f.reading}
}

// harmless are fields that no forward pass depends on: how a model is trained, initialised, or wrapped.
var harmless = []string{"dropout", "_pdrop", "layerdrop", "initializer_range", "init_std", "pad_token_id", "eod_token_id", "use_cache", "pretraining_tp", "router_aux_loss_coef",
	"router_jitter_noise", "output_router_logits", "summary_", "is_decoder", "reorder_and_upcast_attn", "max_window_layers", "vocab_size_per_layer_input"}

// refuseUnread is an error for the first field of the class that the file sets to something other than its default and that nobody has read: transformers computes
// with it, and this program does not.
func (f *fields) refuseUnread(modelType string) {
	for _, name := range slices.Sorted(maps.Keys(f.values)) {
		def := f.class.fallback(f.class.names(name))
		if def == nil || f.seen[name] || isNull(f.values[name]) || slices.ContainsFunc(harmless, func(h string) bool { return strings.Contains(name, h) }) {
			continue
		}
		if !sameJSON(f.values[name], def) {
			f.fail("%s is %s, which a %s computes with in transformers and is not computed here, expected %s", name, shorten(f.values[name]), modelType, shorten(def))
		}
	}
}

// sameJSON reports whether a field's value is that of its default; false is null, where null is the default.
func sameJSON(a, b json.RawMessage) bool {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	if x == false && y == nil {
		return true
	}
	p, err := json.Marshal(x)
	q, err2 := json.Marshal(y)
	return err == nil && err2 == nil && bytes.Equal(p, q)
}

// shorten keeps an error message to one line.
func shorten(v []byte) string {
	if len(v) > 60 {
		return string(v[:60]) + "..."
	}
	return string(v)
}
