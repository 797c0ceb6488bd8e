package attention

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Mask describes entries of a layer's attention; nothing of size [queries, keys] exists until a plan needs it. Masks are Everything, Columns, Received, Earlier and
// AsMany.
type Mask interface {
	// of gives the mask of a site, or of a part of one: bool [batch, heads, queries, keys], nil for every entry. columns gives what wholeColumns made of the whole
	// layer; it is nil where that is not asked for.
	of(site *Site, columns *Node) *Node
	// shared names the mask where it is the same in every layer, and is empty where layers have masks of their own.
	shared() string
	// byRows reports whether the mask can be made of blocks of rows.
	byRows() bool
}

// Excluded are entries that may not be in a mask.
type Excluded struct {
	Diagonal  bool // the query's own position
	Positions []int
	Tokens    []int
}

// Everything is every entry of every row.
type Everything struct{}

func (Everything) of(*Site, *Node) *Node { return nil }
func (Everything) shared() string        { return "everything" }
func (Everything) byRows() bool          { return true }

// Columns are the columns of named keys: those at Positions, within Spans (first and one past the last position), of the ids Tokens and, with Highlighted, of the
// sequence's highlighted span, together.
type Columns struct {
	Positions   []int
	Spans       [][2]int
	Tokens      []int
	Highlighted bool
	Outside     bool // the columns of all other keys of the prompt; never those of tokens behind it
	Without     Excluded
}

func (m Columns) of(site *Site, _ *Node) *Node {
	keys := either(atPositions(site, m.Positions, m.Spans), ofTokens(site, m.Tokens))
	if m.Highlighted {
		keys = either(keys, site.highlighted())
	}
	if m.Outside {
		keys = LogicalNot(keys)
		if behind := site.behindPrompt(site.KeyPos); behind != nil {
			keys = whereNot(behind, keys, unionDims(keys, behind))
		}
	}
	return whereNot(m.Without.marks(site), InsertAxes(keys, 1, 1), site.entries())
}

// behindPrompt marks positions, int32 [1 or batch, n], behind each sequence's prompt: bool [batch, n]; nil where no prompt is told from the rest.
func (s *Site) behindPrompt(positions *Node) *Node {
	if s.Prompt == nil {
		return nil
	}
	return GreaterOrEqual(positions, InsertAxes(s.Prompt, -1))
}

// highlighted marks the keys of each sequence's highlighted span: bool [batch, keys].
func (s *Site) highlighted() *Node {
	if s.Span == nil {
		exceptions.Panicf("layer %d: the mask is made of highlighted spans, which a training pass has not", s.Index)
	}
	before := LessThan(s.KeyPos, SliceAxis(s.Span, 1, AxisElem(0)))
	upTo := LessThan(s.KeyPos, SliceAxis(s.Span, 1, AxisElem(1)))
	return Where(before, LogicalNot(before), upTo)
}

func (m Columns) shared() string { return fmt.Sprintf("columns %+v", m) }
func (m Columns) byRows() bool   { return true }

// Received are the columns of keys whose mean received attention in the layer itself is above Tau, a scalar: over the queries of the whole prompt or, Running, over
// those up to the row's own. They exist in prefills only, and in the rows of the prompt only: what stands behind it has no part in the mean and is not changed, as in
// decoding, where no earlier query is known any more.
type Received struct {
	Tau     *Node
	Running bool
	// KeepFirst leaves the first of the keys above Tau out, in each head of each sequence.
	KeepFirst bool
	Without   Excluded
}

func (m Received) of(site *Site, columns *Node) *Node {
	switch {
	case m.Running:
		// Query i has seen key j through i-j+1 queries, itself included.
		sum := CumSum(site.Probs(), 2)
		seen := Sub(InsertAxes(site.QueryPos, 1, -1), InsertAxes(site.KeyPos, 1, 1))
		mean := Div(sum, queriesSeeing(site, AddScalar(seen, 1)))
		columns = m.butFirst(GreaterThan(mean, m.Tau))
	case columns != nil:
		columns = SliceAxis(columns, 3, AxisRange(0, site.NumKeys()))
	default:
		columns = m.aboveMean(site, ReduceAndKeep(Mul(site.Probs(), InsertAxes(ofPrompt(site), 1, -1)), ReduceSum, 2))
	}
	excluded := m.Without.marks(site)
	if behind := site.behindPrompt(site.QueryPos); behind != nil {
		excluded = either(excluded, InsertAxes(behind, 1, -1))
	}
	return whereNot(excluded, columns, site.entries())
}

// butFirst takes the first of the keys that are marked, bool [batch, heads, queries or 1, keys], out of the marks.
func (m Received) butFirst(marks *Node) *Node {
	if !m.KeepFirst {
		return marks
	}
	upTo := CumSum(ConvertDType(marks, dtypes.Float32), 3)
	return Where(marks, GreaterThan(upTo, OnesLike(upTo)), marks)
}

// ofPrompt is 1 for queries of the prompt and 0 for those behind it and for padding: float32 [batch, queries].
func ofPrompt(site *Site) *Node {
	if site.Prompt == nil {
		return Valid(site)
	}
	return site.once("attention.prompt", func() *Node {
		return ConvertDType(LessThan(site.QueryPos, InsertAxes(site.Prompt, -1)), dtypes.Float32)
	})
}

func (m Received) shared() string { return "" }
func (m Received) byRows() bool   { return !m.Running } // the running mean needs all rows before

