package emulate

import (
	"fmt"
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/attune-lab/attune/pkg/model"
)

// Execution says how a Spec is carried out; it does not change what is computed. The zero value takes the cheapest exact path of every layer.
type Execution struct {
	// Dense forms the probabilities of every changed layer, also where a fused kernel could do without: for comparison.
	Dense bool
	// MaxBytes bounds what one layer may hold of size [batch, heads, queries, keys]; a layer that would need more is computed by blocks of rows.
	// 0 = 8 GiB. It concerns accelerators: the Go backend forms probabilities anyway.
	MaxBytes int64
}

// New makes the experiment that carries out a Spec. A Spec that is off gives nil: no experiment, the plain model. What only the model can tell
// (a layer, head or token that it has not) is an error of the first pass that uses the experiment; Spec.Check tells it beforehand.
func New(s Spec) (model.Experiment, error) { return Execution{}.New(s) }

// New is the function New with this way to execute.
func (x Execution) New(s Spec) (model.Experiment, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if !s.Enabled() {
		return nil, nil
	}
	return layer{s, x}, nil
}

// layer is the emulation layer as an experiment.
type layer struct {
	spec Spec
	how  Execution
}

func (e layer) Key() string {
	key := "emulate " + string(e.spec.JSON())
	if e.how != (Execution{}) {
		key += fmt.Sprintf(" %+v", e.how)
	}
	return key
}

func (e layer) Attach(run *model.Run) func(*model.Site) {
	s := e.spec
	if s.Phase == PhasePrefill && run.Phase != model.Prefill || s.Phase == PhaseDecode && run.Phase != model.Decode {
		return nil
	}
	if err := s.Check(run.Config); err != nil {
		exceptions.Panicf("intervention %s: %v", s, err)
	}
	a := &attached{spec: s, how: e.how}
	return func(site *model.Site) {
		a.observe(site)
		if change, ok := a.edit(site); ok {
			a.carryOut(change, site)
		}
	}
}

// attached is a Spec at work in one graph.
type attached struct {
	spec    Spec
	how     Execution
	sources []*model.Site
	pattern *pattern       // of whole layers, once a layer needs it
	biases  map[bool]*Node // see bias
	bits    *Node          // see inBits
}

// observe takes in a layer that is a source of the mask.
func (a *attached) observe(site *model.Site) {
	if slices.Contains(a.spec.sources(), site.Layer) {
		a.sources = append(a.sources, site)
	}
}

// edit says what the Spec does to a site, in the form that every way to execute it shares; false where it leaves the site alone.
func (a *attached) edit(site *model.Site) (edit, bool) {
	gain := a.spec.Gain(site.Layer, site.Layers)
	// With a gain of 1 there is nothing to do, unless rows are to sum to 1 and a learned sink has taken part of them.
	if gain == 1 && !(a.spec.Renormalise == RenormaliseRow && site.Sinks != nil && a.spec.acts(site.Layer)) {
		return edit{}, false
	}
	return edit{gain: gain, everything: a.spec.Mask == MaskAll, heads: a.spec.headMask(site), spread: a.spec.Mask == MaskUniform, renormalise: a.spec.Renormalise}, true
}

// mask of a site: bool [batch, heads, queries, keys], nil for every entry.
func (a *attached) mask(site *model.Site) *Node {
	if a.spec.hasSource() && a.pattern == nil {
		a.pattern = a.spec.patternOf(a.sources)
	}
	received := func() *Node { return a.spec.sinks(site) }
	return a.spec.maskFrom(a.pattern, site, received)
}

// maskFrom is the mask of a site, or of a part of one, given the pattern of the same rows. sinks gives the columns of received attention.
func (s Spec) maskFrom(p *pattern, site *model.Site, sinks func() *Node) *Node {
	switch s.Mask {
	case MaskAll:
		return nil
	case MaskKeys:
		return whereNot(s.excluded(site), s.keysNamed(site), entries(site))
	case MaskOutside:
		return whereNot(s.excluded(site), LogicalNot(s.keysNamed(site)), entries(site))
	case MaskSinks, MaskRunningSinks:
		return whereNot(s.excluded(site), sinks(), entries(site))
	}
	mask := p.mask(s, site)
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
