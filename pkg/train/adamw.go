package train

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	mlmodel "github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
	"github.com/gomlx/gomlx/ml/train/optimizer"
)

// AdamW is the optimizer. With gradient g (clipped to global norm Clip), moments m and v, step t from 1 and learning rate lr_t:
//
//	m = b1 m + (1-b1) g,  v = b2 v + (1-b2) g²
//	w = w - lr_t * ( (m/(1-b1^t)) / (sqrt(v/(1-b2^t)) + eps) + decay * w )
//
// decay applies to matrices only; norms and biases (rank 1) are not decayed. Moments are float32.
type AdamW struct {
	Schedule    Schedule
	Beta1       float64 // 0 = 0.9
	Beta2       float64 // 0 = 0.95
	Eps         float64 // 0 = 1e-8
	WeightDecay float64 // 0 = none
	Clip        float64 // global gradient norm; 0 = 1
}

// Schedule of the learning rate: linear warm-up to Peak, then a cosine down to Floor*Peak at the last step.
type Schedule struct {
	Peak   float64
	Floor  float64 // share of Peak that is left at the end
	Warmup int     // steps
	Steps  int     // all steps
}

// At is the learning rate of a step, counted from 1.
func (s Schedule) At(step int) float64 {
	if step <= s.Warmup {
		return s.Peak * float64(step) / float64(s.Warmup)
	}
	done := min(1, float64(step-s.Warmup)/float64(max(1, s.Steps-s.Warmup)))
	return s.Peak * (s.Floor + (1-s.Floor)*(1+math.Cos(math.Pi*done))/2)
}

// graph is At for a step that is a node, float32 scalar.
func (s Schedule) graph(step *Node) *Node {
	g := step.Graph()
	one := ScalarOne(g, step.DType())
	warm := MulScalar(step, s.Peak/float64(max(1, s.Warmup)))
	done := Min(one, DivScalar(AddScalar(step, -float64(s.Warmup)), float64(max(1, s.Steps-s.Warmup))))
	cosine := MulScalar(AddScalar(Cos(MulScalar(done, math.Pi)), 1.0), (1-s.Floor)/2)
	decayed := MulScalar(AddScalar(cosine, s.Floor), s.Peak)
	return Where(LessOrEqual(step, Scalar(g, step.DType(), float64(s.Warmup))), warm, decayed)
}

var _ optimizer.Interface = AdamW{}

// UpdateGraph implements GoMLX's optimizer.Interface.
func (o AdamW) UpdateGraph(scope *mlmodel.Scope, g *Graph, loss *Node) {
	beta1, beta2 := orDefault(o.Beta1, 0.9), orDefault(o.Beta2, 0.95)
	step := optimizer.IncrementGlobalStep(g, dtypes.Float32)
	rate := o.Schedule.graph(step)
	fix1 := OneMinus(Pow(Scalar(g, dtypes.Float32, beta1), step))
	fix2 := OneMinus(Pow(Scalar(g, dtypes.Float32, beta2), step))

	var weights []*mlmodel.Variable
	for v := range scope.Store().RootScope().IterVariables() {
		if v.Trainable && v.InUseByGraph(g) {
			weights = append(weights, v)
		}
	}
	grads := scope.Store().RootScope().BuildTrainableVariablesGradientsGraph(loss)
	grads = clip(grads, orDefault(o.Clip, 1))

	zeros := initializer.Zero
	for i, v := range weights {
		moments := scope.Store().RootScope().At(optimizer.Scope).At("adamw").WithInitializer(zeros)
		shape := v.Shape().Clone()
		shape.DType = dtypes.Float32
		mVar := moments.VariableWithShape(v.Name()+".m", shape).SetTrainable(false)
		vVar := moments.VariableWithShape(v.Name()+".v", shape).SetTrainable(false)
		grad := ConvertDType(grads[i], dtypes.Float32)
		m := Add(MulScalar(mVar.NodeValue(g), beta1), MulScalar(grad, 1-beta1))
		s := Add(MulScalar(vVar.NodeValue(g), beta2), MulScalar(Square(grad), 1-beta2))
		mVar.SetNodeValue(m)
		vVar.SetNodeValue(s)
		update := Div(Div(m, fix1), AddScalar(Sqrt(Div(s, fix2)), orDefault(o.Eps, 1e-8)))
		value := ConvertDType(v.NodeValue(g), dtypes.Float32)
		if o.WeightDecay != 0 && shape.Rank() > 1 {
			update = Add(update, MulScalar(value, o.WeightDecay))
		}
		v.SetNodeValue(ConvertDType(Sub(value, Mul(rate, update)), v.DType()))
	}
}

// Clear implements GoMLX's optimizer.Interface: it forgets moments and steps.
func (o AdamW) Clear(scope *mlmodel.Scope) error {
	if err := scope.Store().RootScope().At(optimizer.Scope).DeleteVariablesInScope(); err != nil {
		return err
	}
	return optimizer.DeleteGlobalStep(scope.Store())
}

// clip scales all gradients together so that their global norm is at most limit.
func clip(grads []*Node, limit float64) []*Node {
	var sum *Node
	for _, gr := range grads {
		s := ReduceAllSum(Square(ConvertDType(gr, dtypes.Float32)))
		if sum == nil {
			sum = s
		} else {
			sum = Add(sum, s)
		}
	}
	norm := Sqrt(sum)
	scale := Div(Scalar(norm.Graph(), dtypes.Float32, limit), MaxScalar(norm, limit)) // 1 where the norm is within the limit
	out := make([]*Node, len(grads))
	for i, gr := range grads {
		out[i] = Mul(gr, ConvertDType(scale, gr.DType()))
	}
	return out
}

func orDefault(x, def float64) float64 {
	if x == 0 {
		return def
	}
	return x
}
