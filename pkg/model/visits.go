package model

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/support/exceptions"

	attn "github.com/attune-lab/attune/pkg/attention"
)

// Experiment is what happens at a model's attention sites; see package attention.
type Experiment = attn.Experiment

// Dims are the model's dimensions as an experiment sees them.
func (c *Config) Dims() attn.Dims {
	return attn.Dims{Layers: c.Layers, Heads: c.Heads, KVHeads: c.KVHeads, HeadDim: c.HeadDim, Vocab: c.VocabSize, Positions: c.MaxPositions}
}

// Windows are how many keys a query of each layer sees at most, its own included; 0 = all up to its own.
func (m *Model) Windows() []int {
	windows := make([]int, len(m.arch.blocks))
	for l, b := range m.arch.blocks {
		windows[l] = b.attn.window
	}
	return windows
}

// LearnedSinks says of each layer whether a learned sink takes part in its softmax, so that its rows sum to less than one.
func (m *Model) LearnedSinks() []bool {
	sinks := make([]bool, len(m.arch.blocks))
	for l, b := range m.arch.blocks {
		sinks[l] = b.attn.sinks != ""
	}
	return sinks
}

// Modules are the checkpoint's names of what an experiment sees at a layer: of the attention whose probabilities it has, of the MLP, and of the layer behind which the
// residual stream is seen. They are the family's; experiments and readers name the three alike in every family.
type Modules struct{ Attention, MLP, Layer string }

// Modules of a layer.
func (m *Model) Modules(layer int) Modules {
	arch, err := m.Config.describe() // not the layout that the backend has
	if err != nil {
		return Modules{}
	}
	b, start := arch.blocks[layer], arch.layerName(layer)
	parent := func(names ...string) string {
		for _, name := range names {
			if rest, ok := strings.CutPrefix(name, start); ok {
				module, _, _ := strings.Cut(rest, ".")
				return start + module
			}
		}
		return strings.TrimSuffix(start, ".")
	}
	mlp := []string{b.mlp.down.name}
	if e := b.mlp.experts; e != nil {
		mlp = append(mlp, e.prefix, e.router.name)
	}
	return Modules{Attention: parent(b.attn.out.name), MLP: parent(mlp...), Layer: strings.TrimSuffix(start, ".")}
}

// GPUPlan says how the planner computes each kind of the model's layers in a prefill on an NVIDIA GPU, in a model of half precision: "window: own kernel; full: cuDNN".
func (m *Model) GPUPlan() string {
	var kinds []string
	for _, b := range m.arch.blocks {
		kind := "full"
		if b.attn.window > 0 {
			kind = "window"
		}
		if b.attn.softcap > 0 {
			kind += ", cap"
		}
		if b.attn.sinks != "" {
			kind += ", sink"
		}
		way, large := attn.OnGPU(attn.Form{Scale: b.attn.scale, Softcap: b.attn.softcap, Window: b.attn.window}, b.attn.sinks != "", m.arch.wide)
		kind += ": " + string(way)
		if large != "" {
			kind += fmt.Sprintf(", from %d tokens %s", attn.NarrowTokens, large)
		}
		if !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	return strings.Join(kinds, "; ")
}

// layerOf is a layer as an experiment sees it.
func layerOf(c *Config, a *architecture, l int, phase attn.Phase) attn.Layer {
	return attn.Layer{Index: l, Phase: phase, HasSinks: a.blocks[l].attn.sinks != "", Dims: c.Dims()}
}

// visits asks an experiment, nil for none, what it does at each layer.
func (m *Model) visits(exp Experiment, phase attn.Phase) (visits []*attn.Visit, err error) {
	if exp == nil {
		return nil, nil
	}
	visits = make([]*attn.Visit, m.Config.Layers)
	err = exceptions.TryCatch[error](func() {
		for l := range visits {
			visits[l] = exp.Visit(layerOf(m.Config, m.arch, l, phase))
		}
	})
	return visits, err
}

// ExperimentKey says all that an experiment, nil for none, does to the model's prefill: two of one key give one result.
func (m *Model) ExperimentKey(exp Experiment) string {
	visits, err := m.visits(exp, attn.Prefill)
	if err != nil {
		return err.Error()
	}
	return wholeKey(visits)
}

// wholeKey says all that a graph of all layers depends on: the keys of their visits and their inputs, which are constants there.
func wholeKey(visits []*attn.Visit) string {
	var b strings.Builder
	for l, v := range visits {
		if v == nil {
			continue
		}
		fmt.Fprintf(&b, " %d: %s", l, v.Key)
		for _, name := range slices.Sorted(maps.Keys(v.Inputs)) {
			fmt.Fprintf(&b, " %s %v", name, v.Inputs[name])
		}
	}
	return b.String()
}

// planOf numbers what a pass did at each layer, for Result.Plan.
func planOf(how []string) []string {
	lines := make([]string, len(how))
	for l, h := range how {
		lines[l] = fmt.Sprintf("layer %d: %s", l, h)
	}
	return lines
}
