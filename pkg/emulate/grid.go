package emulate

import (
	"fmt"
	"strings"
)

// Grid varies a Spec. Each list holds values of one field; an empty list leaves the field as Base has it.
type Grid struct {
	Base        Spec
	Alphas      []float64
	Taus        []float64
	Sources     []int // one source layer each
	Renormalise []Renormalisation
	// Full takes every combination; otherwise one field at a time departs from Base.
	Full bool
}

// Point is a Spec with a name that says how it departs from the Grid's Base, "base" for itself.
type Point struct {
	Name string
	Spec Spec
}

// axis is one field's values, as changes of a Spec with their names.
type axis []func(*Spec) (name string)

func (g Grid) axes() []axis {
	var a, t, s, r axis
	for _, x := range g.Alphas {
		a = append(a, func(s *Spec) string { s.Alpha = x; return fmt.Sprintf("alpha %g", x) })
	}
	for _, x := range g.Taus {
		t = append(t, func(s *Spec) string { s.Tau = x; return fmt.Sprintf("tau %g", x) })
	}
	for _, x := range g.Sources {
		s = append(s, func(s *Spec) string {
			s.Source = []int{x}
			if x == 0 {
				s.Source = nil // the default, so that the hash is that of the Spec without a source
			}
			return fmt.Sprintf("source %d", x)
		})
	}
	for _, x := range g.Renormalise {
		r = append(r, func(s *Spec) string {
			s.Renormalise = x
			if x == RenormaliseNone {
				return "not renormalised"
			}
			return "renormalise " + string(x)
		})
	}
	return []axis{a, t, s, r}
}

// Points lists the Grid's Specs, Base first, each once. One that contradicts itself is an error.
func (g Grid) Points() ([]Point, error) {
	points := []Point{{"base", g.Base}}
	if g.Full {
		grown := []Point{{"", g.Base}}
		for _, values := range g.axes() {
			if len(values) == 0 {
				continue
			}
			var next []Point
			for _, p := range grown {
				for _, change := range values {
					s := p.Spec
					next = append(next, Point{strings.TrimPrefix(p.Name+", "+change(&s), ", "), s})
				}
			}
			grown = next
		}
		points = append(points, grown...)
	} else {
		for _, values := range g.axes() {
			for _, change := range values {
				s := g.Base
				points = append(points, Point{change(&s), s})
			}
		}
	}
	seen := map[string]bool{}
	var out []Point
	for _, p := range points {
		if seen[p.Spec.Hash()] {
			continue
		}
		seen[p.Spec.Hash()] = true
		if err := p.Spec.Validate(); err != nil {
			return nil, fmt.Errorf("grid: %q: %w", p.Name, err)
		}
		out = append(out, p)
	}
	return out, nil
}

// Control is a control of the Grid's Base by name: uniform, random (drawn by seed), local; or suppress, a gain of 0.5 on position 0.
func (g Grid) Control(name string, seed uint32) (Point, error) {
	p := Point{Name: name}
	switch name {
	case "uniform":
		p.Spec = Uniform(g.Base)
	case "random":
		p.Spec = Random(g.Base, seed)
	case "local":
		p.Spec = Local(g.Base)
	case "suppress":
		p.Spec = Suppress(0.5)
	default:
		return p, fmt.Errorf("no control is named %q, expected uniform, random, local or suppress", name)
	}
	if name != "suppress" && !g.Base.hasSource() {
		return p, fmt.Errorf("control %s: the base's mask %q has no source, so there is no density to match; only suppress applies", name, g.Base.Mask)
	}
	if err := p.Spec.Validate(); err != nil {
		return p, fmt.Errorf("control %s: %w", name, err)
	}
	return p, nil
}
