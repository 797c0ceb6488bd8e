package chat

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxRange is how long a range may be: Jinja2's sandbox has the same limit.
const maxRange = 100_000

// tests by name.
var tests map[string]func(r *run, v value, a arguments) value

// is makes a test without arguments.
func is(test func(v value) bool) func(r *run, v value, a arguments) value {
	return func(r *run, v value, a arguments) value {
		a.bind("test", 0)
		return test(v)
	}
}

func init() { // filter and test look into the maps.
	comparison := func(operator string) func(r *run, v value, a arguments) value {
		return func(r *run, v value, a arguments) value {
			return r.compare(operator, v, a.bind("test", 1, "other")[0])
		}
	}
	isUndefined := func(v value) bool { _, ok := v.(undefined); return ok }
	isText := func(v value) bool { _, ok := text(v); return ok }
	isSequence := func(v value) bool {
		s, ok := v.(*sequence)
		return ok && s.kind <= rangeKind || isText(v) || isDict(v) || isUndefined(v)
	}
	divided := func(divisor, rest int64) func(r *run, v value, a arguments) value {
		return func(r *run, v value, a arguments) value {
			a.bind("test", 0)
			return r.equal(r.binary("%", v, divisor), rest)
		}
	}
	eq, ne, gt, ge, lt, le := comparison("=="), comparison("!="), comparison(">"), comparison(">="), comparison("<"), comparison("<=")
	tests = map[string]func(r *run, v value, a arguments) value{
		"odd":       divided(2, 1),
		"even":      divided(2, 0),
		"defined":   is(func(v value) bool { return !isUndefined(v) }),
		"undefined": is(isUndefined),
		"none":      is(func(v value) bool { return v == nil }),
		"boolean":   is(func(v value) bool { _, ok := v.(bool); return ok }),
		"true":      is(func(v value) bool { return v == true }),
		"false":     is(func(v value) bool { return v == false }),
		"integer":   is(func(v value) bool { _, ok := v.(int64); return ok }),
		"float":     is(func(v value) bool { _, ok := v.(float64); return ok }),
		"number":    is(func(v value) bool { _, ok := number(v); return ok }),
		"string":    is(isText),
		"mapping":   is(isDict),
		"sequence":  is(isSequence),
		"escaped":   is(func(v value) bool { _, ok := v.(markup); return ok }),
		"iterable": is(func(v value) bool {
			_, ok := v.(*sequence)
			_, looping := v.(*loop)
			return ok || looping || isSequence(v)
		}),
		"callable": is(func(v value) bool {
			switch v.(type) {
			case *function, *macro, *loop, undefined:
				return true
			}
			return false
		}),
		"lower": func(r *run, v value, a arguments) value { return textMethods["islower"](r, r.str(v), a) },
		"upper": func(r *run, v value, a arguments) value { return textMethods["isupper"](r, r.str(v), a) },
		"divisibleby": func(r *run, v value, a arguments) value {
			return r.equal(r.binary("%", v, a.bind("divisibleby", 1, "num")[0]), int64(0))
		},
		"sameas": func(r *run, v value, a arguments) value {
			other := a.bind("sameas", 1, "other")[0]
			if v == nil || other == nil {
				return v == other
			}
			return typeName(v) == typeName(other) && hashable(v) && v == other
		},
		"in": func(r *run, v value, a arguments) value { return r.contains(a.bind("in", 1, "seq")[0], v) },
		"filter": func(r *run, v value, a arguments) value {
			name, _ := text(v)
			_, ok := filters[name]
			return ok
		},
		"test": func(r *run, v value, a arguments) value {
			name, _ := text(v)
			_, ok := tests[name]
			return ok
		},
		"==": eq, "eq": eq, "equalto": eq, "!=": ne, "ne": ne,
		">": gt, "gt": gt, "greaterthan": gt, ">=": ge, "ge": ge,
		"<": lt, "lt": lt, "lessthan": lt, "<=": le, "le": le,
	}
	globals = map[string]value{
		"range":           &function{"range", rangeFunction},
		"dict":            &function{"dict", func(r *run, a arguments) value { return r.dictOf("dict", a) }},
		"namespace":       &function{"namespace", func(r *run, a arguments) value { return &namespace{r.dictOf("namespace", a)} }},
		"cycler":          &function{"cycler", cycler},
		"joiner":          &function{"joiner", joiner},
		"self":            selfReference{},
		"raise_exception": &function{"raise_exception", raiseException},
		"strftime_now": &function{"strftime_now", func(r *run, a arguments) value {
			return r.strftime(argument(a.bind("strftime_now", 1, "format")[0], "strftime_now"))
		}},
		"lipsum": &function{"lipsum", func(r *run, a arguments) value {
			r.unsupported("the function lipsum")
			return nil
		}},
	}
}

// globals are the names every template has.
var globals map[string]value

// hashable says whether == of Go compares a value.
func hashable(v value) bool {
	_, slice := v.(sliceKey)
	return !slice
}

// object is an object with methods.
type object struct{ members map[string]value }

func rangeFunction(r *run, a arguments) value {
	b := a.bind("range", 1, "start", "stop", "step")
	from, to, step := int64(0), whole(b[0], "range"), int64(1)
	label := fmt.Sprintf("range(0, %d)", to)
	if b[1] != (missing{}) {
		from, to = to, whole(b[1], "range")
		label = fmt.Sprintf("range(%d, %d)", from, to)
	}
	if b[2] != (missing{}) {
		if step = whole(b[2], "range"); step != 1 {
			label = fmt.Sprintf("range(%d, %d, %d)", from, to, step)
		}
	}
	if step == 0 {
		fail("ValueError: range() arg 3 must not be zero")
	}
	s := &sequence{kind: rangeKind, label: label}
	for i := from; step > 0 && i < to || step < 0 && i > to; i += step {
		if len(s.items) == maxRange {
			fail("OverflowError: Range too big. The sandbox blocks ranges larger than MAX_RANGE (%d).", maxRange)
		}
		r.step()
		r.grow(24)
		s.items = append(s.items, i)
		if next := i + step; (next > i) != (step > 0) {
			break
		}
	}
	return s
}

