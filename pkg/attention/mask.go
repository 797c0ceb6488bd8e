package emulate

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/attune-lab/attune/pkg/model"
)

// Masks are broadcast by hand only where they go into a Where, and left to the operation's own broadcasting everywhere else: the Go backend (compute
// v0.1.6) compiles a loop's body before its ImplicitBroadcastFusion pass takes such a broadcast out from under a binary operation, and then
// misses the operand when the body runs. For the same reason unions and differences of masks are a Where, not a LogicalOr or LogicalAnd.

// excluded is the excluded set D: bool [1 or batch, 1, queries or 1, keys], true where an entry may not be in the mask; nil for none.
func (s Spec) excluded(site *model.Site) *Node {
	var out *Node
	if keys := either(atPositions(site, s.ExcludePositions, nil), ofTokens(site, s.ExcludeTokens)); keys != nil {
		out = InsertAxes(keys, 1, 1)
	}
	if !s.Diagonal {
		out = either(site.Diagonal(), out)
	}
	return out
}

// keysNamed are the keys of MaskKeys and MaskOutside: bool [1 or batch, 1, 1, keys].
func (s Spec) keysNamed(site *model.Site) *Node {
	return InsertAxes(either(atPositions(site, s.Positions, s.Spans), ofTokens(site, s.Tokens)), 1, 1)
}

// eligible are the entries that a choice may take: those the query can see, the excluded left out. Bool of probs' dimensions.
func (s Spec) eligible(site *model.Site, excluded, probs *Node) *Node {
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
func atPositions(site *model.Site, positions []int, spans [][2]int) *Node {
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
func ofTokens(site *model.Site, ids []int) *Node {
	if len(ids) == 0 {
		return nil
	}
	table := make([]int32, site.Run().Config.VocabSize)
	for _, id := range ids {
		table[id] = 1
	}
	tokens := MaxScalar(site.KeyTokens, 0) // empty slots of a cache hold -1
	marks := Gather(Const(tokens.Graph(), table), InsertAxes(tokens, -1))
	return NotEqual(marks, ZerosLike(marks))
}
