package client

import (
	"strconv"
	"strings"

	"github.com/attune-lab/attune/pkg/emulate"
)

// Fields cuts a list at spaces and commas.
func Fields(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ' ' || r == ',' || r == '\n' })
}

// Names cuts a list at spaces outside brackets, so that JSON stays whole.
func Names(text string) []string {
	var out []string
	depth, from := 0, -1
	for i, c := range text {
		switch {
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
		if space := c == ' ' || c == '\n' || c == '\t'; space && depth <= 0 {
			if from >= 0 {
				out = append(out, text[from:i])
			}
			from = -1
		} else if from < 0 {
			from = i
		}
	}
	if from >= 0 {
		out = append(out, text[from:])
	}
	return out
}

// Numbers reads a parameter that is a list of numbers.
func Numbers(parameter, list string) ([]float64, error) {
	var out []float64
	for _, f := range Fields(list) {
		x, err := strconv.ParseFloat(f, 64)
		if err != nil {
			return nil, Parameter(parameter, list, "%q is no number", f)
		}
		out = append(out, x)
	}
	return out, nil
}

// Integers reads a parameter that is a list of whole numbers of 0 or more.
func Integers(parameter, list string) ([]int, error) {
	var out []int
	for _, f := range Fields(list) {
		n, err := strconv.Atoi(f)
		if err != nil || n < 0 {
			return nil, Parameter(parameter, list, "%q is no whole number of 0 or more", f)
		}
		out = append(out, n)
	}
	return out, nil
}

// Plan reads one intervention of a parameter whose whole value is given for the error: a name, JSON or a file of it; parts joined by + act in order.
func Plan(parameter, value, text string, dirs []string) (emulate.Plan, error) {
	var plan emulate.Plan
	parts := []string{text}
	if !strings.HasPrefix(text, "{") && !strings.HasPrefix(text, "[") {
		parts = strings.Split(text, "+")
	}
	for _, part := range parts {
		p, err := emulate.Read(part, func(path string) (string, error) { return FindPath(path, dirs) })
		if err != nil {
			return nil, Parameter(parameter, value, "%v%s", err, Suggest(part, emulate.Names()))
		}
		plan = append(plan, p...)
	}
	return plan, nil
}