func (r *run) dictOf(what string, a arguments) *dict {
	d := newDict()
	if len(a.positional) > 1 {
		fail("TypeError: %s expected at most 1 argument, got %d", what, len(a.positional))
	}
	r.grow(100 * len(a.names))
	for _, v := range a.positional {
		if from, ok := v.(*dict); ok {
			r.grow(100 * len(from.keys))
			for i, key := range from.keys {
				d.set(key, from.values[i])
			}
			continue
		}
		for _, pair := range r.iterate(v) {
			items := r.iterate(pair)
			if len(items) != 2 {
				fail("ValueError: dictionary update sequence element has length %d; 2 is required", len(items))
			}
			r.grow(100)
			d.set(items[0], items[1])
		}
	}
	for i, name := range a.names {
		d.set(name, a.named[i])
	}
	return d
}

func cycler(r *run, a arguments) value {
	if len(a.positional) == 0 || len(a.names) > 0 {
		fail("RuntimeError: at least one item has to be provided")
	}
	at := 0
	o := &object{members: map[string]value{"current": a.positional[0]}}
	move := func(to int) {
		at = to % len(a.positional)
		o.members["current"] = a.positional[at]
	}
	next := &function{"next", func(r *run, _ arguments) value {
		v := a.positional[at]
		move(at + 1)
		return v
	}}
	o.members["next"] = next
	o.members["reset"] = &function{"reset", func(r *run, _ arguments) value { move(0); return nil }}
	return o
}

func joiner(r *run, a arguments) value {
	separator := given(a.bind("joiner", 0, "sep")[0], ", ")
	used := false
	return &function{"joiner", func(r *run, a arguments) value {
		a.bind("joiner", 0)
		if !used {
			used = true
			return ""
		}
		return separator
	}}
}

func raiseException(r *run, a arguments) value {
	panic(&RaisedError{r.str(a.bind("raise_exception", 1, "message")[0])})
}

// strftime is datetime.strftime of the C library that transformers runs on (glibc) in the C locale.
func (r *run) strftime(format string) string {
	now := r.now
	r.grow(len(format))
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		flag := byte(0)
		if strings.IndexByte("-_0^", format[i]) >= 0 && i+1 < len(format) {
			flag = format[i]
			i++
		}
		r.charge(256)
		b.WriteString(r.strftimeCode(format[i], flag, now))
	}
	r.grow(b.Len())
	return b.String()
}

func (r *run) strftimeCode(code, flag byte, now time.Time) string {
	layouts := map[byte]string{'b': "Jan", 'h': "Jan", 'B': "January", 'a': "Mon", 'A': "Monday", 'p': "PM", 'F': "2006-01-02", 'T': "15:04:05", 'X': "15:04:05", 'D': "01/02/06", 'x': "01/02/06",
		'R': "15:04", 'r': "03:04:05 PM", 'c': "Mon Jan _2 15:04:05 2006", 'f': "000000"}
	literals := map[byte]string{'%': "%", 'n': "\n", 't': "\t", 'Z': "", 'z': ""}
	hour := now.Hour() % 12
	if hour == 0 {
		hour = 12
	}
	year, week := now.ISOWeek()
	numbers := map[byte][3]int{ // value, width, and 1 where the padding is a space
		'd': {now.Day(), 2, 0}, 'e': {now.Day(), 2, 1}, 'm': {int(now.Month()), 2, 0}, 'Y': {now.Year(), 1, 0}, 'y': {now.Year() % 100, 2, 0}, 'C': {now.Year() / 100, 2, 0},
		'H': {now.Hour(), 2, 0}, 'k': {now.Hour(), 2, 1}, 'I': {hour, 2, 0}, 'l': {hour, 2, 1}, 'M': {now.Minute(), 2, 0}, 'S': {now.Second(), 2, 0}, 'j': {now.YearDay(), 3, 0},
		'u': {(int(now.Weekday())+6)%7 + 1, 1, 0}, 'w': {int(now.Weekday()), 1, 0}, 'G': {year, 1, 0}, 'V': {week, 2, 0},
		'U': {(now.YearDay() + 6 - int(now.Weekday())) / 7, 2, 0}, 'W': {(now.YearDay() + 6 - (int(now.Weekday())+6)%7) / 7, 2, 0},
	}
	if n, ok := numbers[code]; ok && flag != '^' {
		s := strconv.Itoa(n[0])
		fill := "0"
		if flag == '_' || n[2] == 1 && flag != '0' {
			fill = " "
		}
		if flag != '-' {
			s = strings.Repeat(fill, max(n[1]-len(s), 0)) + s
		}
		return s
	}
	if s, ok := literals[code]; ok && flag == 0 {
		return s
	}
	layout, ok := layouts[code]
	switch {
	case ok && code == 'f' && flag == 0:
		return fmt.Sprintf("%06d", now.Nanosecond()/1000)
	case ok && flag == 0:
		return now.Format(layout)
	case ok && flag == '^' && code != 'f':
		return strings.ToUpper(now.Format(layout))
	}
	r.unsupported("the code %%%c of strftime_now", code)
	return ""
}
