package attention

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/attune-lab/attune/pkg/backend"
)

const (
	defaultMaxBytes   = 8 << 30 // of Execution.MaxBytes, and of what a layer nobody changes forms at once: a bias of 32 heads at 11,000 tokens
	defaultBlockBytes = 4 << 30 // of the float32 scores of a block of rows: large enough to keep a GPU busy
	maskBlockBytes    = 1 << 30 // of the same where a mask is made, beside a pass that holds no square
	leastBlocks       = 4       // of a mask: a block leaves out the keys behind it, so that 4 compute 5/8 of the square
)

// blockBytes is defaultBlockBytes, and squareBytes defaultMaxBytes, but in tests, whose prompts are short.
var blockBytes, squareBytes = defaultBlockBytes, int64(defaultMaxBytes)

// blocked reports whether rows can cut the site: whole prompts of one document each.
func (s *Site) blocked() bool {
	return s.Phase == Prefill && !s.part && s.carry.Packed == nil && len(s.Keys) == 1 && !s.Trees
}

// rows is the site of the queries start to end-1 and of the keys up to the last of them, behind which attention is causal and sees nothing. Masks,
// probabilities and weighed values of a layer can so be computed block by block, in memory that grows with the length and not with its square. It
// is to be read: what is set on it does not reach the layer. blocked says where it is defined.
func (s *Site) rows(start, end int) *Site {
	rows := func(x *Node, axis int) *Node { return SliceAxis(x, axis, AxisRange(start, end)) }
	seen := func(x *Node, axis int) *Node { return SliceAxis(x, axis, AxisRange(0, end)) }
	part := &Site{Layer: s.Layer, carry: s.carry, scope: s.scope, rewritten: s.rewritten, part: true, cutFrom: s, at: [2]int{start, end}, waits: s.waits}
	part.Operands = Operands{Scale: s.Scale, Softcap: s.Softcap, Window: s.Window, Sinks: s.Sinks, Query: rows(s.Query, 2), Keys: []*Node{seen(s.Keys[0], 2)},
		QueryPos: rows(s.QueryPos, 1), KeyPos: seen(s.KeyPos, 1), KeyTokens: seen(s.KeyTokens, 1), Lengths: s.Lengths, Prompt: s.Prompt, Span: s.Span}
	if len(s.Values) > 0 { // KeptLayer has none
		part.Values = []*Node{seen(s.Values[0], 2)}
	}
	// From positions: a slice of the layer's mask would keep the whole square in memory.
	part.Mask = causal(part.QueryPos, part.KeyPos, s.Window)
	switch {
	case s.probs != nil || s.later != nil:
		part.probs = seen(rows(s.Probs(), 2), 3)
	case s.LSE() != nil:
		part.lse = rows(s.lse, 2)
	}
	return part
}

// causal is where queries of a prefill may attend: bool [1 or batch, 1, queries, keys].
func causal(queryPos, keyPos *Node, window int) *Node {
	q, k := InsertAxes(queryPos, 1, -1), InsertAxes(keyPos, 1, 1)
	mask := GreaterOrEqual(q, k)
	if window > 0 {
		mask = LogicalAnd(mask, GreaterThan(k, AddScalar(q, -window)))
	}
	return mask
}

// after is the site with its queries and keys behind a barrier that waits for a value. What blocks of rows compute from it is computed then and not before, and anew
// for each value: XLA would otherwise compute the blocks side by side, or see that several layers ask for the same, and keep the whole square.
func (s *Site) after(value *Node) *Site {
	if s.probs != nil || s.later != nil {
		return s // the square exists
	}
	s.LSE() // from the operands themselves, once
	behind := *s
	held := OptimizationBarriers(s.Query, s.Keys[0], value)
	behind.Query, behind.Keys, behind.scores = held[0], []*Node{held[1]}, nil
	behind.waits = value
	return &behind
}

// tooLarge reports whether the layer's probabilities are too large to be formed at once, on an accelerator, and blocks of rows can compute it instead: a layer that no
// fused kernel computes, such as one of gpt-oss in float32.
func (s *Site) tooLarge() bool {
	return s.probs == nil && s.scores == nil && s.blocked() && backend.IsXLA(s.graph().Backend()) && bytesOf(s.entries()) > squareBytes
}

// weighByBlocks is the layer's attention by blocks of rows, each of which waits for the one before.
func (s *Site) weighByBlocks() *Node {
	var parts []*Node
	before := s.Query
	for _, at := range blocks(s, 1) {
		part := s.after(before).rows(at[0], at[1])
		before = part.weigh(part.Probs())
		parts = append(parts, before)
	}
	return concatenateRows(parts)
}

// RowsLSE is the log-sum-exp of each row's scores over the keys that it may see and its learned sink, float32 [batch, heads, queries], from the scores of a layer that no
// fused kernel computes, by blocks of rows where they are large; nil where the probabilities are not the softmax of scores any more.
func RowsLSE(s *Site) *Node {
	if s.rewritten {
		return nil
	}
	if !s.tooLarge() {
		return s.rowsLSE()
	}
	var parts []*Node
	before := s.Query
	for _, at := range blocks(s, 1) {
		before = s.after(before).rows(at[0], at[1]).rowsLSE()
		parts = append(parts, before)
	}
	return concatenateRows(parts)
}

func (s *Site) rowsLSE() *Node {
	scores := s.Scores()
	top := ReduceAndKeep(scores, ReduceMax, -1)
	lse := Squeeze(Add(top, Log(sumRow(Exp(Sub(scores, top))))), -1)
	if s.Sinks == nil {
		return lse
	}
	sinks := BroadcastToDims(Reshape(s.Sinks, 1, -1, 1), lse.Shape().Dimensions...)
	return Add(Max(lse, sinks), Log1P(Exp(Neg(Abs(Sub(lse, sinks))))))
}

// TooLarge reports whether an observer should do without the layer's probabilities, which nothing forms at once.
func TooLarge(s *Site) bool { return s.tooLarge() }

// blocks cuts a site's rows so that the scores of a block stay within blockBytes, of a mask's within maskBlockBytes, and into no fewer than so many blocks.
func blocks(site *Site, atLeast int) [][2]int {
	d, bytes := site.entries(), blockBytes
	if atLeast == leastBlocks {
		bytes = min(bytes, maskBlockBytes)
	}
	rows := min((d[2]+atLeast-1)/atLeast, max(1, bytes/(4*d[0]*d[1]*d[3])))
	var out [][2]int
	for at := 0; at < d[2]; at += rows {
		out = append(out, [2]int{at, min(at+rows, d[2])})
	}
	return out
}

// widen appends zeros to the last axis: keys that a block of rows does not see, where the causal kernel looks at no bias.
func widen(x *Node, keys int) *Node {
	more := keys - x.Shape().Dimensions[x.Rank()-1]
	if more == 0 {
		return x
	}
	return GrowRight(x, x.Rank()-1, more, 0)
}

// concatenateRows joins what blocks of rows gave, [batch, heads, rows, ...].
func concatenateRows(parts []*Node) *Node {
	if len(parts) == 1 {
		return parts[0]
	}
	return Concatenate(parts, 2)
}

// bytesOf is the size of float32 entries of these dimensions.
func bytesOf(dims []int) int64 {
	n := int64(4)
	for _, d := range dims {
		n *= int64(d)
	}
	return n
}
