package sink

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// tiny is the smallest probability or sum that is divided by or taken the logarithm of.
const tiny = 1e-30

// entropy of each row in nats, of the row divided by its sum: [batch, heads, rows].
//
// With scores s and row log-sum-exp LSE, -sum_j p_j log p_j = LSE - sum_j p_j s_j: no logarithm of a [queries, keys] array is taken,
// which costs as much as the whole layer on the Go backend.
func (t *tile) entropy(diagonal, total *Node) *Node {
	switch {
	case t.exps != nil:
		shifted := Sub(t.scores, t.top)
		return Sub(Log(t.keySum), Div(ReduceSum(Mul(t.exps, shifted), -1), t.keySum))
	case t.scores != nil:
		return t.entropyFromProbs(diagonal)
	}
	p := t.probs
	plogp := Where(GreaterThan(p, Scalar(p.Graph(), p.DType(), tiny)), Mul(p, Log(MaxScalar(p, tiny))), ZerosLike(p))
	total = MaxScalar(total, tiny)
	return Sub(Log(total), Div(ReduceSum(plogp, -1), total))
}

// entropyFromProbs finds the row's LSE from a key whose probability is known exactly, s_j - log p_j: the first position or the query
// itself, whichever has more. Where both are below 1e-30 the rest of the row's entropy is its lower bound -log sum_j p_j^2 (Rényi's of order
// 2, exact for the one-hot rows in which that happens: some score is then 69 above both).
func (t *tile) entropyFromProbs(diagonal *Node) *Node {
	mean := innerKeys(t.probs, t.scores, t.onXLA)
	first := t.first()
	firstScore := Squeeze(SliceAxis(t.scores, -1, AxisRange(0, 1)), -1)
	ownScore := t.diagonalOf(t.scores)
	useFirst := GreaterThan(first, diagonal)
	p, s := Where(useFirst, first, diagonal), Where(useFirst, firstScore, ownScore)
	lse := Sub(s, Log(MaxScalar(p, tiny)))
	bound := Neg(Log(MaxScalar(innerKeys(t.probs, t.probs, t.onXLA), tiny)))
	return Where(GreaterThan(p, Scalar(p.Graph(), dtypes.Float32, tiny)), Sub(lse, mean), bound)
}

// Entropy of the rows of attention in nats: 0 where a query looks at one key, log(i+1) where it looks at all alike. Rows that an
// intervention rewrote are divided by their sum first.
func (s *Survey) Entropy() (*PerHead, error) { return s.rowMeasure(nameEntropy, "row entropy") }
