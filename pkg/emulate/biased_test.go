package emulate

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
)

// lowestBias stands for the logarithm of a gain of 0: its exponential is exactly 0 beside any score, and it stays far above what masks the
// future, so that a row whose keys all have it keeps its softmax.
const lowestBias = -1e4

// logGain is the bias that multiplies the softmax's numerators by the gain: float32, mask * log g.
func (e edit) logGain() float64 {
	if e.gain == 0 {
		return lowestBias
	}
	return math.Max(math.Log(e.gain), lowestBias)
}

// passes says how many runs of a kernel with an additive bias and row log-sum-exps compute the edit exactly; 0 = it takes probabilities.
//
//	row:     O = O_bias                                 one pass, bias mask * log g
//	none:    O = O_bias * exp(LSE_bias - LSE_plain)     two passes
//	uniform: O = O_plain * exp(LSE_bias - LSE_plain)    two passes
//	rest:    O = g * O_plain + (1-g) * O_rest           two passes, bias -inf on the mask
//
// With a mask of every entry and no renormalisation the output itself is multiplied: one pass without a bias.
func (e edit) passes() int {
	switch {
	case e.mask == nil && !e.spread:
		return 1
	case e.spread, e.renormalise == RenormaliseNone, e.renormalise == RenormaliseRest:
		return 2
	case e.renormalise == RenormaliseRow:
		return 1
	}
	return 0
}

// biased computes the edited probabilities of all heads from masked scores, float32 [batch, heads, queries, keys], by biases alone: what one or
// two passes of a fused kernel give. It is exact where no learned sink takes part of a row; nil where passes is 0.
func (e edit) biased(scores *Node) *Node {
	plain := func() *Node { return Softmax(scores, -1) }
	with := func(bias float64) *Node {
		return Add(scores, Where(e.mask, like(Scalar(scores.Graph(), scores.DType(), bias), scores), ZerosLike(scores)))
	}
	switch {
	case e.passes() == 0:
		return nil
	case e.mask == nil && !e.spread:
		return MulScalar(plain(), e.gain)
	case e.renormalise == RenormaliseRow:
		return Softmax(with(e.logGain()), -1)
	case e.renormalise == RenormaliseRest:
		return Add(MulScalar(plain(), e.gain), MulScalar(Softmax(with(lowestBias), -1), 1-e.gain))
	}
	biased := with(e.logGain())
	ratio := Exp(Sub(logSumExp(biased), logSumExp(scores)))
	if e.spread {
		return Mul(plain(), ratio)
	}
	return Mul(Softmax(biased, -1), ratio)
}

// logSumExp of each row, [..., keys] -> [..., 1].
func logSumExp(scores *Node) *Node {
	top := ReduceAndKeep(scores, ReduceMax, -1)
	return Add(top, Log(sumRow(Exp(Sub(scores, top)))))
}

// aboveInScores is the mask A > tau without a softmax: s > LSE + log tau, with scores [..., queries, keys] and log-sum-exps [..., queries, 1].
func aboveInScores(scores, lse *Node, tau float64) *Node {
	return GreaterThan(scores, like(AddScalar(lse, math.Log(tau)), scores))
}
