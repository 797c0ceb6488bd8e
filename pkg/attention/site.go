package model

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/attune-lab/attune/pkg/backend"
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

	names    []string
	values   []*Node
	residual []func(layer int, x *Node) // see OnResidual
	held     []*Node                    // see Hold
	training bool                       // see product

	differentiable bool // the caller may ask for gradients
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

// Site is one layer's attention as an experiment sees it: queries and keys after rotation, before the scores. It is the same for every family.
//
// In a layer with a window, keys further back than the window are masked like future ones: their probability is exactly 0, so they are above no
// threshold, and a mask found in such a layer (layer 0 of Mistral, Gemma, gpt-oss) holds recent keys only. The other way round, a mask found in a layer
// without a window and applied to one with a window changes nothing at keys which that layer cannot see: zero times a gain stays zero.
//
// In a layer with a learned sink the softmax runs over the real keys and the sink, and Probs leaves the sink's column out: a row sums to 1 minus what the
// sink took. A_0 > tau therefore compares the key's share of everything, the sink included; a head that sends its attention to its sink passes few keys
// or none. To renormalise is to divide by the sum over the real keys.
type Site struct {
	Layer, Layers int
	Phase         Phase
	Query         *Node   // [batch, heads, queries, head_dim]
	Keys, Values  []*Node // segments of [batch, kv_heads, keys_i, head_dim]; together they are all the keys
	Scale         float64 // factor of the scores, 1/sqrt(head_dim) in most families
	Softcap       float64 // scores are bounded by cap*tanh(scores/cap) before the mask; 0 = not
	Window        int     // keys a query sees at most, its own included; 0 = all up to its own. The Mask has it in
	Sinks         *Node   // float32 [heads]: learned logit that takes part in the softmax and has no key; nil in most families
	Mask          *Node   // bool [1 or batch, 1, queries, keys]: true where a query may attend
	QueryPos      *Node   // int32 [1 or batch, queries]: position of each query in its sequence
	KeyPos        *Node   // int32 [1 or batch, keys]: position of each key, -1 where the cache holds nothing
	KeyTokens     *Node   // int32 [batch, keys]: id of each key's token, meaningless where the cache holds nothing

	run       *Run
	packed    func(query *Node) *Node // the kernel's bias for rows of several documents; nil = a row is one document
	scores    *Node
	probs     *Node
	fusedOut  *Node // see fused
	lse       *Node
	biasable  bool // fused by the library's kernel, which takes a bias
	rewritten bool
	out       *Node             // see SetOutput
	how       string            // how out was computed
	change    func(*Node) *Node // what out is the result of, on probabilities
	part      bool              // made by Rows
}

// Run returns the graph's run, to emit from.
func (s *Site) Run() *Run { return s.run }

// NumKeys is the number of key slots, empty ones included.
func (s *Site) NumKeys() int { return s.KeyPos.Shape().Dimensions[1] }

// masked is what a score is replaced by where attention may not go: its exponential is exactly zero beside any real score, and no
// arithmetic on it overflows float32.
const masked = -1e30

// Scores returns the scaled, capped and masked scores, float32 [batch, heads, queries, keys]; -1e30 where Mask is false.
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
		var part *Node
		switch {
		case queries > 1 && k.DType() != dtypes.Float32: // not rounded to half precision on the way, as a fused kernel does not
			part = Dot(grouped, k).WithAccumulatorDType(dtypes.Float32).WithOutputDType(dtypes.Float32).General([]int{3}, []int{0, 1}, []int{3}, []int{0, 1})
		case queries > 1 || dim >= 16 && backend.SIMD && !backend.IsXLA(s.run.Graph.Backend()):
			// Transposed explicitly the Go backend multiplies twice as fast. For a single query the copy costs more than that, but in a build with vector kernels,
			// whose products of rows as long as a register and longer are slow: see turned.
			part = s.run.product(grouped, 3, TransposeAllAxes(k, 0, 1, 3, 2), 2, 2)
		default:
			part = s.run.product(grouped, 3, k, 3, 2)
		}
		parts[i] = ConvertDType(part, dtypes.Float32)
	}
	scores := softcap(MulScalar(joinKeys(parts), s.Scale), s.Softcap)
	scores = Reshape(scores, batch, heads, queries, s.NumKeys())
	s.scores = Where(BroadcastToDims(s.Mask, scores.Shape().Dimensions...), scores, Scalar(s.run.Graph, dtypes.Float32, masked))
	return s.scores
}

