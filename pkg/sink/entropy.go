package sink

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// tiny is the smallest probability or sum that is divided by or taken the logarithm of.
const tiny = 1e-30

// entropy of each row in nats, of the row divided by its sum: [batch, heads, queries].
//
// With scores s and row log-sum-exp LSE, -sum_j p_j log p_j = LSE - sum_j p_j s_j: no logarithm of a [queries, keys] array is taken,
// which costs as much as the whole layer on the Go backend. The LSE comes from a key whose probability is known exactly, s_j - log p_j: the first
// position or the query itself, whichever has more. Where both are below 1e-30 the rest of the row's entropy is its lower bound -log sum_j p_j^2 (Rényi's
// of order 2, exact for the one-hot rows in which that happens: some score is then 69 above both).
func (a *square) entropy(first, own, total *Node) *Node {
	if a.scores == nil {
		p := a.square()
		plogp := Where(GreaterThan(p, Scalar(p.Graph(), p.DType(), tiny)), Mul(p, Log(MaxScalar(p, tiny))), ZerosLike(p))
		total = MaxScalar(total, tiny)
		return Sub(Log(total), Div(ReduceSum(plogp, -1), total))
	}
	useFirst := GreaterThan(first, own)
	p, s := Where(useFirst, first, own), Where(useFirst, column(a.scores, 0), diagonal(band(a.scores, 1)))
	lse := Sub(s, Log(MaxScalar(p, tiny)))
	known := GreaterThan(p, Scalar(p.Graph(), dtypes.Float32, tiny))
	rows := a.rows()
	mean := a.dotRows(rows, Reshape(a.scores, rows.Shape().Dimensions...))
	return Where(known, Sub(lse, mean), a.renyi(rows, LogicalAll(known)))
}

// renyi is -log sum_j p_j^2 of each row, [batch, heads, queries]. The Go backend takes the time only where it is needed.
func (a *square) renyi(rows, unneeded *Node) *Node {
	squares := func() *Node { return a.dotRows(rows, rows) }
	if a.onXLA {
		return Neg(Log(MaxScalar(squares(), tiny)))
	}
	g := rows.Graph()
	none := NewClosure(g, func(g *Graph) []*Node {
		return []*Node{Iota(g, shapes.Make(dtypes.Float32, a.batch, a.heads, a.tokens), 0)}
	}) // not looked at
	some := NewClosure(g, func(*Graph) []*Node { return []*Node{squares()} })
	return Neg(Log(MaxScalar(If(unneeded, none, some)[0], tiny)))
}

// Entropy of the rows of attention in nats: 0 where a query looks at one key, log(i+1) where it looks at all alike. Rows that an
// intervention rewrote are divided by their sum first.
func (s *Survey) Entropy() (*PerHead, error) { return s.rowMeasure(nameEntropy, "row entropy") }
