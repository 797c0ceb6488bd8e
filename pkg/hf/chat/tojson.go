package chat

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/ardanlabs/jinja"
)

// tojson is json.dumps with ensure_ascii=False, as transformers has it: keys in their order, ", " and ": " between.
func tojson(args []jinja.Value, named map[string]jinja.Value) (jinja.Value, error) {
	w := jsonWriter{item: ", ", key: ": ", indent: -1}
	if len(args) != 1 {
		return jinja.None(), fmt.Errorf("tojson: found arguments without a name, expected indent= or separators=")
	}
	for name, v := range named {
		switch {
		case name == "indent" && v.IsNone(), name == "ensure_ascii" && v.IsBool() && !v.AsBool():
		case name == "indent" && v.IsInt() && v.AsInt() >= 0 && v.AsInt() <= 16:
			w.indent = int(v.AsInt())
		case name == "sort_keys" && v.IsBool():
			w.sorted = v.AsBool()
		case name == "separators" && v.IsList() && v.AsList().Len() == 2 && v.AsList().Get(0).IsString() && v.AsList().Get(1).IsString():
			w.item, w.key = v.AsList().Get(0).AsString(), v.AsList().Get(1).AsString()
		default:
			return jinja.None(), fmt.Errorf("tojson: %s=%s is not supported", name, v.String())
		}
	}
	if _, given := named["separators"]; w.indent >= 0 && !given {
		w.item = "," // json.dumps has no space before a line's end.
	}
	if err := w.value(args[0], 0); err != nil {
		return jinja.None(), err
	}
	return jinja.NewString(w.out.String()), nil
}

type jsonWriter struct {
	out       strings.Builder
	item, key string
	indent    int // spaces a level; -1 is all on one line
	sorted    bool
}

func (w *jsonWriter) value(v jinja.Value, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("tojson: nested deeper than %d", maxDepth)
	}
	switch {
	case v.IsNone():
		w.out.WriteString("null")
	case v.IsBool():
		w.out.WriteString(strconv.FormatBool(v.AsBool()))
	case v.IsInt():
		w.out.WriteString(strconv.FormatInt(v.AsInt(), 10))
	case v.IsFloat():
		w.out.WriteString(floatText(v.AsFloat()))
	case v.IsString():
		w.text(v.AsString())
	case v.IsList():
		return w.list(v.AsList(), depth)
	case v.IsDict():
		return w.dict(v.AsDict(), depth)
	default:
		return fmt.Errorf("tojson: found an undefined value or a function")
	}
	return nil
}

func (w *jsonWriter) list(l *jinja.List, depth int) error {
	w.out.WriteByte('[')
	for i := range l.Len() {
		w.separate(i, depth+1)
		if err := w.value(l.Get(i), depth+1); err != nil {
			return err
		}
	}
	w.end(l.Len(), depth)
	w.out.WriteByte(']')
	return nil
}

func (w *jsonWriter) dict(d *jinja.Dict, depth int) error {
	keys := d.OrderedKeys()
	if w.sorted {
		keys = slices.Sorted(slices.Values(keys))
	}
	w.out.WriteByte('{')
	for i, key := range keys {
		w.separate(i, depth+1)
		w.text(key)
		w.out.WriteString(w.key)
		member, _ := d.Get(key)
		if err := w.value(member, depth+1); err != nil {
			return err
		}
	}
	w.end(len(keys), depth)
	w.out.WriteByte('}')
	return nil
}

func (w *jsonWriter) separate(i, depth int) {
	if i > 0 {
		w.out.WriteString(w.item)
	}
	w.newline(depth)
}

func (w *jsonWriter) end(items, depth int) {
	if items > 0 {
		w.newline(depth)
	}
}

func (w *jsonWriter) newline(depth int) {
	if w.indent >= 0 {
		w.out.WriteString("\n" + strings.Repeat(" ", w.indent*depth))
	}
}

// text writes what json.dumps escapes and no more: Go's encoder would also escape < > & and line separators.
func (w *jsonWriter) text(s string) {
	w.out.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			w.out.WriteByte('\\')
			w.out.WriteRune(r)
		case r == '\n':
			w.out.WriteString(`\n`)
		case r == '\r':
			w.out.WriteString(`\r`)
		case r == '\t':
			w.out.WriteString(`\t`)
		case r == '\b':
			w.out.WriteString(`\b`)
		case r == '\f':
			w.out.WriteString(`\f`)
		case r < ' ':
			fmt.Fprintf(&w.out, `\u%04x`, r)
		default:
			w.out.WriteRune(r)
		}
	}
	w.out.WriteByte('"')
}

// floatText is repr() of a Python float: the shortest digits that read back, in exponents from 1e16 up and below 1e-4.
func floatText(f float64) string {
	switch size := math.Abs(f); {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 0):
		return strings.TrimPrefix(strconv.FormatFloat(f, 'g', -1, 64), "+") + "inity"
	case size != 0 && (size < 1e-4 || size >= 1e16):
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}
