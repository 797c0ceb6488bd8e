package emulate

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Validate reports a Spec that means nothing: values out of range, or fields that contradict each other. What only a model can tell is Check's.
func (s Spec) Validate() error {
	for _, check := range []func() error{s.validNames, s.validGain, s.validThreshold, s.validMask, s.validKeys, s.validSource, s.validRenormalise} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// oneOf reports a name that is not known; the empty one is the default and has a description.
func oneOf[T ~string](field string, value T, empty string, known ...T) error {
	if value == "" || slices.Contains(known, value) {
		return nil
	}
	names := []string{fmt.Sprintf(`"" (%s)`, empty)}
	for _, k := range known {
		names = append(names, fmt.Sprintf("%q", string(k)))
	}
	return fmt.Errorf("%s is %q, expected one of %s", field, string(value), strings.Join(names, ", "))
}

func (s Spec) validNames() error {
	for _, err := range []error{
		oneOf("mask", s.Mask, "threshold", MaskAll, MaskUniform, MaskRandom, MaskLocal, MaskKeys, MaskOutside, MaskSinks, MaskRunningSinks),
		oneOf("pairing", s.Pairing, "same head", PairMean, PairBest),
		oneOf("schedule", s.Schedule, "linear", ScheduleConstant),
		oneOf("renormalise", s.Renormalise, "none", RenormaliseRow, RenormaliseKeepDiagonal, RenormaliseRest),
		oneOf("phase", s.Phase, "both", PhasePrefill, PhaseDecode),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

func (s Spec) validGain() error {
	for i, g := range s.Gains {
		if math.IsNaN(g) || math.IsInf(g, 0) || g < 0 {
			return fmt.Errorf("gains[%d] is %v, expected a finite factor of at least 0", i, g)
		}
	}
	switch {
	case math.IsNaN(s.Alpha) || math.IsInf(s.Alpha, 0) || s.Alpha < -1:
		return fmt.Errorf("alpha is %v, expected a finite number of at least -1 (the gain 1+alpha may not be negative)", s.Alpha)
	case s.Last < 0:
		return fmt.Errorf("last is %d, expected a layer's index or 0 for the model's last", s.Last)
	case len(s.Gains) > 0 && (s.Alpha != 0 || s.Schedule != ScheduleLinear || s.Last != 0):
		return fmt.Errorf("gains gives every layer's factor, so alpha (%v), schedule (%q) and last (%d) have no place beside it", s.Alpha, s.Schedule, s.Last)
	case s.Schedule == ScheduleConstant && s.Last != 0:
		return fmt.Errorf("last is %d, but a constant schedule does not end: leave one of them out", s.Last)
	}
	return nil
}

// validThreshold wants one threshold at most, and none where the mask has no use for it.
func (s Spec) validThreshold() error {
	if math.IsNaN(s.Tau) || s.Tau < 0 || s.Tau >= 1 {
		return fmt.Errorf("tau is %v, expected 0 to below 1: it is compared with probabilities", s.Tau)
	}
	if math.IsNaN(s.PerKey) || math.IsInf(s.PerKey, 0) || s.PerKey < 0 {
		return fmt.Errorf("per_key is %v, expected a finite number of at least 0: it is divided by the number of visible keys", s.PerKey)
	}
	if s.TopK < 0 {
		return fmt.Errorf("top_k is %d, expected 1 or more, or 0 for none", s.TopK)
	}
	if math.IsNaN(s.Quantile) || s.Quantile < 0 || s.Quantile >= 1 {
		return fmt.Errorf("quantile is %v, expected 0 to below 1", s.Quantile)
	}
	var set []string
	for name, on := range map[string]bool{"tau": s.Tau != 0, "per_key": s.PerKey != 0, "top_k": s.TopK != 0, "quantile": s.Quantile != 0} {
		if on {
			set = append(set, name)
		}
	}
	slices.Sort(set)
	switch {
	case len(set) > 1:
		return fmt.Errorf("%s are thresholds, and a mask has one: keep one of them", strings.Join(set, " and "))
	case len(set) == 0 || s.hasSource():
		return nil
	case s.receives() && set[0] == "tau":
		return nil
	case s.Mask == MaskAll:
		return fmt.Errorf("mask %q takes every entry, but %s is set: leave it out or use the threshold mask", s.Mask, set[0])
	}
	return fmt.Errorf("mask %q has no threshold of that kind, but %s is set: leave it out", s.Mask, set[0])
}

// receives reports whether the mask is made of received attention.
func (s Spec) receives() bool { return s.Mask == MaskSinks || s.Mask == MaskRunningSinks }

func (s Spec) validMask() error {
	excluded := len(s.ExcludePositions)+len(s.ExcludeTokens)+len(s.ExcludeClasses) > 0
	switch {
	case s.Mask == MaskAll && (excluded || s.Diagonal):
		return fmt.Errorf("mask %q takes every entry: diagonal and excluded keys have no place beside it", s.Mask)
	case s.receives() && s.Phase != PhasePrefill:
		return fmt.Errorf(`mask %q is made of the attention of many queries, and a decoding step has one: set phase to %q`, s.Mask, PhasePrefill)
	case s.receives() && s.Tau == 0:
		return fmt.Errorf("mask %q needs tau, the mean received attention above which a key is a sink (published: 0.1)", s.Mask)
	case s.KeepFirst && !s.receives():
		return fmt.Errorf("keep_first leaves the first sink out of masks %q and %q, not of %q", MaskSinks, MaskRunningSinks, s.Mask)
	case s.Mask != MaskRandom && s.Seed != 0:
		return fmt.Errorf("seed is %d, but only mask %q draws anything", s.Seed, MaskRandom)
	}
	return nil
}

func (s Spec) validKeys() error {
	named := len(s.Positions)+len(s.Spans)+len(s.Tokens)+len(s.Classes) > 0 || s.Highlighted
	keys := s.Mask == MaskKeys || s.Mask == MaskOutside
	if keys && !named {
		return fmt.Errorf("mask %q needs keys: positions, spans, tokens, classes or highlighted", s.Mask)
	}
	if named && !keys {
		return fmt.Errorf("positions, spans, tokens, classes and highlighted name the keys of masks %q and %q, not of %q", MaskKeys, MaskOutside, s.Mask)
	}
	for _, span := range s.Spans {
		if span[0] < 0 || span[1] <= span[0] {
			return fmt.Errorf("span %v, expected a first position of at least 0 and then one past the last", span)
		}
	}
	for name, list := range map[string][]int{"exclude_positions": s.ExcludePositions, "exclude_tokens": s.ExcludeTokens, "positions": s.Positions,
		"tokens": s.Tokens, "source": s.Source, "layers": s.Layers, "heads": s.Heads} {
		for i, x := range list {
			if x < 0 {
				return fmt.Errorf("%s holds %d, expected 0 or more", name, x)
			}
			if slices.Contains(list[:i], x) {
				return fmt.Errorf("%s holds %d twice", name, x)
			}
		}
	}
	return nil
}

func (s Spec) validSource() error {
	switch {
	case !s.hasSource() && len(s.Source) > 0:
		return fmt.Errorf("mask %q is not made of another layer's pattern, but source is %v: leave it out", s.Mask, s.Source)
	case !s.hasSource() && s.Pairing != PairSame:
		return fmt.Errorf("mask %q is not made of another layer's heads, but pairing is %q: leave it out", s.Mask, s.Pairing)
	case len(s.Heads) > 0 && len(s.LayerHeads) > 0:
		return fmt.Errorf("heads and layer_heads are both set: keep one of them")
	case len(s.Layers) > 0 && len(s.LayerHeads) > 0:
		return fmt.Errorf("layers and layer_heads are both set: layer_heads already says which layers")
	}
	changed := slices.Clone(s.Layers)
	for _, p := range s.LayerHeads {
		if p[0] < 0 || p[1] < 0 {
			return fmt.Errorf("layer_heads holds %v, expected a layer and a head of at least 0", p)
		}
		changed = append(changed, p[0])
	}
	for _, l := range changed {
		if first := s.FirstLayer(); l < first && s.hasSource() {
			return fmt.Errorf("layer %d is to emulate layer %d, which comes no earlier: only layers from %d on can be changed", l, first-1, first)
		} else if l < first {
			return fmt.Errorf("layer %d is to be changed, but mask %q begins at layer %d", l, s.Mask, first)
		}
	}
	return nil
}

// strongest is the largest factor that the Spec can give to an entry.
func (s Spec) strongest() float64 {
	if len(s.Gains) > 0 {
		return slices.Max(s.Gains)
	}
	return 1 + s.Alpha
}

func (s Spec) validRenormalise() error {
	masked := s.Mask != MaskAll && s.Mask != MaskUniform
	switch {
	case !masked && s.Renormalise == RenormaliseRow:
		return fmt.Errorf("mask %q with renormalise %q cancels itself: a uniform gain divided by the row's sum is no change", s.Mask, s.Renormalise)
	case !masked && s.Renormalise != RenormaliseNone:
		return fmt.Errorf("mask %q changes all entries of a row alike: renormalise %q has nothing to keep apart", s.Mask, s.Renormalise)
	case s.Renormalise == RenormaliseKeepDiagonal && s.Diagonal:
		return fmt.Errorf("renormalise %q keeps the diagonal, but diagonal lets it into the mask: leave one of them out", s.Renormalise)
	case s.Renormalise == RenormaliseRest && s.strongest() > 1:
		return fmt.Errorf("renormalise %q gives freed mass to the other entries, but a gain of %g frees none: use a gain of at most 1", s.Renormalise, s.strongest())
	case s.Renormalise == RenormaliseRest && s.Last != 0:
		return fmt.Errorf("renormalise %q with last %d: layers beyond would gain mass; leave last out", s.Renormalise, s.Last)
	}
	return nil
}
