package chat

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ardanlabs/jinja"
	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// maxRange is how long a range may be: Jinja2's sandbox has the same limit.
const maxRange = 100_000

// maxCalls is how deep macros may call macros. A schema's types nest a few levels; a macro that calls itself without end would otherwise end the
// process with its stack.
const maxCalls = 100

// functions gives the engine what this package does itself.
func functions(variables map[string]jinja.Value, now time.Time) {
	calls := 0
	for name, f := range map[string]func([]jinja.Value, map[string]jinja.Value) (jinja.Value, error){
		ownPrefix + "print":  printed,
		ownPrefix + "string": printed,
		ownPrefix + "tojson": tojson,
		ownPrefix + "join":   join,
		ownPrefix + "trim":   trim,
		ownPrefix + "upper":  inCase(cases.Upper(language.Und)),
		ownPrefix + "lower":  inCase(cases.Lower(language.Und)),
		"range":              pythonRange,
		ownPrefix + "enter": func([]jinja.Value, map[string]jinja.Value) (jinja.Value, error) {
			if calls++; calls > maxCalls {
				return jinja.None(), fmt.Errorf("macros call each other more than %d deep", maxCalls)
			}
			return jinja.NewString(""), nil
		},
		ownPrefix + "leave": func([]jinja.Value, map[string]jinja.Value) (jinja.Value, error) {
			calls--
			return jinja.NewString(""), nil
		},
		"raise_exception": func(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
			if len(args) != 1 {
				return jinja.None(), fmt.Errorf("raise_exception: found %d arguments, expected a message", len(args))
			}
			message, err := printed(args, nil)
			if err != nil {
				return jinja.None(), err
			}
			return jinja.None(), &RaisedError{message.AsString()}
		},
		"strftime_now": func(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
			if len(args) != 1 || !args[0].IsString() {
				return jinja.None(), fmt.Errorf("strftime_now: expected a format")
			}
			text, err := strftime(args[0].AsString(), now)
			return jinja.NewString(text), err
		},
	} {
		variables[name] = jinja.NewCallable(name, f)
	}
}

// printed is what {{ }} prints: str() of Python for the values whose form is certain.
func printed(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	if len(args) != 1 {
		return jinja.None(), fmt.Errorf("found %d values in {{ }}, expected one", len(args))
	}
	switch v := args[0]; {
	case v.IsString():
		return v, nil
	case v.IsUndefined():
		return jinja.NewString(""), nil
	case v.IsNone():
		return jinja.NewString("None"), nil
	case v.IsBool() && v.AsBool():
		return jinja.NewString("True"), nil
	case v.IsBool():
		return jinja.NewString("False"), nil
	case v.IsInt():
		return jinja.NewString(strconv.FormatInt(v.AsInt(), 10)), nil
	case v.IsList(), v.IsDict():
		return jinja.None(), fmt.Errorf("the template prints a list or a dictionary, whose Python form is not reproduced; use tojson")
	}
	return jinja.None(), fmt.Errorf("the template prints a fraction or a function, whose Python form is not reproduced")
}

// pythonSpace is what str.isspace holds for.
const pythonSpace = "\t\n\v\f\r\x1c\x1d\x1e\x1f \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"

func trim(args []jinja.Value, named map[string]jinja.Value) (jinja.Value, error) {
	if len(args) != 1 || len(named) > 0 {
		return jinja.None(), fmt.Errorf("trim: arguments are not supported")
	}
	text, err := printed(args, nil)
	if err != nil {
		return text, err
	}
	return jinja.NewString(strings.Trim(text.AsString(), pythonSpace)), nil
}

// join puts a separator between the printed forms of the items.
func join(args []jinja.Value, named map[string]jinja.Value) (jinja.Value, error) {
	if len(args) < 1 || len(args) > 2 || len(named) > 0 {
		return jinja.None(), fmt.Errorf("join: expected nothing or a separator")
	}
	var items, separator []string
	switch v := args[0]; {
	case v.IsList():
		for i := range v.AsList().Len() {
			item, err := printed([]jinja.Value{v.AsList().Get(i)}, nil)
			if err != nil {
				return item, err
			}
			items = append(items, item.AsString())
		}
	case v.IsString():
		items = strings.Split(v.AsString(), "")
	case v.IsUndefined():
	default:
		return jinja.None(), fmt.Errorf("join: found neither a list nor a text")
	}
	for _, v := range args[1:] {
		text, err := printed([]jinja.Value{v}, nil)
		if err != nil {
			return text, err
		}
		separator = append(separator, text.AsString())
	}
	return jinja.NewString(strings.Join(items, strings.Join(separator, ""))), nil
}

// inCase changes letters as Python does, by Unicode's full mapping: ß becomes SS.
func inCase(c cases.Caser) func([]jinja.Value, map[string]jinja.Value) (jinja.Value, error) {
	return func(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
		text, err := printed(args, nil)
		if err != nil {
			return text, err
		}
		return jinja.NewString(c.String(text.AsString())), nil
	}
}

func pythonRange(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	bounds := []int64{0, 0, 1}
	for _, a := range args {
		if !a.IsInt() {
			return jinja.None(), fmt.Errorf("range: found %s, expected whole numbers", a.String())
		}
	}
	switch len(args) {
	case 1:
		bounds[1] = args[0].AsInt()
	case 2, 3:
		for i, a := range args {
			bounds[i] = a.AsInt()
		}
	default:
		return jinja.None(), fmt.Errorf("range: found %d arguments, expected 1 to 3", len(args))
	}
	from, to, step := bounds[0], bounds[1], bounds[2]
	if step == 0 {
		return jinja.None(), fmt.Errorf("range: the step is 0")
	}
	items := []jinja.Value{}
	for i := from; step > 0 && i < to || step < 0 && i > to; i += step {
		if len(items) == maxRange {
			return jinja.None(), fmt.Errorf("range: more than %d numbers", maxRange)
		}
		items = append(items, jinja.NewInt(i))
	}
	return jinja.NewList(items), nil
}

// strftime writes the codes that dates in prompts are made of.
func strftime(format string, now time.Time) (string, error) {
	codes := map[byte]string{
		'd': "02", 'm': "01", 'Y': "2006", 'y': "06", 'b': "Jan", 'B': "January", 'a': "Mon", 'A': "Monday", 'H': "15", 'I': "03", 'M': "04", 'S': "05", 'p': "PM", 'F': "2006-01-02",
	}
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		layout, ok := codes[format[i]]
		switch {
		case format[i] == '%':
			b.WriteByte('%')
		case ok:
			b.WriteString(now.Format(layout))
		default:
			return "", fmt.Errorf("strftime_now: the code %%%c is not supported", format[i])
		}
	}
	return b.String(), nil
}
