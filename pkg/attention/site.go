package attention

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/attune-lab/attune/pkg/backend"
)

// Operands are what a layer brings to its attention: queries and keys after rotation, before the scores. They mean the same in every family.
//
// In a layer with a window, keys further back than the window are masked like future ones: their probability is exactly 0, so they are above no
// threshold, and a mask found in such a layer (layer 0 of Mistral, Gemma, gpt-oss) holds recent keys only. The other way round, a mask found in a layer
// without a window and applied to one with a window changes nothing at keys which that layer cannot see: zero times a gain stays zero.
//
// In a layer with a learned sink the softmax runs over the real keys and the sink, and probabilities leave the sink's column out: a row sums to 1 minus what the
// sink took. A_0 > tau therefore compares the key's share of everything, the sink included; a head that sends its attention to its sink passes few keys
// or none. To renormalise is to divide by the sum over the real keys.
type Operands struct {
	Query        *Node   // [batch, heads, queries, head_dim]
	Keys, Values []*Node // segments of [batch, kv_heads, keys_i, head_dim]; together they are all the keys
	Scale        float64 // factor of the scores, 1/sqrt(head_dim) in most families
	Softcap      float64 // scores are bounded by cap*tanh(scores/cap) before the mask; 0 = not
	Window       int     // keys a query sees at most, its own included; 0 = all up to its own. The Mask has it in
	Sinks        *Node   // float32 [heads]: learned logit that takes part in the softmax and has no key; nil in most families
	Mask         *Node   // bool [1 or batch, 1, queries, keys]: true where a query may attend
	QueryPos     *Node   // int32 [1 or batch, queries]: position of each query in its sequence
	KeyPos       *Node   // int32 [1 or batch, keys]: position of each key, -1 where the cache holds nothing
	KeyTokens    *Node   // int32 [batch, keys]: id of each key's token, meaningless where the cache holds nothing
	Lengths      *Node   // int32 [batch]: real tokens of each sequence, padding behind them; nil in Decode and in training
	Prompt       *Node   // int32 [batch]: tokens of each sequence's prompt; what stands behind was generated, or is a choice that is scored. nil in training
	Span         *Node   // int32 [batch, 2]: the highlighted tokens of each prompt, first and one past the last; equal where nothing is. nil in training
	Trees        bool    // rows hold trees, see Visit: attention is not causal in the order of the row, and Mask alone says what a query may see
	// Half is the half precision of the weights where queries, keys and values are float32, as in families whose activations stay so: see Site.narrow.
	Half dtypes.DType
}

// NumKeys is the number of key slots, empty ones included.
func (o *Operands) NumKeys() int { return o.KeyPos.Shape().Dimensions[1] }

// Diagonal is true where a key is the query's own position: bool [1 or batch, 1, queries, keys].
func (o *Operands) Diagonal() *Node {
	same := Equal(InsertAxes(o.QueryPos, 1, 2), InsertAxes(o.KeyPos, 1, 1))
	if o.Trees { // another branch has a token of the same position
		return LogicalAnd(same, o.Mask)
	}
	return same
}

// Site is one layer's attention as an experiment sees it: the only seam between a model and an experiment. Its Layer says where it is.
type Site struct {
	Layer
	Operands

	carry  *Carry
	scope  string               // see Sequence
	values map[string][]float32 // the Visit's Inputs
	inputs map[string]*Node     // of them, what was asked for

	scores    *Node
	probs     *Node
	fusedOut  *Node // see fused
	lse       *Node
	biasable  bool // fused by the library's kernel, which takes a bias
	rewritten bool
	out       *Node             // see setOutput
	how       string            // how out was computed
	later     func(*Node) *Node // what out is the result of, on probabilities
	part      bool              // made by rows or KeptLayer
	cutFrom   *Site             // what rows has cut it from
	at        [2]int            // and where
	waits     *Node             // see after

	intercept func(*change) // tests look at what Change would do
}

// Compute builds a layer's attention with what a Visit, nil for none, does to it: [batch, heads, queries, head_dim] in the values' type, and how it was computed, for
// the plan. after are to be called with what the layer computes later.
func Compute(o Operands, l Layer, v *Visit, c *Carry) (out *Node, how string, after Observers) {
	s := &Site{Layer: l, Operands: o, carry: c, inputs: map[string]*Node{}}
	narrowed := s.narrow()
	after = Observers{MLP: func(*Node) {}, Residual: func(*Node) {}}
	if v != nil {
		s.values = v.Inputs
		if v.Build != nil {
			v.Build(s)
		}
		if v.MLP != nil {
			after.MLP = func(x *Node) { v.MLP(s, x) }
		}
		if v.Residual != nil {
			after.Residual = func(x *Node) { v.Residual(s, x) }
		}
	}
	out, how = s.output()
	if narrowed {
		out, how = ConvertDType(out, o.Values[0].DType()), how+", operands rounded to half precision"
	}
	return out, how, after
}

