package sink

import (
	"fmt"
	"strings"
)

// Measures is a set of what a survey computes beside received attention, which is always there.
type Measures uint

const (
	// Rows: entropy of a query's attention, its mass on position 0, on itself and within a local window, and its mean distance.
	Rows Measures = 1 << iota
	// Masks: how much of every head passes the emulation threshold, and how much of that layer 0 marks too.
	Masks
	// Shapes: binned maps averaged over heads, and how alike those of any two layers are.
	Shapes
	// Norms: lengths of keys, values and, in the residual stream, of tokens.
	Norms
	// Massive: the largest entries of the residual stream against its median.
	Massive

	// Everything is all of them.
	Everything = Rows | Masks | Shapes | Norms | Massive
)

var measureNames = []string{"rows", "masks", "shapes", "norms", "massive"}

// Has reports whether all of other are in the set.
func (m Measures) Has(other Measures) bool { return m&other == other }

// String lists the set: "received+rows+norms".
func (m Measures) String() string {
	names := []string{"received"}
	for i, n := range measureNames {
		if m.Has(1 << i) {
			names = append(names, n)
		}
	}
	return strings.Join(names, "+")
}

// need is the error of asking a survey for what it did not measure.
func (s *Survey) need(m Measures, what string) error {
	if s.Measures.Has(m) {
		return nil
	}
	return fmt.Errorf("%s was not measured, the survey has %s: run it with Options.Measures including %s", what, s.Measures, strings.TrimPrefix(m.String(), "received+"))
}
