package apply

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/attune-lab/attune/pkg/attention"
	"github.com/attune-lab/attune/pkg/emulate"
)

// Execution says how a Spec is carried out; it does not change what is computed. The zero value takes the cheapest exact path of every layer.
type Execution attention.Execution

// New makes the experiment that carries out a Spec. A Spec that is off gives nil: no experiment, the plain model. What only the model can tell
// (a layer, head or token that it has not) is an error of the first pass that uses the experiment; Spec.Check tells it beforehand.
func New(s emulate.Spec) (attention.Experiment, error) { return Execution{}.New(s) }

// New is the function New with this way to execute.
func (x Execution) New(s emulate.Spec) (attention.Experiment, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if !s.Enabled() {
		return nil, nil
	}
	return layer{s, attention.Execution(x)}, nil
}

// Plan carries a Plan out: its Specs act one after the other at every site, each on what the one before left. It is nil where nothing is enabled.
func Plan(p emulate.Plan) (attention.Experiment, error) {
	var steps []attention.Experiment
	for i, s := range p {
		e, err := New(s)
		if err != nil {
			return nil, fmt.Errorf("step %d: %w", i+1, err)
		}
		if e != nil {
			steps = append(steps, e)
		}
	}
	return attention.Sequence(steps...), nil
}

// Model is what Spec.Check looks at in a model's dimensions.
func Model(d attention.Dims) emulate.Model {
	return emulate.Model{Layers: d.Layers, Heads: d.Heads, Vocab: d.Vocab}
}

// layer is the emulation layer as an experiment.
type layer struct {
	spec emulate.Spec
	how  attention.Execution
}

// Names of what a visit keeps and of its inputs.
const (
	keptMask  = "emulated"
	inputGain = "gain"
	inputTau  = "tau"
	inputHead = "heads"
	inputDraw = "draw"
)

// Visit is the Spec at a layer: a source keeps its part of the mask, a layer that is changed weighs its probabilities, every other one is left alone.
func (e layer) Visit(l attention.Layer) *attention.Visit {
	s := e.spec
	if s.Phase == emulate.PhasePrefill && l.Phase != attention.Prefill || s.Phase == emulate.PhaseDecode && l.Phase != attention.Decode {
		return nil
	}
	if err := s.Check(Model(l.Dims)); err != nil {
		exceptions.Panicf("intervention %s: %v", s, err)
	}
	v := &attention.Visit{Inputs: map[string][]float32{}, Trees: true}
	if i := slices.Index(s.Sources(), l.Index); i >= 0 {
		return e.keep(v, i)
	}
	gain := s.Gain(l.Index, l.Layers)
	// With a gain of 1 there is nothing to do, unless rows are to sum to 1 and a learned sink has taken part of them.
	if gain == 1 && !(s.Renormalise == emulate.RenormaliseRow && l.HasSinks && s.Acts(l.Index)) {
		return nil
	}
	return e.change(v, l, gain)
}

// keep is the visit to the i-th source.
func (e layer) keep(v *attention.Visit, i int) *attention.Visit {
	shape := e.threshold(v)
	v.Key = fmt.Sprintf("emulate source %d of %d %s", i, len(e.spec.Sources()), shape)
	v.Build = func(site *attention.Site) { attention.KeepMask(site, e.earlier(site), i) }
	return v
}

