package chat

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

func newBuilder() *strings.Builder { return new(strings.Builder) }

// str is str(v): what {{ }} prints.
func (r *run) str(v value) string {
	switch v := v.(type) {
	case string:
		return v
	case markup:
		return string(v)
	case undefined:
		return ""
	}
	return r.repr(v)
}

// repr is repr(v).
func (r *run) repr(v value) string {
	var b strings.Builder
	r.writeRepr(&b, v)
	return b.String()
}

func (r *run) writeRepr(b *strings.Builder, v value) {
	r.step()
	r.grow(8)
	r.enter()
	defer r.leave()
	switch v := v.(type) {
	case nil:
		b.WriteString("None")
	case bool:
		b.WriteString(map[bool]string{true: "True", false: "False"}[v])
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case float64:
		b.WriteString(floatText(v))
	case string:
		r.growText(2 * len(v))
		writeQuoted(b, v)
	case undefined:
		b.WriteString("Undefined")
	case selfReference:
		b.WriteString("<TemplateReference None>")
	case *loop:
		fmt.Fprintf(b, "<LoopContext %d/%d>", v.index0+1, v.length(r))
	case *macro:
		fmt.Fprintf(b, "<Macro '%s'>", v.node.name)
	case *dict:
		r.writeDict(b, v)
	case *namespace:
		b.WriteString("<Namespace ")
		r.writeDict(b, v.attributes)
		b.WriteString(">")
	case *sequence:
		switch v.kind {
		case listKind:
			r.writeItems(b, "[", v.items, "]")
		case tupleKind:
			if len(v.items) == 1 {
				r.writeItems(b, "(", v.items, ",)")
			} else {
				r.writeItems(b, "(", v.items, ")")
			}
		case rangeKind:
			b.WriteString(v.label)
		case keysKind, valuesKind, itemsKind:
			b.WriteString(sequenceNames[v.kind])
			r.writeItems(b, "([", v.items, "])")
		default:
			r.unsupported("printing a generator")
		}
	default:
		r.unsupported("printing a %s", typeName(v))
	}
}

func (r *run) unsupported(format string, args ...any) {
	panic(&UnsupportedError{fmt.Sprintf(format, args...), r.line})
}

func (r *run) writeItems(b *strings.Builder, opening string, items []value, closing string) {
	b.WriteString(opening)
	for i, item := range items {
		if i > 0 {
			b.WriteString(", ")
		}
		r.writeRepr(b, item)
	}
	b.WriteString(closing)
}

func (r *run) writeDict(b *strings.Builder, d *dict) {
	b.WriteString("{")
	for i, key := range d.keys {
		if i > 0 {
			b.WriteString(", ")
		}
		r.writeRepr(b, key)
		b.WriteString(": ")
		r.writeRepr(b, d.values[i])
	}
	b.WriteString("}")
}

// writeQuoted is repr of a str.
func writeQuoted(b *strings.Builder, s string) {
	quote := '\''
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	b.WriteRune(quote)
	for _, c := range s {
		switch {
		case c == quote || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case c < ' ' || c == 0x7f || c < 0x100 && !unicode.IsPrint(c):
			fmt.Fprintf(b, `\x%02x`, c)
		case unicode.IsPrint(c):
			b.WriteRune(c)
		case c <= 0xffff:
			fmt.Fprintf(b, `\u%04x`, c)
		default:
			fmt.Fprintf(b, `\U%08x`, c)
		}
	}
	b.WriteRune(quote)
}