// Observers see what a layer computes behind its attention, [batch, tokens, hidden]: the output of its MLP and the residual stream behind the layer.
type Observers struct{ MLP, Residual func(*Node) }

func (s *Site) graph() *Graph { return s.Query.Graph() }

// entries are the dimensions of the attention: batch, heads, queries, keys.
func (s *Site) entries() []int {
	d := s.Query.Shape().Dimensions
	return []int{d[0], d[1], d[2], s.NumKeys()}
}

// Masked is what a score is replaced by where attention may not go: its exponential is exactly zero beside any real score, and no
// arithmetic on it overflows float32.
const Masked = -1e30

// Scores returns the scaled, capped and masked scores, float32 [batch, heads, queries, keys]; Masked where Mask is false.
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
		case queries > 1 || dim >= 16 && backend.SIMD && !backend.IsXLA(s.graph().Backend()):
			// Transposed explicitly the Go backend multiplies twice as fast. For a single query the copy costs more than that, but in a build with vector kernels,
			// whose products of rows as long as a register and longer are slow: see package model, layout.go.
			part = Product(grouped, 3, TransposeAllAxes(k, 0, 1, 3, 2), 2, 2, s.carry.Training)
		default:
			part = Product(grouped, 3, k, 3, 2, s.carry.Training)
		}
		parts[i] = ConvertDType(part, dtypes.Float32)
	}
	scores := Softcap(MulScalar(joinKeys(parts), s.Scale), s.Softcap)
	scores = Reshape(scores, batch, heads, queries, s.NumKeys())
	s.scores = Where(BroadcastToDims(s.Mask, scores.Shape().Dimensions...), scores, Scalar(s.graph(), dtypes.Float32, Masked))
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
	if later := s.later; later != nil {
		s.later = nil // the change itself may ask for the probabilities as they were
		s.probs = later(s.probs)
	}
	return s.probs
}

// SetProbs rewrites the layer's attention: float32 [batch, heads, queries, keys]. Rows need not sum to one.
func (s *Site) SetProbs(p *Node) {
	p.AssertDims(s.entries()...)
	s.probs, s.rewritten = p, true
	s.out, s.later = nil, nil
}

// setOutput rewrites the layer's attention by its result, [batch, heads, queries, head_dim] in the values' type, computed without its probabilities in
// a way that how names for the plan. later says the same on probabilities: it is called when someone asks for Probs afterwards.
func (s *Site) setOutput(out *Node, how string, later func(probs *Node) *Node) {
	out.AssertDims(s.Query.Shape().Dimensions...)
	s.out, s.how, s.later, s.rewritten = out, how, later, true
}

// Rewritten reports whether an experiment has rewritten the layer's probabilities so far: then they are not the softmax of Scores.
func Rewritten(s *Site) bool { return s.rewritten }

// PassOn hands the layer its own probabilities as another node, such as the last of an observer's reshapes: what nobody reads any more the Go backend reshapes
// in place, so that observing copies nothing.
func PassOn(s *Site, same *Node) {
	same.AssertDims(s.probs.Shape().Dimensions...)
	s.probs = same
}

// Valid is 1 for queries that are real tokens and 0 for padding: float32 [batch, queries]; nil where Lengths is.
func Valid(s *Site) *Node {
	if s.Lengths == nil {
		return nil
	}
	return s.once("attention.valid", func() *Node {
		return ConvertDType(LessThan(s.QueryPos, InsertAxes(s.Lengths, -1)), dtypes.Float32)
	})
}

// output is the attention's result, [batch, heads, queries, head_dim] in the values' type, and how it was computed.
func (s *Site) output() (out *Node, path string) {
	switch {
	case s.out != nil:
		return s.out, s.how
	case s.probs == nil && s.fusable():
		return s.fused(), "fused"
	case s.tooLarge():
		return s.weighByBlocks(), "dense, by blocks of rows"
	case s.rewritten:
		path = "dense, rewritten"
	case s.probs != nil:
		path = "dense, observed"
	default:
		path = "dense"
	}
	return s.weigh(s.Probs()), path
}

// weigh sums the values by probabilities: float32 [batch, heads, queries, keys] -> [batch, heads, queries, head_dim] in the values' type.
func (s *Site) weigh(p *Node) (out *Node) {
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
		o := Product(part, 3, v, 2, 2, s.carry.Training)
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

// Product is DotGeneral of operands of one type, contracted over one axis each, with equal leading batch axes.
//
// In training its gradient stays in the operands' type. GoMLX (v0.28) otherwise converts half-precision operands to float32 on the way back and multiplies
// in float32, five times slower than the matrix units, which add up in float32 anyway.
func Product(lhs *Node, lhsAxis int, rhs *Node, rhsAxis, batchAxes int, training bool) *Node {
	batch := make([]int, batchAxes)
	for i := range batch {
		batch[i] = i
	}
	dot := Dot(lhs, rhs)
	if training {
		dot = dot.WithAccumulatorDType(dtypes.InvalidDType)
	}
	return dot.General([]int{lhsAxis}, batch, []int{rhsAxis}, batch)
}
