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
