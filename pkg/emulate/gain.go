package emulate

import (
	"fmt"
	"slices"
)

// hasSource reports whether the mask is made of another layer's pattern.
func (s Spec) hasSource() bool {
	switch s.Mask {
	case MaskThreshold, MaskUniform, MaskRandom, MaskLocal:
		return true
	}
	return false
}

// Sources are the layers that the mask is made of; none for masks without a source.
func (s Spec) Sources() []int {
	switch {
	case !s.hasSource():
		return nil
	case len(s.Source) == 0:
		return []int{0}
	}
	return s.Source
}

// FirstLayer is the first layer that the Spec can change: the one after its last source. MaskAll leaves layer 0 as the others do whose
// bug it is; masks without a source begin at layer 0.
func (s Spec) FirstLayer() int {
	switch {
	case s.hasSource():
		return slices.Max(s.Sources()) + 1
	case s.Mask == MaskAll:
		return 1
	}
	return 0
}

// Gain is the factor of a layer in a model of that many layers; 1 where the layer is not changed. On the linear schedule it is g_l =
// 1 + alpha*(1 - l/last), by absolute depth wherever the source is, and exactly 1 at the last layer.
func (s Spec) Gain(layer, layers int) float64 {
	switch {
	case !s.Acts(layer):
		return 1
	case len(s.Gains) > layer:
		return s.Gains[layer]
	case len(s.Gains) > 0:
		return 1
	case s.Schedule == ScheduleConstant:
		return 1 + s.Alpha
	}
	last := s.Last
	if last == 0 {
		last = layers - 1
	}
	if layer == last || last == 0 {
		return 1
	}
	return 1 + s.Alpha*(1-float64(layer)/float64(last))
}

// Acts reports whether the Spec applies to a layer, be it with a gain of 1.
func (s Spec) Acts(layer int) bool {
	if layer < s.FirstLayer() || len(s.Layers) > 0 && !slices.Contains(s.Layers, layer) {
		return false
	}
	return len(s.LayerHeads) == 0 || slices.ContainsFunc(s.LayerHeads, func(p [2]int) bool { return p[0] == layer })
}

// Model is what of a model's dimensions a Spec can be at odds with.
type Model struct{ Layers, Heads, Vocab int }

// Check reports a Spec that means nothing for a model: layers, heads or token ids that it has not, or a gain that would be negative.
func (s Spec) Check(c Model) error {
	if err := s.Validate(); err != nil {
		return err
	}
	if len(s.ExcludeClasses)+len(s.Classes) > 0 {
		return fmt.Errorf("the token classes %q are not resolved to token ids: call apply.Resolve with the model's tokenizer", slices.Concat(s.ExcludeClasses, s.Classes))
	}
	if n := len(s.Gains); n > 0 && n != c.Layers {
		return fmt.Errorf("gains has %d numbers, the model has %d layers", n, c.Layers)
	}
	for name, list := range map[string][]int{"source": s.Source, "layers": s.Layers} {
		for _, l := range list {
			if l >= c.Layers {
				return fmt.Errorf("%s names layer %d, the model has layers 0 to %d", name, l, c.Layers-1)
			}
		}
	}
	if s.Enabled() && s.FirstLayer() >= c.Layers && c.Layers > 1 {
		return fmt.Errorf("source %v leaves no layer to change: the model's last layer is %d", s.Sources(), c.Layers-1)
	}
	for _, p := range s.LayerHeads {
		if p[0] >= c.Layers || p[1] >= c.Heads {
			return fmt.Errorf("layer_heads names head %d of layer %d, the model has %d layers of %d heads", p[1], p[0], c.Layers, c.Heads)
		}
	}
	for _, h := range s.Heads {
		if h >= c.Heads {
			return fmt.Errorf("heads names head %d, the model has heads 0 to %d", h, c.Heads-1)
		}
	}
	for name, list := range map[string][]int{"tokens": s.Tokens, "exclude_tokens": s.ExcludeTokens} {
		for _, id := range list {
			if id >= c.Vocab {
				return fmt.Errorf("%s names token %d, the model's vocabulary has %d", name, id, c.Vocab)
			}
		}
	}
	for l := range c.Layers {
		if g := s.Gain(l, c.Layers); g < 0 {
			return fmt.Errorf("the gain of layer %d is %g: alpha %g with last %d is too strong for a model of %d layers", l, g, s.Alpha, s.Last, c.Layers)
		}
	}
	return nil
}
