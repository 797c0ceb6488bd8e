package model

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// fields reads the values of config.json by name. A value may have several names, the present one first; the first that is there and not
// null counts. The first error is kept, so that a family's file reads without a check per line.
type fields struct {
	values map[string]json.RawMessage
	family family
	path   string // in front of names in messages: "rope_parameters." inside that object
	err    error
}

func newFields(data []byte) (*fields, error) {
	f := &fields{}
	if err := json.Unmarshal(data, &f.values); err != nil {
		return nil, fmt.Errorf("not a model configuration: %w", err)
	}
	return f, nil
}

// has reports whether a field is there with a value other than null.
func (f *fields) has(name string) bool {
	v, ok := f.values[name]
	return ok && !bytes.Equal(bytes.TrimSpace(v), []byte("null"))
}

// null reports whether a field is there and null.
func (f *fields) null(name string) bool {
	_, ok := f.values[name]
	return ok && !f.has(name)
}

// fail keeps the first error.
func (f *fields) fail(format string, args ...any) {
	if f.err == nil {
		f.err = fmt.Errorf(format, args...)
	}
}

// read decodes the first of the names that is there, into a value of T; without any it returns def.
func read[T any](f *fields, kind string, def T, names ...string) T {
	for _, name := range names {
		if !f.has(name) {
			continue
		}
		var v T
		if err := json.Unmarshal(f.values[name], &v); err != nil {
			f.fail("%s%s is %s, expected %s", f.path, name, shorten(f.values[name]), kind)
			return def
		}
		return v
	}
	return def
}

func (f *fields) integer(def int, names ...string) int {
	return read(f, "a whole number", def, names...)
}

func (f *fields) number(def float64, names ...string) float64 {
	return read(f, "a number", def, names...)
}

func (f *fields) boolean(def bool, names ...string) bool {
	return read(f, "true or false", def, names...)
}

func (f *fields) text(def string, names ...string) string { return read(f, "a string", def, names...) }

// object reads a field that is itself an object; nil where it is absent.
func (f *fields) object(name string) *fields {
	values := read[map[string]json.RawMessage](f, "an object", nil, name)
	if values == nil {
		return nil
	}
	return &fields{values: values, family: f.family, path: f.path + name + "."}
}

// shorten keeps an error message to one line.
func shorten(v []byte) string {
	if len(v) > 60 {
		return string(v[:60]) + "..."
	}
	return string(v)
}
