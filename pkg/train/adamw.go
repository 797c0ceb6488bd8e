package train

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	mlmodel "github.com/gomlx/gomlx/ml/model"
)

// AdamW is the optimizer (Loshchilov and Hutter 2019). With the gradient g of a step, clipped to global norm Clip, moments m and v, step t from 1 and learning
// rate lr_t:
//
//	m = b1 m + (1-b1) g,  v = b2 v + (1-b2) g²
//	w = w - lr_t * ( (m/(1-b1^t)) / (sqrt(v/(1-b2^t)) + eps) + decay * w )
//
// decay applies to matrices only, not to norms, biases and embeddings (a tied head is one). Moments and weights are float32. In every field a negative number
// means zero.
type AdamW struct {
	Schedule    Schedule
	Beta1       float64 // 0 = 0.9
	Beta2       float64 // 0 = 0.95
	Eps         float64 // 0 = 1e-8
	WeightDecay float64 // 0 = 0.1
	Clip        float64 // global gradient norm; 0 = 1; negative = no clipping
}

// Schedule of the learning rate: linear warm-up to Peak, then a cosine down to Floor*Peak at the last step.
type Schedule struct {
	Peak   float64 // 0 = 1e-3
	Floor  float64 // share of Peak that is left at the end; 0 = 0.1
	Warmup int     // steps; 0 = a twentieth of all; negative = none
	Steps  int     // all steps; 0 = those of the run
}

// withDefaults fills the zero fields for a run of so many steps.
func (o AdamW) withDefaults(steps int) AdamW {
	def := func(p *float64, value float64) {
		if *p == 0 {
			*p = value
		}
		*p = max(0, *p)
	}
	def(&o.Schedule.Peak, 1e-3)
	def(&o.Schedule.Floor, 0.1)
	def(&o.Beta1, 0.9)
	def(&o.Beta2, 0.95)
	def(&o.Eps, 1e-8)
	def(&o.WeightDecay, 0.1)
	def(&o.Clip, 1)
	if o.Schedule.Steps == 0 {
		o.Schedule.Steps = steps
	}
	if o.Schedule.Warmup == 0 {
		o.Schedule.Warmup = max(1, o.Schedule.Steps/20)
	}
	o.Schedule.Warmup = max(0, o.Schedule.Warmup)
	return o
}

// At is the learning rate of a step, counted from 1.
func (s Schedule) At(step int) float64 {
	if step <= s.Warmup {
		return s.Peak * float64(step) / float64(s.Warmup)
	}
	done := min(1, float64(step-s.Warmup)/float64(max(1, s.Steps-s.Warmup)))
	return s.Peak * (s.Floor + (1-s.Floor)*(1+math.Cos(math.Pi*done))/2)
}

// rates are a step's scalars, computed in float64: lr_t, 1-b1^t and 1-b2^t.
func (o AdamW) rates(step int) []float32 {
	t := float64(step)
	return []float32{float32(o.Schedule.At(step)), float32(1 - math.Pow(o.Beta1, t)), float32(1 - math.Pow(o.Beta2, t))}
}

// trained is a weight in training: a float32 variable, its moments and, where gradients of several batches are added up, their sum.
type trained struct {
	name        string
	value, m, v *mlmodel.Variable
	sum         *mlmodel.Variable
	decay       bool
}

// update is one step in a graph; rates is float32 [3 or more]. Where the scalar good is false everything stays as it was.
func (o AdamW) update(weights []trained, grads []*Node, norm, good, rates *Node) {
	g := norm.Graph()
	rate, fix1, fix2 := element(rates, 0), element(rates, 1), element(rates, 2)
	if o.Clip > 0 {
		scale := Div(Scalar(g, dtypes.Float32, o.Clip), MaxScalar(norm, o.Clip)) // 1 where the norm is within the limit
		grads = append([]*Node{}, grads...)
		for i := range grads {
			grads[i] = Mul(grads[i], scale)
		}
	}
	for i, w := range weights {
		m0, v0, value := w.m.NodeValue(g), w.v.NodeValue(g), w.value.NodeValue(g)
		m := Add(MulScalar(m0, o.Beta1), MulScalar(grads[i], 1-o.Beta1))
		v := Add(MulScalar(v0, o.Beta2), MulScalar(Square(grads[i]), 1-o.Beta2))
		change := Div(Div(m, fix1), AddScalar(Sqrt(Div(v, fix2)), o.Eps))
		if o.WeightDecay > 0 && w.decay {
			change = Add(change, MulScalar(value, o.WeightDecay))
		}
		keep := func(v *mlmodel.Variable, after, before *Node) {
			v.SetNodeValue(Where(BroadcastToDims(good, after.Shape().Dimensions...), after, before))
		}
		keep(w.m, m, m0)
		keep(w.v, v, v0)
		keep(w.value, Sub(value, Mul(rate, change)), value)
	}
}

// globalNorm is the root of the sum of the squares of all gradients.
func globalNorm(grads []*Node) *Node {
	sum := ScalarZero(grads[0].Graph(), dtypes.Float32)
	for _, gr := range grads {
		sum = Add(sum, ReduceAllSum(Square(gr)))
	}
	return Sqrt(sum)
}

// element is one entry of a vector, as a scalar.
func element(x *Node, i int) *Node { return Reshape(SliceAxis(x, 0, AxisElem(i))) }
