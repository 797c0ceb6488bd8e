package chat

import (
	"math"
	"strconv"
	"strings"
	"unicode"
)

func isWordRune(c rune) bool { return c == '_' || unicode.IsLetter(c) || unicode.IsNumber(c) }

// titleFilter is the filter title: the first letter behind a space, a dash or an opening bracket is upper case, the others lower.
func titleFilter(s string) string {
	var b strings.Builder
	start := true
	for _, c := range s {
		switch {
		case strings.ContainsRune("-({[<", c) || isSpace(c):
			b.WriteRune(c)
			start = true
			continue
		case start:
			b.WriteString(upper(string(c)))
		default:
			b.WriteRune(unicode.ToLower(c))
		}
		start = false
	}
	return b.String()
}

func indent(r *run, v value, a arguments) value {
	b := a.bind("indent", 0, "width", "first", "blank")
	s, ok := v.(string)
	if !ok {
		r.unsupported("indent of a %s", typeName(v))
	}
	indention, ok := text(given(b[0], int64(4)))
	if !ok {
		width := whole(given(b[0], int64(4)), "indent")
		r.growTimes(width, 1)
		indention = strings.Repeat(" ", int(max(width, 0)))
	}
	blank := truth(given(b[2], false))
	lines := splitLines(r, s+"\n", arguments{}).(*sequence).items
	r.growTimes(int64(len(lines)), len(indention))
	var out strings.Builder
	if truth(given(b[1], false)) {
		out.WriteString(indention)
	}
	for i, line := range lines {
		if i > 0 {
			out.WriteByte('\n')
			if blank || line != "" {
				out.WriteString(indention)
			}
		}
		out.WriteString(line.(string))
	}
	return out.String()
}

func truncate(r *run, v value, a arguments) value {
	b := a.bind("truncate", 0, "length", "killwords", "end", "leeway")
	s, ok := v.(string)
	if !ok {
		r.unsupported("truncate of a %s", typeName(v))
	}
	length, leeway := whole(given(b[0], int64(255)), "truncate"), int64(5)
	if l := given(b[3], nil); l != nil {
		leeway = whole(l, "truncate")
	}
	end := argument(given(b[2], "..."), "truncate")
	r.grow(4 * len(s))
	letters, room := []rune(s), length-int64(len([]rune(end)))
	if room < 0 || leeway < 0 {
		fail("AssertionError: truncate: expected a length of at least %d and a leeway of at least 0", len([]rune(end)))
	}
	if int64(len(letters)) <= length+leeway {
		return s
	}
	cut := string(letters[:room])
	if !truth(given(b[1], false)) {
		if i := strings.LastIndexByte(cut, ' '); i >= 0 {
			cut = cut[:i]
		}
	}
	return cut + end
}

func toFloat(v value) (float64, bool) {
	if f, ok := number(v); ok {
		return f, true
	}
	s, ok := text(v)
	if !ok {
		if u, ok := v.(undefined); ok {
			fail("UndefinedError: %s", u.message)
		}
		return 0, false
	}
	s = strings.Trim(s, pythonSpace)
	digits := strings.ReplaceAll(s, "_", "")
	// strconv reads what Python's float does, and hexadecimal numbers, which Python's does not; Python has _ between digits only.
	if strings.ContainsAny(s, "xXpP") || strings.HasPrefix(s, "_") || strings.HasSuffix(s, "_") || strings.Contains(s, "__") || len(s) > 400 {
		return 0, false
	}
	f, err := strconv.ParseFloat(digits, 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}

func toInt(r *run, v value, a arguments) value {
	b := a.bind("int", 0, "default", "base")
	base := whole(given(b[1], int64(10)), "int")
	if s, ok := text(v); ok {
		if base != 10 {
			r.unsupported("int with a base")
		}
		s = strings.Trim(s, pythonSpace)
		unsigned := strings.TrimLeft(s, "+-")
		if len(s)-len(unsigned) <= 1 && unsigned != "" && strings.Trim(unsigned, "0123456789_") == "" && !strings.HasPrefix(unsigned, "_") && !strings.HasSuffix(unsigned, "_") && !strings.Contains(unsigned, "__") {
			i, err := strconv.ParseInt(strings.ReplaceAll(s, "_", ""), 10, 64)
			if err != nil {
				failBig()
			}
			return i
		}
	}
	f, ok := toFloat(v)
	if i, whole := integer(v); whole {
		return i
	}
	if !ok || math.IsNaN(f) || math.IsInf(f, 0) {
		return given(b[0], int64(0))
	}
	if math.Abs(f) >= 1<<62 {
		failBig()
	}
	return int64(f)
}

func round(r *run, v value, a arguments) value {
	b := a.bind("round", 0, "precision", "method")
	precision := whole(given(b[0], int64(0)), "round")
	method, _ := text(given(b[1], "common"))
	if i, ok := integer(v); ok && method == "common" && precision >= 0 {
		return i
	}
	f, ok := number(v)
	if !ok {
		fail("TypeError: round: '%s' is not a number", typeName(v))
	}
	if precision < 0 || precision > 300 {
		r.unsupported("round to %d digits", precision)
	}
	switch method {
	case "common":
		rounded, err := strconv.ParseFloat(strconv.FormatFloat(f, 'f', int(precision), 64), 64)
		if err != nil {
			fail("OverflowError: round")
		}
		return rounded
	case "ceil", "floor":
		scale := math.Pow(10, float64(precision))
		if method == "ceil" {
			return wholeFloat(math.Ceil(f*scale)) / scale
		}
		return wholeFloat(math.Floor(f*scale)) / scale
	}
	fail("method must be common, ceil or floor")
	return nil
}

// wholeFloat turns -0 into 0, as math.ceil and math.floor of Python do by giving an int.
func wholeFloat(f float64) float64 { return f + 0 }

func batch(r *run, v value, a arguments) value {
	b := a.bind("batch", 1, "linecount", "fill_with")
	size := whole(b[0], "batch")
	out := &sequence{kind: generatorKind}
	var line *sequence
	for _, item := range r.iterate(v) {
		r.step()
		r.grow(32)
		if line == nil || int64(len(line.items)) == size {
			r.grow(64)
			line = newList(nil)
			out.items = append(out.items, line)
		}
		line.items = append(line.items, item)
	}
	if fill := given(b[1], nil); fill != nil && line != nil && int64(len(line.items)) < size {
		r.growTimes(size, 16)
		for int64(len(line.items)) < size {
			line.items = append(line.items, fill)
		}
	}
	return out
}

func slice(r *run, v value, a arguments) value {
	b := a.bind("slice", 1, "slices", "fill_with")
	n := whole(b[0], "slice")
	items := r.iterate(v)
	if n <= 0 {
		fail("ZeroDivisionError: slice into %d parts", n)
	}
	r.growTimes(n, 64)
	r.grow(16 * len(items))
	out := &sequence{kind: generatorKind}
	per, extra := len(items)/int(n), len(items)%int(n)
	at := 0
	for i := range int(n) {
		size := per
		if i < extra {
			size++
		}
		part := newList(append([]value(nil), items[at:at+size]...))
		at += size
		if fill := given(b[1], nil); fill != nil && i >= extra {
			part.items = append(part.items, fill)
		}
		out.items = append(out.items, part)
	}
	return out
}
