package emulate

import (
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/attune-lab/attune/pkg/model"
)

// New makes the experiment that carries out a Spec. A Spec that is off gives nil: no experiment, the plain model. What only the model can tell
// (a layer, head or token that it has not) is an error of the first pass that uses the experiment; Spec.Check tells it beforehand.
func New(s Spec) (model.Experiment, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if !s.Enabled() {
		return nil, nil
	}
	return layer{s}, nil
}

// layer is the emulation layer as an experiment.
type layer struct{ spec Spec }

func (e layer) Key() string { return "emulate " + string(e.spec.JSON()) }

func (e layer) Attach(run *model.Run) func(*model.Site) {
	s := e.spec
	if s.Phase == PhasePrefill && run.Phase != model.Prefill || s.Phase == PhaseDecode && run.Phase != model.Decode {
		return nil
	}
	if err := s.Check(run.Config); err != nil {
		exceptions.Panicf("intervention %s: %v", s, err)
	}
	a := &attached{spec: s}
	return func(site *model.Site) {
		a.observe(site)
		if change, ok := a.edit(site); ok {
			site.SetProbs(change.dense(site.Probs(), site.Diagonal()))
		}
	}
}

// attached is a Spec at work in one graph.
type attached struct {
	spec   Spec
	source pattern
}

// observe takes in a layer that is a source of the mask.
func (a *attached) observe(site *model.Site) { a.source.observe(a.spec, site) }

// edit says what the Spec does to a site, in the form that every way to execute it shares; false where it leaves the site alone.
func (a *attached) edit(site *model.Site) (edit, bool) {
	gain := a.spec.Gain(site.Layer, site.Layers)
	// With a gain of 1 there is nothing to do, unless rows are to sum to 1 and a learned sink has taken part of them.
	if gain == 1 && !(a.spec.Renormalise == RenormaliseRow && site.Sinks != nil && a.spec.acts(site.Layer)) {
		return edit{}, false
	}
	return edit{
		mask: a.mask(site), gain: gain, heads: a.spec.headMask(site), spread: a.spec.Mask == MaskUniform, renormalise: a.spec.Renormalise,
	}, true
}

// mask of a site: bool [batch, heads, queries, keys], nil for every entry.
func (a *attached) mask(site *model.Site) *Node {
	s := a.spec
	switch s.Mask {
	case MaskAll:
		return nil
	case MaskKeys:
		return whereNot(s.excluded(site), s.keysNamed(site), entries(site))
	case MaskOutside:
		return whereNot(s.excluded(site), LogicalNot(s.keysNamed(site)), entries(site))
	case MaskSinks, MaskRunningSinks:
		return whereNot(s.excluded(site), s.sinks(site), entries(site))
	}
	mask := a.source.mask(s, site)
	switch s.Mask {
	case MaskRandom:
		return s.chooseAsMany(site, mask, drawn(s.Seed, site), drawnBits)
	case MaskLocal:
		return s.chooseAsMany(site, mask, site.KeyPos, bitsFor(site.Run().Config.MaxPositions))
	}
	return mask
}

// entries are the dimensions of a site's attention: batch, heads, queries, keys.
func entries(site *model.Site) []int {
	d := site.Query.Shape().Dimensions
	return []int{d[0], d[1], d[2], site.NumKeys()}
}

// headMask is true for the heads that the Spec changes in a layer: bool [1, heads, 1, 1]; nil for all.
func (s Spec) headMask(site *model.Site) *Node {
	heads := slices.Clone(s.Heads)
	for _, p := range s.LayerHeads {
		if p[0] == site.Layer {
			heads = append(heads, p[1])
		}
	}
	if len(heads) == 0 {
		return nil
	}
	marks := make([]int32, entries(site)[1])
	for _, h := range heads {
		marks[h] = 1
	}
	m := Const(site.Query.Graph(), marks)
	return InsertAxes(NotEqual(m, ZerosLike(m)), 0, -1, -1)
}
