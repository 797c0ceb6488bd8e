package attention

import . "github.com/gomlx/gomlx/core/graph"

// Weighted multiplies the probabilities that a mask covers by a gain, and treats the rows as Renormalise says.
type Weighted struct {
	Mask  Mask
	Gain  *Node     // of GainInput: float32 [2]
	Class GainClass // which form keeps its digits: a part of the graph's structure, so of the Visit's key
	Heads *Node     // float32 [heads], not 0 for the heads that are changed; nil = all
	// Spread is the control without a mask: the mass that the mask would gain, over the whole row in proportion.
	Spread      bool
	Renormalise Renormalise
	Execution
}

// GainClass says where a gain lies.
type GainClass int

const (
	Boosts GainClass = iota // 1 or more
	Damps                   // above 0 and below 1
	Zeroes                  // 0
)

func (c GainClass) String() string { return [...]string{"boosts", "damps", "zeroes"}[c] }

// GainInput is a Weighted's Gain as an input: a gain of at least 0 and what it adds to 1, whose digits a difference in float32 would lose. ClassOf is its class.
func GainInput(gain float64) []float32 { return []float32{float32(gain), float32(gain - 1)} }

// ClassOf is the class of a gain.
func ClassOf(gain float64) GainClass {
	switch {
	case gain >= 1:
		return Boosts
	case gain > 0:
		return Damps
	}
	return Zeroes
}

// Renormalise is what happens to a row after the gain.
type Renormalise int

const (
	KeepGain     Renormalise = iota // a row sums to 1 + (g-1) * its masked mass
	Row                             // every row is divided by its sum over the real keys
	KeepDiagonal                    // the diagonal stays; the other entries share what it leaves
	Rest                            // the entries outside the mask take the freed mass, in proportion to their weight
)

// Execution says how a change is carried out; it does not change what is computed. The zero value takes the cheapest exact path of every layer.
type Execution struct {
	// Dense forms the probabilities of every changed layer, also where a fused kernel could do without: for comparison.
	Dense bool
	// MaxBytes bounds what one layer may hold of size [batch, heads, queries, keys]; a layer that would need more is computed by blocks of rows.
	// 0 = 8 GiB. It concerns accelerators: the Go backend forms probabilities anyway.
	MaxBytes int64
}

func (x Execution) maxBytes() int64 {
	if x.MaxBytes != 0 {
		return x.MaxBytes
	}
	return defaultMaxBytes
}

// edit is what a Weighted does to one layer's attention, whatever computes it: dense carries it out on probabilities, fused on what runs of a fused kernel give.
type edit struct {
	everything  bool  // the mask holds every entry
	mask        *Node // bool [batch, heads, queries, keys]; what dense needs unless everything is set
	gain, more  *Node // scalars: the gain, at least 0, and the gain less 1
	class       GainClass
	heads       *Node // bool [1, heads, 1, 1]: the heads that are changed; nil = all
	spread      bool  // the row's gained mass is spread over all its entries in proportion
	renormalise Renormalise
}

func (w Weighted) edit() edit {
	scalar := func(i int) *Node { return Reshape(SliceAxis(w.Gain, 0, AxisElem(i))) }
	_, everything := w.Mask.(Everything)
	e := edit{everything: everything, gain: scalar(0), more: scalar(1), class: w.Class, spread: w.Spread, renormalise: w.Renormalise}
	if w.Heads != nil {
		e.heads = InsertAxes(NotEqual(w.Heads, ZerosLike(w.Heads)), 0, -1, -1)
	}
	return e
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
		return Mul(probs, AddScalar(Mul(sumRow(e.inside(probs)), e.more), 1))
	case e.everything:
		return Mul(probs, e.gain)
	}
	switch e.renormalise {
	case Row:
		changed := Where(e.mask, Mul(probs, e.gain), probs)
		sum := sumRow(changed)
		scaled := Div(changed, MaxScalar(sum, tiny))
		if e.class != Zeroes {
			return scaled
		}
		// A row whose keys are all masked out has no other entry to go to: it stays.
		return Where(BroadcastToDims(positive(sum), probs.Shape().Dimensions...), scaled, probs)
	case KeepDiagonal:
		dims := probs.Shape().Dimensions
		diagonal = BroadcastToDims(diagonal, dims...)
		off := Where(diagonal, ZerosLike(probs), probs)
		changed := Where(e.mask, Mul(off, e.gain), off)
		sum := sumRow(changed)
		scaled := Mul(changed, Div(sumRow(off), MaxScalar(sum, tiny)))
		return Where(diagonal, probs, Where(BroadcastToDims(positive(sum), dims...), scaled, probs))
	case Rest:
		inside, outside := sumRow(e.inside(probs)), sumRow(Where(e.mask, ZerosLike(probs), probs))
		some := positive(outside)
		// Freed: (1-g) of the masked mass. Where nothing is outside the mask, the row stays.
		rest := AddScalar(Div(Mul(inside, Neg(e.more)), MaxScalar(outside, tiny)), 1)
		one := OnesLike(rest)
		return Mul(probs, Where(e.mask, like(Where(some, Mul(one, e.gain), one), probs), like(Where(some, rest, one), probs)))
	}
	return Where(e.mask, Mul(probs, e.gain), probs)
}

// inside is the part of the probabilities that the mask covers; 0 elsewhere.
func (e edit) inside(probs *Node) *Node {
	if e.everything {
		return probs
	}
	return Where(e.mask, probs, ZerosLike(probs))
}

// weighs reports whether the edit multiplies probabilities by weights that are known before their row is, so that one pass of a kernel can apply them.
func (e edit) weighs() bool {
	return !e.everything && !e.spread && (e.renormalise == KeepGain || e.renormalise == Row && e.class != Zeroes)
}

// gainOfHeads are the weights of the mask's entries, float32 [heads].
func (e edit) gainOfHeads(heads int) *Node {
	gains := BroadcastToDims(e.gain, heads)
	if e.heads != nil {
		gains = Where(Reshape(e.heads, -1), gains, OnesLike(gains))
	}
	return gains
}
