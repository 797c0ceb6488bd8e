package notebook

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Overrides maps the names of parameters to values as a user writes them.
type Overrides map[string]string

// Set adds a `key=value`, in the form of flag.Func: spaces around the key are dropped, the value is kept as it is.
func (o Overrides) Set(assignment string) error {
	key, value, found := strings.Cut(assignment, "=")
	key = strings.TrimSpace(key)
	if !found || key == "" {
		return fmt.Errorf("found %q, expected key=value, for example -p limit=20", assignment)
	}
	if earlier, twice := o[key]; twice {
		return fmt.Errorf("parameter %q is given twice (%q and %q): keep one", key, earlier, value)
	}
	o[key] = value
	return nil
}

// Inject puts a cell tagged `injected-parameters` right behind the one tagged `parameters`, in place of an earlier injected
// one; without overrides it only removes that one. It returns the value of every parameter: string, int64, float64 or bool.
//
// An unknown name is an error that lists the known ones; a value must be of the constant's kind.
//
// GoNB (v0.11.5) keeps the constants of a const ( ... ) block as a chain, and redefining one of them breaks the chain: the
// others vanish or appear twice. The injected cell therefore declares again the whole block that an overridden
// constant belongs to, with comments on the overridden ones.
func (nb *Notebook) Inject(overrides Overrides) (map[string]any, error) {
	parameters, err := nb.Parameters()
	if err != nil {
		return nil, err
	}
	values := map[string]any{}
	known, changed := map[string]bool{}, map[string]bool{}
	blocks := map[int]bool{}
	for _, p := range parameters {
		known[p.Name], values[p.Name] = true, p.Default
		text, given := overrides[p.Name]
		if !given {
			continue
		}
		value, err := p.parse(text)
		if err != nil {
			return nil, err
		}
		if value != p.Default { // the default, given again, changes nothing
			values[p.Name], changed[p.Name], blocks[p.block] = value, true, true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(overrides)) {
		if !known[name] {
			return nil, unknownParameter(name, parameters)
		}
	}
	nb.Cells = slices.DeleteFunc(nb.Cells, func(c *Cell) bool { return c.HasTag(InjectedTag) })
	if len(changed) == 0 {
		return values, nil
	}
	index, err := nb.parametersCell()
	if err != nil {
		return nil, err
	}
	nb.Cells = slices.Insert(nb.Cells, index+1, &Cell{
		ID:       makeID(InjectedTag),
		Type:     Code,
		Source:   injectedSource(parameters, values, changed, blocks),
		Metadata: map[string]any{"tags": []any{InjectedTag}},
	})
	return values, nil
}

func injectedSource(parameters []Parameter, values map[string]any, changed map[string]bool, blocks map[int]bool) string {
	var b strings.Builder
	for _, block := range slices.Sorted(maps.Keys(blocks)) {
		b.WriteString("const (\n")
		for _, p := range parameters {
			if p.block != block {
				continue
			}
			b.WriteString("\t" + p.Name)
			if p.Type != "" {
				b.WriteString(" " + p.Type)
			}
			b.WriteString(" = " + literal(values[p.Name]))
			if changed[p.Name] {
				b.WriteString(" // given; default " + literal(p.Default))
			}
			b.WriteString("\n")
		}
		b.WriteString(")\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func unknownParameter(name string, parameters []Parameter) error {
	if len(parameters) == 0 {
		return fmt.Errorf("unknown parameter %q: this notebook has none (no cell is tagged %q)", name, ParametersTag)
	}
	names := make([]string, len(parameters))
	for i, p := range parameters {
		names[i] = p.Name
	}
	hint := ""
	if near := Nearest(name, names); near != "" {
		hint = fmt.Sprintf(", did you mean %q?", near)
	}
	return fmt.Errorf("unknown parameter %q%s The known ones are: %s", name, orFullStop(hint), strings.Join(names, ", "))
}

func orFullStop(hint string) string {
	if hint == "" {
		return "."
	}
	return hint
}

// parse reads a value of the parameter's kind.
func (p Parameter) parse(text string) (any, error) {
	var value any
	var err error
	switch p.Kind {
	case String:
		value = text
	case Int:
		value, err = strconv.ParseInt(text, 0, 64)
	case Float:
		var f float64
		f, err = strconv.ParseFloat(text, 64)
		if err == nil && (math.IsInf(f, 0) || math.IsNaN(f)) {
			err = errors.New("not a finite number")
		}
		value = f
	case Bool:
		switch text {
		case "true", "false":
			value = text == "true"
		default:
			err = strconv.ErrSyntax
		}
	}
	if err == nil {
		err = p.fits(value)
	}
	if err != nil {
		return nil, fmt.Errorf("parameter %s: found %q, expected %s like its default %s%s", p.Name, text, p.Kind.article(), literal(p.Default), because(err))
	}
	return value, nil
}

// fits refuses what the constant's declared Go type cannot hold; the compiler would refuse it much later.
func (p Parameter) fits(value any) error {
	bits := map[string]uint{"int8": 8, "int16": 16, "int32": 32, "rune": 32, "uint8": 8, "byte": 8, "uint16": 16, "uint32": 32}[p.Type]
	n, ok := value.(int64)
	if !ok {
		return nil
	}
	unsigned := strings.HasPrefix(p.Type, "uint") || p.Type == "byte"
	switch {
	case unsigned && n < 0,
		unsigned && bits > 0 && n >= 1<<bits,
		!unsigned && bits > 0 && (n >= 1<<(bits-1) || n < -1<<(bits-1)):
		return fmt.Errorf("out of the range of %s", p.Type)
	}
	return nil
}

func because(err error) string {
	if errors.Is(err, strconv.ErrSyntax) {
		return "" // "invalid syntax" adds nothing to found and expected
	}
	if errors.Is(err, strconv.ErrRange) {
		return ": out of range"
	}
	return ": " + err.Error()
}

func (k Kind) article() string {
	switch k {
	case Int:
		return "an integer"
	case Float:
		return "a number"
	case Bool:
		return "true or false"
	}
	return "a string"
}

// literal is a Go constant of the same kind as the value: a float keeps its point, so that it does not turn into an integer.
func literal(value any) string {
	switch v := value.(type) {
	case string:
		return strconv.Quote(v)
	case float64:
		text := strconv.FormatFloat(v, 'g', -1, 64)
		if !strings.ContainsAny(text, ".e") {
			text += ".0"
		}
		return text
	}
	return fmt.Sprint(value)
}

// Literal is a parameter's default as Go writes it, for lists of parameters.
func (p Parameter) Literal() string { return literal(p.Default) }

// Nearest is the name most like the given one, "" when none is close enough to be a typing error
// (more than a third of the letters differ).
func Nearest(name string, names []string) string {
	best, bestDistance := "", len([]rune(name))/3+1
	for _, candidate := range names {
		if d := editDistance(name, candidate); d <= bestDistance && (best == "" || d < bestDistance) {
			best, bestDistance = candidate, d
		}
	}
	return best
}

// editDistance is Levenshtein's distance in characters.
func editDistance(a, b string) int {
	s, t := []rune(a), []rune(b)
	row := make([]int, len(t)+1)
	for j := range row {
		row[j] = j
	}
	for i := range s {
		diagonal := row[0]
		row[0] = i + 1
		for j := range t {
			cost := diagonal
			if s[i] != t[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(t)]
}
