package emulate

import . "github.com/gomlx/gomlx/core/graph"

// edit is what an intervention does to one layer's attention, whatever computes it: entries of the mask are multiplied by the gain, and the rows
// treated as renormalise says. dense carries it out on probabilities, fused on what runs of a fused kernel give.
type edit struct {
	everything  bool    // the mask holds every entry
	mask        *Node   // bool [batch, heads, queries, keys]; what dense needs unless everything is set
	gain        float64 // at least 0
	heads       *Node   // bool [1, heads, 1, 1]: the heads that are changed; nil = all
	spread      bool    // the row's gained mass is spread over all its entries in proportion
	renormalise Renormalisation
}

// tiny keeps a division by a row's sum finite where all of the row's probabilities vanished.
const tiny = 1e-30

// dense applies the edit to probabilities, float32 [batch, heads, queries, keys]; diagonal is bool [1 or batch, 1, queries, keys].
func (e edit) dense(probs, diagonal *Node) *Node {
	changed := e.scale(probs, diagonal)
	if e.heads != nil {
		changed = Where(BroadcastToDims(e.heads, probs.Shape().Dimensions...), changed, probs)
	}
	return changed
}

func (e edit) scale(probs, diagonal *Node) *Node {
	switch {
	case e.spread:
		return Mul(probs, AddScalar(MulScalar(sumRow(e.inside(probs)), e.gain-1), 1))
	case e.everything:
		return MulScalar(probs, e.gain)
	}
	switch e.renormalise {
	case RenormaliseRow:
		changed := Where(e.mask, MulScalar(probs, e.gain), probs)
		sum := sumRow(changed)
		scaled := Div(changed, MaxScalar(sum, tiny))
		if e.gain > 0 {
			return scaled
		}
		// A row whose keys are all masked out has no other entry to go to: it stays.
		return Where(BroadcastToDims(positive(sum), probs.Shape().Dimensions...), scaled, probs)
	case RenormaliseKeepDiagonal:
		dims := probs.Shape().Dimensions
		diagonal = BroadcastToDims(diagonal, dims...)
		off := Where(diagonal, ZerosLike(probs), probs)
		changed := Where(e.mask, MulScalar(off, e.gain), off)
		sum := sumRow(changed)
		scaled := Mul(changed, Div(sumRow(off), MaxScalar(sum, tiny)))
		return Where(diagonal, probs, Where(BroadcastToDims(positive(sum), dims...), scaled, probs))
	case RenormaliseRest:
		inside, outside := sumRow(e.inside(probs)), sumRow(Where(e.mask, ZerosLike(probs), probs))
		some := positive(outside)
		// Freed: (1-g) of the masked mass. Where nothing is outside the mask, the row stays.
		rest := AddScalar(Div(MulScalar(inside, 1-e.gain), MaxScalar(outside, tiny)), 1)
		one := OnesLike(rest)
		return Mul(probs, Where(e.mask, like(Where(some, MulScalar(one, e.gain), one), probs), like(Where(some, rest, one), probs)))
	}
	return Where(e.mask, MulScalar(probs, e.gain), probs)
}

// inside is the part of the probabilities that the mask covers; 0 elsewhere.
func (e edit) inside(probs *Node) *Node {
	if e.everything {
		return probs
	}
	return Where(e.mask, probs, ZerosLike(probs))
}

func sumRow(x *Node) *Node { return ReduceAndKeep(x, ReduceSum, -1) }

func positive(x *Node) *Node { return GreaterThan(x, ScalarZero(x.Graph(), x.DType())) }

// like broadcasts x to y's dimensions.
func like(x, y *Node) *Node { return BroadcastToDims(x, y.Shape().Dimensions...) }
