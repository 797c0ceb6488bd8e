package calibrate

import (
	"fmt"
	"math"
	"slices"

	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/eval"
)

// Method is an intervention that was published for chosen heads.
type Method string

// The methods.
const (
	ACT        Method = "act"         // sinks beyond the first one that a head has are damped
	ZeroTuning Method = "zero-tuning" // the first token's attention is boosted or damped
	PASTA      Method = "pasta"       // the prompt outside its highlighted span is damped: examples need a [eval.Example.Highlight]
)

// Criterion is what a head's response is measured by.
type Criterion string

// The criteria.
const (
	Score   Criterion = "score"   // log-probability of the right choice among the choices
	Entropy Criterion = "entropy" // of the choices' probabilities; no answer is read
)

// Options of [Run]. Zero values are defaults.
type Options struct {
	Method Method
	// Gain of the method; 0 = its published one (ACT 0.4, PASTA 0.01), for ZeroTuning 1.5, which is tried with its inverse.
	Gain float64
	By   Criterion // "" = Score
	// Heads that are chosen at most; 0 = a tenth of the candidates.
	Heads int
	// Layers of the candidates; nil = for ACT the middle ones (all but the first two and the last, where there are more than four), else all.
	Layers []int
	// Percent of the examples to choose on; 0 = [DefaultPercent].
	Percent int
	Seed    uint64      // of the split and of the random heads
	Draws   int         // sets of random heads; the first is the control, the others show its spread; 0 = 5
	Answer  eval.Answer // must give scores; nil = log-likelihood of the choices
	// Eval runs the arms and keeps their answers; Controls are filled in.
	Eval eval.Options
}

// DefaultPercent of the examples are those to choose on.
const DefaultPercent = 50

func (o Options) withDefaults() Options {
	if o.By == "" {
		o.By = Score
	}
	if o.Percent == 0 {
		o.Percent = DefaultPercent
	}
	if o.Draws == 0 {
		o.Draws = 5
	}
	if o.Gain == 0 {
		o.Gain = map[Method]float64{ACT: 0.4, PASTA: 0.01, ZeroTuning: 1.5}[o.Method]
	}
	return o
}

func (o Options) check() error {
	o = o.withDefaults()
	switch {
	case o.Method != ACT && o.Method != ZeroTuning && o.Method != PASTA:
		return fmt.Errorf("calibrate: no method is named %q, expected %q, %q or %q", o.Method, ACT, ZeroTuning, PASTA)
	case o.By != Score && o.By != Entropy:
		return fmt.Errorf("calibrate: no criterion is named %q, expected %q or %q", o.By, Score, Entropy)
	case math.IsNaN(o.Gain) || math.IsInf(o.Gain, 0) || o.Gain < 0 || o.Gain == 1:
		return fmt.Errorf("calibrate: a gain of %v, expected a finite factor of at least 0 that is not 1", o.Gain)
	case o.Method == ACT && o.Gain > 1:
		return fmt.Errorf("calibrate: a gain of %v, but %q gives what it frees to the rest of the row: expected less than 1", o.Gain, ACT)
	case o.Method == PASTA && o.Gain > 1:
		return fmt.Errorf("calibrate: a gain of %v, but %q damps what is not highlighted: expected less than 1", o.Gain, PASTA)
	case o.Heads < 0 || o.Draws < 1:
		return fmt.Errorf("calibrate: %d heads and %d sets of random ones, expected at least 1 of both, or 0 for the default", o.Heads, o.Draws)
	case o.Eval.Runner == nil:
		return fmt.Errorf("calibrate: Eval.Runner is nil: a model answers the examples")
	}
	return nil
}

// gains that are tried.
func (o Options) gains() []float64 {
	gain := o.withDefaults().Gain
	if o.Method == ZeroTuning && gain > 0 {
		return []float64{gain, 1 / gain}
	}
	return []float64{gain}
}

// Arms is how many arms [Respond] asks of a model with so many layers and heads: the untouched one, and each candidate in each gain.
func (o Options) Arms(layers, heads int) (int, error) {
	candidates, err := o.candidates(layers, heads)
	return 1 + len(o.gains())*len(candidates), err
}

// spec is the method on heads.
func (o Options) spec(gain float64, heads []Head) emulate.Spec {
	pairs := make([][2]int, len(heads))
	for i, h := range heads {
		pairs[i] = [2]int{h.Layer, h.Head}
	}
	slices.SortFunc(pairs, func(a, b [2]int) int { return slices.Compare(a[:], b[:]) })
	var s emulate.Spec
	switch o.Method {
	case ACT:
		s = emulate.ACT(pairs...)
	case PASTA:
		s = emulate.PASTA(nil, pairs)
	default:
		s = emulate.ZeroTuning(gain, pairs...)
	}
	s.Alpha = gain - 1
	return s
}

// candidates of a model, by layer.
func (o Options) candidates(layers, heads int) ([]Head, error) {
	at := slices.Clone(o.Layers)
	first, last := 0, layers
	if o.Method == ACT && layers > 4 {
		first, last = 2, layers-1
	}
	for l := first; l < last && o.Layers == nil; l++ {
		at = append(at, l)
	}
	slices.Sort(at)
	var out []Head
	for _, l := range slices.Compact(at) {
		if l < 0 || l >= layers {
			return nil, fmt.Errorf("calibrate: layer %d, the model has layers 0 to %d", l, layers-1)
		}
		for h := range heads {
			out = append(out, Head{l, h})
		}
	}
	if o.Heads > len(out) {
		return nil, fmt.Errorf("calibrate: %d heads are to be chosen of %d candidates: ask for fewer", o.Heads, len(out))
	}
	return out, nil
}
