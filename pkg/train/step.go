package train

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	mlmodel "github.com/gomlx/gomlx/ml/model"

	"github.com/attune-lab/attune/pkg/model"
)

// step computes training steps. For one batch a step is one graph: forward pass, gradients, clipping, update. For several it is a graph that adds a
// batch's gradients to a sum, run for each, and one that updates with the sum.
type step struct {
	model   *model.Model
	opt     AdamW
	pass    model.PassOptions
	several bool // batches per step
	weights []trained
	execs   map[string]*mlmodel.Exec
}

// outcome of a step: the weighted mean loss in nats and the gradient's global norm before clipping.
type outcome struct{ loss, norm float64 }

func (o outcome) finite() bool {
	return !math.IsNaN(o.loss+o.norm) && !math.IsInf(o.loss, 0) && !math.IsInf(o.norm, 0)
}

// stateScope holds the optimizer's variables in the model's store; they go when training ends.
const stateScope = "/train"

// newStep prepares the training of the named weights.
func newStep(m *model.Model, opt AdamW, pass model.PassOptions, names []string, several bool) (*step, error) {
	s := &step{model: m, opt: opt, pass: pass, several: several, execs: map[string]*mlmodel.Exec{}}
	matrix := map[string]bool{}
	for _, w := range m.Weights() {
		matrix[w.Name] = w.Matrix
	}
	for _, name := range m.AdapterWeights() {
		matrix[name] = true
	}
	for _, name := range names {
		w := trained{name: name, value: m.Store().GetVariable("/" + name), decay: matrix[name]}
		if w.value.DType() != dtypes.Float32 {
			return nil, fmt.Errorf("weight %q is %s, and training adds up changes too small for it: open the model in float32 and set Options.Compute", name, w.value.DType())
		}
		parts := map[string]**mlmodel.Variable{"m": &w.m, "v": &w.v}
		if several {
			parts["sum"] = &w.sum
		}
		for part, at := range parts {
			var err error
			if *at, err = m.Store().CreateVariable(stateScope+"/"+part+"/"+name, tensors.FromShape(w.value.Shape())); err != nil {
				s.close()
				return nil, fmt.Errorf("optimizer of %q: %w", name, err)
			}
		}
		s.weights = append(s.weights, w)
	}
	return s, nil
}

// close forgets the optimizer's variables and compiled graphs.
func (s *step) close() error {
	for _, e := range s.execs {
		e.Finalize()
	}
	return s.model.Store().DeleteVariablesInScope(stateScope)
}

// run does step number n, from 1, on its batches. An outcome that is not finite has changed nothing.
func (s *step) run(batches []*Packed, n int) (outcome, error) {
	total := 0.0
	for _, p := range batches {
		total += p.weight()
	}
	rates := append(s.opt.rates(n), float32(1/total), 0)
	if !s.several {
		return s.call(s.key(batches[0]), rates, batches[0])
	}
	sum := outcome{}
	for _, p := range batches {
		out, err := s.call("add "+s.key(p), rates, p)
		if err != nil {
			return out, err
		}
		sum.loss += out.loss
		rates[4] = 1
	}
	if !sum.finite() {
		return sum, nil
	}
	out, err := s.call("update", rates, nil)
	sum.norm = out.norm
	return sum, err
}

// key names the graph for a batch: rows of one document need no mask between documents, and the backend's fused kernel knows their causal triangle.
func (s *step) key(p *Packed) string {
	if p.several() {
		return "packed"
	}
	return "whole"
}

// call runs a graph, made the first time, on the step's scalars and a batch.
func (s *step) call(key string, rates []float32, p *Packed) (outcome, error) {
	exec := s.execs[key]
	if exec == nil {
		var err error
		exec, err = mlmodel.NewExec(s.model.Backend, s.model.Store(), func(_ *mlmodel.Scope, in []*Node) *Node {
			if len(in) == 1 {
				return s.updateGraph(in[0])
			}
			return s.batchGraph(in)
		})
		if err != nil {
			return outcome{}, err
		}
		s.execs[key] = exec
	}
	inputs := []any{rates}
	if p != nil {
		ids := func(v []int32) *tensors.Tensor { return tensors.FromFlatDataAndDimensions(v, p.Rows, p.Width) }
		inputs = append(inputs, tensors.FromFlatDataAndDimensions(p.Weights, p.Rows, p.Width), ids(p.Labels), ids(p.Tokens))
		if p.several() {
			inputs = append(inputs, ids(p.Positions), ids(p.Segments))
		}
	}
	out, err := exec.Exec(inputs...)
	if err != nil {
		return outcome{}, err
	}
	v, err := tensors.CopyFlatData[float32](out[0])
	if err != nil {
		return outcome{}, err
	}
	return outcome{float64(v[0]), float64(v[1])}, nil
}

// batchGraph works on a batch: inputs are the scalars float32 [5] (AdamW.rates, one over the step's weight, whether the sum continues), weights of the labels float32
// [rows, width], labels, tokens and for rows of several documents positions and segments, int32 [rows, width]. Its result is float32 [2], the batch's share of the
// mean loss and the norm of its gradient.
func (s *step) batchGraph(in []*Node) *Node {
	g, scalars, labels := in[0].Graph(), in[0], in[2]
	rows := model.Rows{Tokens: in[3]}
	if len(in) > 4 {
		rows.Positions, rows.Segments = in[4], in[5]
	}
	loss := Mul(ReduceAllSum(Mul(s.model.LossGraph(rows, labels, s.pass), in[1])), element(scalars, 3))
	values := make([]*Node, len(s.weights))
	for i, w := range s.weights {
		values[i] = w.value.NodeValue(g)
	}
	grads := Gradient(loss, values...)
	if !s.several {
		return s.update(loss, grads, scalars)
	}
	goesOn := GreaterThan(element(scalars, 4), ScalarZero(g, dtypes.Float32))
	for i, w := range s.weights {
		before := w.sum.NodeValue(g)
		w.sum.SetNodeValue(Add(grads[i], Where(BroadcastToDims(goesOn, before.Shape().Dimensions...), before, ZerosLike(before))))
	}
	return Stack([]*Node{loss, ScalarZero(g, dtypes.Float32)}, 0)
}

// updateGraph updates with the sums of gradients.
func (s *step) updateGraph(scalars *Node) *Node {
	g := scalars.Graph()
	sums := make([]*Node, len(s.weights))
	for i, w := range s.weights {
		sums[i] = w.sum.NodeValue(g)
	}
	return s.update(ScalarZero(g, dtypes.Float32), sums, scalars)
}

// update changes the weights unless something is not finite.
func (s *step) update(loss *Node, grads []*Node, scalars *Node) *Node {
	norm := globalNorm(grads)
	s.opt.update(s.weights, grads, norm, LogicalAnd(IsFinite(loss), IsFinite(norm)), scalars)
	return Stack([]*Node{loss, norm}, 0)
}
