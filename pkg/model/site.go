package model

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Phase tells a pass over whole prompts from a step that continues them.
type Phase int

const (
	Prefill Phase = iota // all tokens of the prompts at once: queries == keys
	Decode               // one new token per sequence against the cache: queries == 1
)

func (p Phase) String() string {
	if p == Decode {
		return "decode"
	}
	return "prefill"
}

// Experiment observes or rewrites attention. It is attached once to every graph that is built; the function it returns is called
// at every layer's site, from layer 0 on, and may keep graph nodes of earlier layers for later ones in its closure.
type Experiment interface {
	// Key identifies what the experiment builds: two experiments with the same key build the same graph. It keys compiled graphs.
	Key() string
	// Attach returns the function called at each site; nil when the experiment has nothing to do in this phase.
	Attach(run *Run) func(site *Site)
}

// Run is one graph under construction.
type Run struct {
	Graph  *Graph
	Config *Config
	Phase  Phase
	// Tokens are the ids of the queries, int32 [batch, queries].
	Tokens *Node
	// Lengths are the numbers of real tokens, int32 [batch]. Nil in Decode.
	Lengths *Node
	// QueryValid marks real tokens, bool [batch, queries]. Nil in Decode.
	QueryValid *Node

	names  []string
	values []*Node
}

// Emit adds an output to the graph: what an observer reduced on the device. It comes back in Result.Emitted under its name.
// It panics, as graph-building code does, on a second output of the same name and in Decode, where a compiled loop has no place for it.
func (r *Run) Emit(name string, value *Node) {
	if r.Phase == Decode {
		exceptions.Panicf("experiment output %q: nothing can be emitted while decoding", name)
	}
	for _, n := range r.names {
		if n == name {
			exceptions.Panicf("experiment output %q is emitted twice", name)
		}
	}
	r.names, r.values = append(r.names, name), append(r.values, value)
}

// Site is one layer's attention as an experiment sees it: queries and keys after rotation, before the scores.
type Site struct {
	Layer, Layers int
	Phase         Phase
	Query         *Node   // [batch, heads, queries, head_dim]
	Keys, Values  []*Node // segments of [batch, kv_heads, keys_i, head_dim]; together they are all the keys
	Scale         float64 // factor of the scores, 1/sqrt(head_dim)
	Mask          *Node   // bool [1 or batch, 1, queries, keys]: true where a query may attend
	QueryPos      *Node   // int32 [1 or batch, queries]: position of each query in its sequence
	KeyPos        *Node   // int32 [1 or batch, keys]: position of each key, -1 where the cache holds nothing

	run       *Run
	scores    *Node
	probs     *Node
	rewritten bool
}

// Run returns the graph's run, to emit from.
func (s *Site) Run() *Run { return s.run }

// NumKeys is the number of key slots, empty ones included.
func (s *Site) NumKeys() int { return s.KeyPos.Shape().Dimensions[1] }

// masked is what a score is replaced by where attention may not go: its exponential is exactly zero beside any real score, and no
// arithmetic on it overflows float32.
const masked = -1e30

// Scores returns the scaled and masked scores, float32 [batch, heads, queries, keys]; -1e30 where Mask is false.
func (s *Site) Scores() *Node {
	if s.scores != nil {
		return s.scores
	}
	q := s.Query.Shape().Dimensions
	batch, heads, queries, dim := q[0], q[1], q[2], q[3]
	kvHeads := s.Keys[0].Shape().Dimensions[1]
	// The query heads of one key head are rows of one matrix: grouped-query attention without a copy of the keys.
	grouped := Reshape(s.Query, batch, kvHeads, heads/kvHeads*queries, dim)
	parts := make([]*Node, len(s.Keys))
	for i, k := range s.Keys {
		transposed := TransposeAllAxes(k, 0, 1, 3, 2) // explicit: the Go backend multiplies twice as fast
		parts[i] = ConvertDType(batchMatMul(grouped, transposed), dtypes.Float32)
	}
	scores := MulScalar(joinKeys(parts), s.Scale)
	scores = Reshape(scores, batch, heads, queries, s.NumKeys())
	s.scores = Where(BroadcastToDims(s.Mask, scores.Shape().Dimensions...), scores, Scalar(s.run.Graph, dtypes.Float32, masked))
	return s.scores
}

// Probs returns the attention probabilities as they stand, after earlier rewrites: float32 [batch, heads, queries, keys].
// Asking for them makes the layer compute them, instead of the fused kernel that never forms them.
func (s *Site) Probs() *Node {
	if s.probs == nil {
		s.probs = Softmax(s.Scores(), -1)
	}
	return s.probs
}

// SetProbs rewrites the layer's attention: float32 [batch, heads, queries, keys]. Rows need not sum to one.
func (s *Site) SetProbs(p *Node) {
	want := []int{s.Query.Shape().Dimensions[0], s.Query.Shape().Dimensions[1], s.Query.Shape().Dimensions[2], s.NumKeys()}
	p.AssertDims(want...)
	s.probs, s.rewritten = p, true
}

// Diagonal is true where a key is the query's own position: bool [1 or batch, 1, queries, keys].
func (s *Site) Diagonal() *Node {
	return Equal(InsertAxes(s.QueryPos, 1, 2), InsertAxes(s.KeyPos, 1, 1))
}

// output is the attention's result, [batch, heads, queries, head_dim] in the values' type, and how it was computed.
func (s *Site) output() (out *Node, path string) {
	if s.probs == nil && s.fusable() {
		return s.fused(), "fused"
	}
	path = "dense"
	switch {
	case s.rewritten:
		path = "dense, rewritten"
	case s.probs != nil:
		path = "dense, observed"
	}
	p := s.Probs()
	q := s.Query.Shape().Dimensions
	batch, heads, queries, dim := q[0], q[1], q[2], q[3]
	kvHeads := s.Values[0].Shape().Dimensions[1]
	p = ConvertDType(Reshape(p, batch, kvHeads, heads/kvHeads*queries, s.NumKeys()), s.Values[0].DType())
	start := 0
	for _, v := range s.Values {
		n := v.Shape().Dimensions[2]
		part := p
		if len(s.Values) > 1 {
			part = SliceAxis(p, -1, AxisRange(start, start+n))
		}
		o := batchMatMul(part, v)
		if out == nil {
			out = o
		} else {
			out = Add(out, o)
		}
		start += n
	}
	return Reshape(out, batch, heads, queries, dim), path
}

// batchMatMul multiplies the last two axes, [b, h, m, k] x [b, h, k, n] -> [b, h, m, n].
func batchMatMul(a, b *Node) *Node {
	return DotGeneral(a, []int{3}, []int{0, 1}, b, []int{2}, []int{0, 1})
}

func joinKeys(parts []*Node) *Node {
	if len(parts) == 1 {
		return parts[0]
	}
	return Concatenate(parts, -1)
}

func attentionScale(headDim int) float64 { return 1 / math.Sqrt(float64(headDim)) }

// planLine is one line of Result.Plan.
func planLine(layer int, path string) string { return fmt.Sprintf("layer %d: %s", layer, path) }