// Probs returns the attention probabilities as they stand, after earlier rewrites: float32 [batch, heads, queries, keys].
// With learned sinks a row sums to less than one. Asking for them makes the layer compute them, instead of the fused kernel that never forms them.
func (s *Site) Probs() *Node {
	switch {
	case s.probs != nil:
	case s.part && s.lse != nil:
		s.probs = Exp(Sub(s.Scores(), InsertAxes(s.lse, -1)))
	default:
		s.probs = softmaxWith(s.Scores(), s.Sinks)
	}
	if change := s.change; change != nil {
		s.change = nil // the change itself may ask for the probabilities as they were
		s.probs = change(s.probs)
	}
	return s.probs
}

// softmaxWith is the softmax of [batch, heads, queries, keys] over the keys and a sink logit per head, [heads] or nil, whose own share is left out: the
// softmax over the keys alone times sigmoid(LSE(scores) - sink), what the keys have of the whole.
func softmaxWith(scores, sinks *Node) *Node {
	if sinks == nil {
		return softmax(scores)
	}
	top := StopGradient(ReduceAndKeep(scores, ReduceMax, -1))
	shares := Exp(Sub(scores, top))
	sum := ReduceAndKeep(shares, ReduceSum, -1)
	real := Sigmoid(Sub(Add(top, Log(sum)), Reshape(sinks, 1, sinks.Shape().Dimensions[0], 1, 1)))
	return Mul(shares, Div(real, sum))
}

// SetProbs rewrites the layer's attention: float32 [batch, heads, queries, keys]. Rows need not sum to one.
func (s *Site) SetProbs(p *Node) {
	want := []int{s.Query.Shape().Dimensions[0], s.Query.Shape().Dimensions[1], s.Query.Shape().Dimensions[2], s.NumKeys()}
	p.AssertDims(want...)
	s.probs, s.rewritten = p, true
	s.out, s.change = nil, nil
}

// SetOutput rewrites the layer's attention by its result, [batch, heads, queries, head_dim] in the values' type, computed without its probabilities in
// a way that how names for the plan. change says the same on probabilities: it is called when someone asks for Probs afterwards.
func (s *Site) SetOutput(out *Node, how string, change func(probs *Node) *Node) {
	out.AssertDims(s.Query.Shape().Dimensions...)
	s.out, s.how, s.change, s.rewritten = out, how, change, true
}

// Diagonal is true where a key is the query's own position: bool [1 or batch, 1, queries, keys].
func (s *Site) Diagonal() *Node {
	return Equal(InsertAxes(s.QueryPos, 1, 2), InsertAxes(s.KeyPos, 1, 1))
}

// output is the attention's result, [batch, heads, queries, head_dim] in the values' type, and how it was computed.
func (s *Site) output() (out *Node, path string) {
	switch {
	case s.out != nil:
		return s.out, s.how
	case s.probs == nil && s.fusable():
		return s.fused(), "fused"
	case s.rewritten:
		path = "dense, rewritten"
	case s.probs != nil:
		path = "dense, observed"
	default:
		path = "dense"
	}
	return s.Weigh(s.Probs()), path
}

// Weigh sums the values by probabilities: float32 [batch, heads, queries, keys] -> [batch, heads, queries, head_dim] in the values' type.
func (s *Site) Weigh(p *Node) (out *Node) {
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
		o := s.run.product(part, 3, v, 2, 2)
		if out == nil {
			out = o
		} else {
			out = Add(out, o)
		}
		start += n
	}
	return Reshape(out, batch, heads, queries, dim)
}

func joinKeys(parts []*Node) *Node {
	if len(parts) == 1 {
		return parts[0]
	}
	return Concatenate(parts, -1)
}

// planLine is one line of Result.Plan.
func planLine(layer int, path string) string { return fmt.Sprintf("layer %d: %s", layer, path) }
