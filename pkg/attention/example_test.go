package attention_test

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/attention"
	"github.com/attune-lab/attune/pkg/model"
)

// double doubles what every later layer gives to the keys that layer 0 gives more than a tenth, and says what a row then sums to at most.
type double struct{}

func (double) Visit(l attention.Layer) *attention.Visit {
	if l.Index == 0 {
		return &attention.Visit{Key: "double, source", Build: func(s *attention.Site) {
			p := s.Probs() // float32 [batch, heads, queries, keys]
			s.Keep("above", GreaterThan(p, Scalar(p.Graph(), p.DType(), 0.1)))
		}}
	}
	return &attention.Visit{Key: "double", Inputs: map[string][]float32{"gain": {2}}, Build: func(s *attention.Site) {
		p := s.Probs()
		s.SetProbs(Where(s.Kept("above"), Mul(p, Reshape(s.Input("gain"))), p))
		s.Emit("largest", ReduceAllMax(ReduceSum(s.Probs(), -1)))
	}}
}

// An Experiment is asked on the host what it does at each layer; layers that answer with one key share one executable.
func Example() {
	c := &model.Config{ModelType: "llama", VocabSize: 97, HiddenSize: 32, IntermediateSize: 48, Layers: 3, Heads: 4, KVHeads: 2, HeadDim: 8,
		MaxPositions: 64, NormEps: 1e-5, RopeTheta: 10000, BOS: 1, InitializerRange: 0.1}
	m, err := model.New(c, nil, 1, model.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := m.Forward(model.Prompts([]int{1, 5, 9}), model.Outputs{}, double{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for l, x := range r.Emitted["largest"] {
		if x != nil {
			fmt.Printf("%s: a row sums to %.0f at most\n", r.Plan[l], tensors.ToScalar[float32](x))
		}
	}
	// Output:
	// layer 1: dense, rewritten: a row sums to 2 at most
	// layer 2: dense, rewritten: a row sums to 2 at most
}