// wholeColumns is the mask of a layer without its whole attention: bool [batch, heads, 1, keys].
func (m Received) wholeColumns(site *Site) *Node {
	valid := ofPrompt(site)
	var sum *Node
	for _, at := range blocks(site, 1) {
		part := site.rows(at[0], at[1])
		real := InsertAxes(SliceAxis(valid, 1, AxisRange(at[0], at[1])), 1, -1)
		columns := ReduceAndKeep(Mul(part.Probs(), real), ReduceSum, 2)
		if columns = widen(columns, site.NumKeys()); sum != nil {
			columns = Add(sum, columns)
		}
		sum = columns
	}
	return m.aboveMean(site, sum)
}

// aboveMean marks the keys whose column, [batch, heads, 1, keys], is above Tau in the mean over the queries that can see them.
func (m Received) aboveMean(site *Site, columns *Node) *Node {
	end := site.Prompt
	if end == nil {
		end = site.Lengths
	}
	seen := Sub(InsertAxes(end, -1), site.KeyPos) // [batch, keys]
	mean := Div(columns, InsertAxes(queriesSeeing(site, seen), 1, 1))
	return m.butFirst(GreaterThan(mean, m.Tau))
}

// queriesSeeing is the number of queries that a mean is taken over, float32: at least 1, and at most the layer's window, beyond which a key is not seen.
func queriesSeeing(site *Site, seen *Node) *Node {
	n := MaxScalar(ConvertDType(seen, dtypes.Float32), 1.0)
	if site.Window > 0 {
		n = MinScalar(n, float64(site.Window))
	}
	return n
}

// Masks are broadcast by hand only where they go into a Where, and left to the operation's own broadcasting everywhere else: the Go backend (compute
// v0.1.6) compiles a loop's body before its ImplicitBroadcastFusion pass takes such a broadcast out from under a binary operation, and then
// misses the operand when the body runs. For the same reason unions and differences of masks are a Where, not a LogicalOr or LogicalAnd.

// marks are true where an entry may not be in the mask: bool [1 or batch, 1, queries or 1, keys]; nil for none.
func (x Excluded) marks(site *Site) *Node {
	var out *Node
	if keys := either(atPositions(site, x.Positions, nil), ofTokens(site, x.Tokens)); keys != nil {
		out = InsertAxes(keys, 1, 1)
	}
	if x.Diagonal {
		out = either(site.Diagonal(), out)
	}
	return out
}

// eligible are the entries that a choice may take: those the query can see, the excluded left out. Bool of probs' dimensions.
func eligible(site *Site, excluded, probs *Node) *Node {
	visible := like(site.Mask, probs)
	if excluded == nil {
		return visible
	}
	return Where(like(excluded, probs), LogicalNot(OnesLike(visible)), visible)
}

// whereNot is mask without what is excluded (nil = nothing), broadcast to dims.
func whereNot(excluded, mask *Node, dims []int) *Node {
	mask = BroadcastToDims(mask, dims...)
	if excluded == nil {
		return mask
	}
	return Where(BroadcastToDims(excluded, dims...), LogicalNot(OnesLike(mask)), mask)
}

// either is the union of two masks whose dimensions broadcast, nil standing for an empty one.
func either(a, b *Node) *Node {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	dims := unionDims(a, b)
	a, b = BroadcastToDims(a, dims...), BroadcastToDims(b, dims...)
	return Where(a, a, b)
}

// unionDims are the dimensions that two operands of one rank broadcast to.
func unionDims(a, b *Node) []int {
	dims := make([]int, a.Rank())
	for i := range dims {
		dims[i] = max(a.Shape().Dimensions[i], b.Shape().Dimensions[i])
	}
	return dims
}

// atPositions marks keys by their position: bool [1 or batch, keys]; nil if none is named.
func atPositions(site *Site, positions []int, spans [][2]int) *Node {
	var out *Node
	for _, p := range positions {
		out = either(out, Equal(site.KeyPos, Scalar(site.KeyPos.Graph(), dtypes.Int32, p)))
	}
	for _, span := range spans {
		before := LessThan(site.KeyPos, Scalar(site.KeyPos.Graph(), dtypes.Int32, span[0]))
		upTo := LessThan(site.KeyPos, Scalar(site.KeyPos.Graph(), dtypes.Int32, span[1]))
		out = either(out, Where(before, LogicalNot(before), upTo))
	}
	return out
}

// ofTokens marks keys by their token: bool [batch, keys]; nil if none is named. A table over the vocabulary is as fast for a class of ten
// thousand ids as for one id.
func ofTokens(site *Site, ids []int) *Node {
	if len(ids) == 0 {
		return nil
	}
	table := make([]int32, site.Vocab)
	for _, id := range ids {
		table[id] = 1
	}
	tokens := MaxScalar(site.KeyTokens, 0) // empty slots of a cache hold -1
	marks := Gather(Const(tokens.Graph(), table), InsertAxes(tokens, -1))
	return NotEqual(marks, ZerosLike(marks))
}

func sumRow(x *Node) *Node { return ReduceAndKeep(x, ReduceSum, -1) }

func positive(x *Node) *Node { return GreaterThan(x, ScalarZero(x.Graph(), x.DType())) }

// like broadcasts x to y's dimensions.
func like(x, y *Node) *Node { return BroadcastToDims(x, y.Shape().Dimensions...) }