// floatText is repr of a float: the shortest digits that read back, in exponents from 1e16 up and below 1e-4.
func floatText(f float64) string {
	switch size := math.Abs(f); {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case size != 0 && (size < 1e-4 || size >= 1e16):
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

// escape is markupsafe.escape.
func (r *run) escape(s string) string {
	r.grow(6 * len(s))
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "'", "&#39;", `"`, "&#34;").Replace(s)
}

// format is s % v of Python.
func (r *run) format(s string, v value) string {
	r.growText(len(s))
	var b strings.Builder
	arguments := []value{v}
	tuple, isTuple := v.(*sequence)
	if isTuple = isTuple && tuple.kind == tupleKind; isTuple {
		arguments = tuple.items
	}
	used := 0
	next := func() value {
		if used == len(arguments) {
			fail("TypeError: not enough arguments for format string")
		}
		used++
		return arguments[used-1]
	}
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		i++
		if i < len(s) && s[i] == '%' {
			b.WriteByte('%')
			continue
		}
		var argument value
		named := false
		if i < len(s) && s[i] == '(' {
			end := strings.IndexByte(s[i:], ')')
			d, ok := v.(*dict)
			if end < 0 || !ok {
				fail("TypeError: format requires a mapping")
			}
			argument, named = r.item(d, s[i+1:i+end]), true
			used = len(arguments)
			i += end + 1
		}
		start := i
		for i < len(s) && strings.IndexByte("-+ #0", s[i]) >= 0 {
			i++
		}
		flags := s[start:i]
		width, precision := -1, -1
		width, i = digitsAt(s, i)
		if i < len(s) && s[i] == '.' {
			if precision, i = digitsAt(s, i+1); precision < 0 {
				precision = 0
			}
		}
		if i >= len(s) {
			fail("ValueError: incomplete format")
		}
		if !named {
			argument = next()
		}
		r.grow(max(width, precision, 0))
		converted := pad(r.conversion(s[i], flags, precision, argument), flags, width, s[i])
		r.growText(len(converted))
		b.WriteString(converted)
	}
	if used < len(arguments) && (isTuple || !subscriptable(v)) {
		fail("TypeError: not all arguments converted during string formatting")
	}
	return b.String()
}

func isDict(v value) bool { _, ok := v.(*dict); return ok }

// subscriptable says whether Python takes a value for the mapping of a format, which need not be used up.
func subscriptable(v value) bool {
	switch v := v.(type) {
	case *dict, undefined:
		return true
	case *sequence:
		return v.kind <= rangeKind
	}
	return false
}

// digitsAt reads a number, -1 if there is none.
func digitsAt(s string, i int) (n, end int) {
	for end = i; end < len(s) && s[end] >= '0' && s[end] <= '9'; end++ {
	}
	if end == i {
		return -1, i
	}
	n, err := strconv.Atoi(s[i:end])
	if err != nil || n > maxBytes {
		fail("ValueError: a width of %s", s[i:end])
	}
	return n, end
}

func (r *run) conversion(code byte, flags string, precision int, v value) string {
	signed := func(s string) string {
		if !strings.HasPrefix(s, "-") {
			if strings.Contains(flags, "+") {
				return "+" + s
			}
			if strings.Contains(flags, " ") {
				return " " + s
			}
		}
		return s
	}
	cut := func(s string) string {
		if letters := []rune(s); precision >= 0 && precision < len(letters) {
			return string(letters[:precision])
		}
		return s
	}
	switch code {
	case 's':
		return cut(r.str(v))
	case 'r':
		return cut(r.repr(v))
	case 'd', 'i', 'u':
		if f, ok := v.(float64); ok && math.Abs(f) < 1<<62 {
			v = int64(f)
		}
		if i, ok := integer(v); ok && precision < 0 {
			return signed(strconv.FormatInt(i, 10))
		}
	case 'x', 'X', 'o':
		if i, ok := integer(v); ok && precision < 0 && !strings.Contains(flags, "#") {
			s := strconv.FormatInt(i, map[byte]int{'x': 16, 'X': 16, 'o': 8}[code])
			if code == 'X' {
				s = strings.ToUpper(s)
			}
			return signed(s)
		}
	case 'f', 'F', 'e', 'E':
		if f, ok := number(v); ok && !math.IsInf(f, 0) && !math.IsNaN(f) && precision <= 100 {
			if precision < 0 {
				precision = 6
			}
			return signed(strconv.FormatFloat(f, byte(unicode.ToLower(rune(code))), precision, 64))
		}
	case 'c':
		if s, ok := text(v); ok && utf8.RuneCountInString(s) == 1 {
			return s
		}
	}
	if u, ok := v.(undefined); ok {
		fail("UndefinedError: %s", u.message)
	}
	if _, ok := number(v); !ok && strings.IndexByte("diuxXofFeE", code) >= 0 {
		fail("TypeError: %%%c format: a number is required, not %s", code, typeName(v))
	}
	r.unsupported("the format %%%s%c", flags, code)
	return ""
}

func pad(s, flags string, width int, code byte) string {
	missing := width - utf8.RuneCountInString(s)
	switch {
	case missing <= 0:
		return s
	case strings.Contains(flags, "-"):
		return s + strings.Repeat(" ", missing)
	case strings.Contains(flags, "0") && strings.IndexByte("src", code) < 0:
		sign := len(s) - len(strings.TrimLeft(s, "+- "))
		return s[:sign] + strings.Repeat("0", missing) + s[sign:]
	}
	return strings.Repeat(" ", missing) + s
}
