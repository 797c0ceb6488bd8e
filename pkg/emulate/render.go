package emulate

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// String is one line for tables and logs.
func (s Spec) String() string {
	if !s.Enabled() {
		return "off"
	}
	parts := []string{s.strength(), s.entries()}
	if !s.Diagonal && s.Mask != MaskAll {
		parts[1] += " off the diagonal"
	} else if s.Diagonal && s.hasSource() {
		parts[1] += ", the diagonal included"
	}
	list := func(format string, n int, values any) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf(format, values))
		}
	}
	list("without positions %v", len(s.ExcludePositions), s.ExcludePositions)
	list("without tokens %s", len(s.ExcludeTokens), few(s.ExcludeTokens))
	list("without %s", len(s.ExcludeClasses), strings.Join(s.ExcludeClasses, ", "))
	if s.KeepFirst {
		parts = append(parts, "without the first of them")
	}
	if s.Last != 0 {
		parts = append(parts, fmt.Sprintf("last %d", s.Last))
	}
	list("layers %v", len(s.Layers), s.Layers)
	list("heads %v", len(s.Heads), s.Heads)
	list("layer-heads %v", len(s.LayerHeads), s.LayerHeads)
	if words := s.everywhere(); words != "" {
		parts = append(parts, words)
	}
	switch s.Renormalise {
	case RenormaliseRow:
		parts = append(parts, "rows renormalised")
	case RenormaliseKeepDiagonal:
		parts = append(parts, "rows renormalised around the diagonal")
	case RenormaliseRest:
		parts = append(parts, "freed mass to the rest of the row")
	}
	if s.Phase != PhaseBoth {
		parts = append(parts, "in "+string(s.Phase)+" only")
	}
	return strings.Join(parts, ", ")
}

// everywhere says so where a method that was published for chosen heads acts on all of them.
func (s Spec) everywhere() string {
	switch {
	case s.hasSource() || s.Mask == MaskAll || len(s.Heads)+len(s.LayerHeads) > 0:
		return ""
	case len(s.Layers) > 0:
		return "in all heads"
	}
	return "in all heads of all layers"
}

func (s Spec) strength() string {
	switch {
	case len(s.Gains) > 0:
		return fmt.Sprintf("gains %v", s.Gains)
	case s.Schedule == ScheduleConstant:
		return fmt.Sprintf("gain %.6g", 1+s.Alpha)
	}
	return fmt.Sprintf("alpha %g", s.Alpha)
}

// entries says which entries get the gain, the diagonal aside.
func (s Spec) entries() string {
	switch s.Mask {
	case MaskAll:
		return "every entry"
	case MaskKeys:
		return "keys" + s.keys()
	case MaskOutside:
		return "keys of the prompt other than" + s.keys()
	case MaskSinks:
		return fmt.Sprintf("keys receiving > %g", s.Tau)
	case MaskRunningSinks:
		return fmt.Sprintf("keys receiving > %g so far", s.Tau)
	case MaskUniform:
		return "spread over the row as much as for " + s.threshold()
	case MaskRandom:
		return fmt.Sprintf("as many at random (seed %d) as %s", s.Seed, s.threshold())
	case MaskLocal:
		return "as many nearest as " + s.threshold()
	}
	return s.threshold()
}

// threshold renders the condition on the source, e.g. "A_0 > 0.01".
func (s Spec) threshold() string {
	a := "A_0"
	if len(s.Source) == 1 {
		a = fmt.Sprintf("A_%d", s.Source[0])
	} else if len(s.Source) > 1 {
		a = fmt.Sprintf("mean A_%v", s.Source)
	}
	switch s.Pairing {
	case PairMean:
		a += " (mean of heads)"
	case PairBest:
		a += " (best-matching head)"
	}
	switch {
	case s.PerKey != 0:
		return fmt.Sprintf("%s > %g/n", a, s.PerKey)
	case s.TopK != 0:
		return fmt.Sprintf("the top %d of %s", s.TopK, a)
	case s.Quantile != 0:
		return fmt.Sprintf("%s above its quantile %g", a, s.Quantile)
	}
	return fmt.Sprintf("%s > %g", a, s.Tau)
}

func (s Spec) keys() string {
	var parts []string
	if len(s.Positions) > 0 {
		parts = append(parts, fmt.Sprintf(" at %v", s.Positions))
	}
	for _, span := range s.Spans {
		parts = append(parts, fmt.Sprintf(" at %d..%d", span[0], span[1]-1))
	}
	if len(s.Tokens) > 0 {
		parts = append(parts, " of tokens "+few(s.Tokens))
	}
	if len(s.Classes) > 0 {
		parts = append(parts, " of class "+strings.Join(s.Classes, ", "))
	}
	if s.Highlighted {
		parts = append(parts, " highlighted")
	}
	return strings.Join(parts, ",")
}

// few lists at most eight ids: a token class can have thousands.
func few(ids []int) string {
	if len(ids) <= 8 {
		return fmt.Sprint(ids)
	}
	return fmt.Sprintf("%v and %d more", ids[:8], len(ids)-8)
}

// Diff says how b differs from a, one line for each field by its name in JSON: `alpha: 0.2 -> 1`. Equal Specs differ in nothing.
func Diff(a, b Spec) []string {
	var out []string
	va, vb := reflect.ValueOf(a), reflect.ValueOf(b)
	for i := range va.NumField() {
		x, y := field(va.Field(i)), field(vb.Field(i))
		if x != y {
			name, _, _ := strings.Cut(va.Type().Field(i).Tag.Get("json"), ",")
			out = append(out, fmt.Sprintf("%s: %s -> %s", name, x, y))
		}
	}
	return out
}

// field renders a field's value as in JSON; a value at its default is named so.
func field(v reflect.Value) string {
	if v.IsZero() || v.Kind() == reflect.Slice && v.Len() == 0 {
		return "default"
	}
	b, err := json.Marshal(v.Interface())
	if err != nil {
		return fmt.Sprint(v.Interface()) // NaN or infinity: Validate's to refuse
	}
	return string(b)
}
