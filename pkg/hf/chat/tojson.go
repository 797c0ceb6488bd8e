package chat

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// toJSON is json.dumps with ensure_ascii=False, as transformers has it: keys in their order, ", " and ": " between.
func toJSON(r *run, v value, a arguments) value {
	b := a.bind("tojson", 0, "ensure_ascii", "indent", "separators", "sort_keys")
	w := jsonWriter{run: r, item: ", ", key: ": ", ascii: truth(given(b[0], false)), sorted: truth(given(b[3], false))}
	switch indent := given(b[1], nil).(type) {
	case nil:
	case string:
		w.indent, w.lines = indent, true
	default:
		width := whole(indent, "tojson")
		r.growTimes(width, 1)
		w.indent, w.lines = strings.Repeat(" ", int(max(width, 0))), true
	}
	if w.lines {
		w.item = "," // json.dumps has no space before a line's end.
	}
	if separators := given(b[2], nil); separators != nil {
		pair := r.iterate(separators)
		if len(pair) != 2 {
			fail("ValueError: tojson: expected two separators")
		}
		w.item, w.key = argument(pair[0], "tojson"), argument(pair[1], "tojson")
	}
	w.value(v, 0)
	return w.out.String()
}

type jsonWriter struct {
	*run
	out       strings.Builder
	item, key string
	indent    string // of each level
	lines     bool   // each item on a line of its own
	sorted    bool
	ascii     bool
}

func (w *jsonWriter) value(v value, depth int) {
	w.step()
	w.enter()
	defer w.leave()
	switch v := v.(type) {
	case nil:
		w.write("null")
	case bool:
		w.write(strconv.FormatBool(v))
	case int64:
		w.write(strconv.FormatInt(v, 10))
	case float64:
		w.write(jsonFloat(v))
	case string:
		w.text(v)
	case markup:
		w.text(string(v))
	case *sequence:
		if v.kind > tupleKind {
			fail("TypeError: Object of type %s is not JSON serializable", typeName(v))
		}
		w.group('[', ']', len(v.items), depth, func(i int) { w.value(v.items[i], depth+1) })
	case *dict:
		w.dict(v, depth)
	default:
		fail("TypeError: Object of type %s is not JSON serializable", typeName(v))
	}
}

func (w *jsonWriter) write(s string) {
	w.growText(len(s))
	w.out.WriteString(s)
}

// jsonFloat is repr of a float but for the numbers that JSON does not have.
func jsonFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return floatText(f)
}

func (w *jsonWriter) dict(d *dict, depth int) {
	order := make([]int, len(d.keys))
	w.grow(24 * len(d.keys))
	for i := range order {
		order[i] = i
	}
	if w.sorted {
		slices.SortStableFunc(order, func(i, j int) int { return w.order(d.keys[i], d.keys[j], "<") })
	}
	w.group('{', '}', len(order), depth, func(i int) {
		switch key := d.keys[order[i]].(type) {
		case string:
			w.text(key)
		case nil:
			w.text("null")
		case bool:
			w.text(strconv.FormatBool(key))
		case int64:
			w.text(strconv.FormatInt(key, 10))
		case float64:
			w.text(jsonFloat(key))
		default:
			fail("TypeError: keys must be str, int, float, bool or None, not %s", typeName(key))
		}
		w.write(w.key)
		w.value(d.values[order[i]], depth+1)
	})
}

// group writes items between brackets.
func (w *jsonWriter) group(opening, closing byte, n, depth int, item func(i int)) {
	w.out.WriteByte(opening)
	for i := range n {
		if i > 0 {
			w.write(w.item)
		}
		w.newline(depth + 1)
		item(i)
	}
	if n > 0 {
		w.newline(depth)
	}
	w.out.WriteByte(closing)
}

func (w *jsonWriter) newline(depth int) {
	if w.lines {
		w.growTimes(int64(depth), len(w.indent))
		w.write("\n")
		w.out.WriteString(strings.Repeat(w.indent, depth))
	}
}

// text writes what json.dumps escapes and no more: Go's encoder would also escape < > & and line separators.
func (w *jsonWriter) text(s string) {
	w.growText(2*len(s) + 2)
	w.out.Grow(len(s) + 2)
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
		case w.ascii && r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&w.out, `\u%04x\u%04x`, high, low)
		case w.ascii && r >= 0x7f:
			fmt.Fprintf(&w.out, `\u%04x`, r)
		default:
			w.out.WriteRune(r)
		}
	}
	w.out.WriteByte('"')
}
