package emulate

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/attune-lab/attune/pkg/model"
)

// New makes the experiment that carries out a Spec. A Spec that is off gives nil: no experiment, the plain model.
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
	var mask *Node // bool [batch, heads, queries, keys], found once in layer 0
	return func(site *model.Site) {
		if site.Layer == 0 {
			if s.Mask == MaskThreshold {
				mask = thresholdMask(site, s.Tau)
			}
			return
		}
		g := s.Gain(site.Layer, site.Layers)
		if g == 1 {
			return
		}
		probs := site.Probs()
		changed := MulScalar(probs, g)
		if mask != nil {
			changed = Where(mask, changed, probs)
		}
		if s.Renormalise == RenormaliseRow {
			changed = Div(changed, ReduceAndKeep(changed, ReduceSum, -1))
		}
		site.SetProbs(changed)
	}
}

// thresholdMask is M: true where a key's probability is above tau and the key is not the query's own position.
func thresholdMask(site *model.Site, tau float64) *Node {
	probs := site.Probs()
	// The diagonal is taken out as a zero, which is above no tau: a conjunction of two masks, one of them broadcast, inside a loop's body
	// breaks the Go backend's schedule (compute v0.1.6).
	diagonal := BroadcastToDims(site.Diagonal(), probs.Shape().Dimensions...)
	return GreaterThan(Where(diagonal, ZerosLike(probs), probs), Scalar(probs.Graph(), probs.DType(), tau))
}