// change is the visit to a layer that is changed.
func (e layer) change(v *attention.Visit, l attention.Layer, gain float64) *attention.Visit {
	s := e.spec
	v.Inputs[inputGain] = attention.GainInput(gain)
	class := attention.ClassOf(gain)
	shape := ""
	switch s.Mask {
	case emulate.MaskAll:
	case emulate.MaskKeys, emulate.MaskOutside:
		shape = fmt.Sprintf("%v %v %v %t %+v", s.Positions, s.Spans, s.Tokens, s.Highlighted, e.without())
	case emulate.MaskSinks, emulate.MaskRunningSinks:
		v.Inputs[inputTau] = []float32{float32(s.Tau)}
		shape = fmt.Sprintf("%t %+v", s.KeepFirst, e.without())
	default:
		shape = fmt.Sprintf("%d sources %s", len(s.Sources()), e.threshold(v))
	}
	if s.Mask == emulate.MaskRandom {
		v.Inputs[inputDraw] = attention.DrawInput(s.Seed, l.Index, l.Heads)
	}
	if marks := headMarks(s, l); marks != nil {
		v.Inputs[inputHead] = marks
	}
	v.Key = fmt.Sprintf("emulate %q %q %s %s", s.Mask, s.Renormalise, class, shape)
	if e.how != (attention.Execution{}) {
		v.Key += fmt.Sprintf(" %+v", e.how)
	}
	v.Build = func(site *attention.Site) {
		w := attention.Weighted{Mask: e.mask(site), Gain: site.Input(inputGain), Class: class, Spread: s.Mask == emulate.MaskUniform,
			Renormalise: renormalisations[s.Renormalise], Execution: e.how}
		if v.Inputs[inputHead] != nil {
			w.Heads = site.Input(inputHead)
		}
		site.Change(w)
	}
	return v
}

var renormalisations = map[emulate.Renormalisation]attention.Renormalise{
	emulate.RenormaliseNone: attention.KeepGain, emulate.RenormaliseRow: attention.Row,
	emulate.RenormaliseKeepDiagonal: attention.KeepDiagonal, emulate.RenormaliseRest: attention.Rest,
}

var pairings = map[emulate.Pairing]attention.Pairing{
	emulate.PairSame: attention.SameHead, emulate.PairMean: attention.MeanHeads, emulate.PairBest: attention.BestHead,
}

// threshold adds the inputs of the threshold in the source, and says what of it is a part of the graph.
func (e layer) threshold(v *attention.Visit) string {
	s := e.spec
	tau := s.Tau
	if s.PerKey > 0 {
		tau = s.PerKey
	}
	v.Inputs[inputTau] = []float32{float32(tau)}
	return fmt.Sprintf("pairing %q per key %t top %d quantile %g without %+v", s.Pairing, s.PerKey > 0, s.TopK, s.Quantile, e.without())
}

func (e layer) without() attention.Excluded {
	return attention.Excluded{Diagonal: !e.spec.Diagonal, Positions: e.spec.ExcludePositions, Tokens: e.spec.ExcludeTokens}
}

// earlier is the mask that the sources keep.
func (e layer) earlier(site *attention.Site) attention.Earlier {
	s := e.spec
	return attention.Earlier{Name: keptMask, Sources: len(s.Sources()), Pairing: pairings[s.Pairing], Tau: tau(site), PerKey: s.PerKey > 0, TopK: s.TopK,
		Quantile: s.Quantile, Without: e.without(), Execution: e.how}
}

// mask of a layer that is changed.
func (e layer) mask(site *attention.Site) attention.Mask {
	s := e.spec
	switch s.Mask {
	case emulate.MaskAll:
		return attention.Everything{}
	case emulate.MaskKeys, emulate.MaskOutside:
		return attention.Columns{Positions: s.Positions, Spans: s.Spans, Tokens: s.Tokens, Highlighted: s.Highlighted, Outside: s.Mask == emulate.MaskOutside, Without: e.without()}
	case emulate.MaskSinks, emulate.MaskRunningSinks:
		return attention.Received{Tau: tau(site), Running: s.Mask == emulate.MaskRunningSinks, KeepFirst: s.KeepFirst, Without: e.without()}
	case emulate.MaskRandom:
		return attention.AsMany{Of: e.earlier(site), Draw: site.Input(inputDraw), Without: e.without()}
	case emulate.MaskLocal:
		return attention.AsMany{Of: e.earlier(site), Without: e.without()}
	}
	return e.earlier(site)
}

func tau(site *attention.Site) *Node {
	return Reshape(ConvertDType(site.Input(inputTau), dtypes.Float32))
}

// headMarks is 1 for the heads that the Spec changes in a layer; nil for all.
func headMarks(s emulate.Spec, l attention.Layer) []float32 {
	heads := slices.Clone(s.Heads)
	for _, p := range s.LayerHeads {
		if p[0] == l.Index {
			heads = append(heads, p[1])
		}
	}
	if len(heads) == 0 {
		return nil
	}
	marks := make([]float32, l.Heads)
	for _, h := range heads {
		marks[h] = 1
	}
	return marks
}
