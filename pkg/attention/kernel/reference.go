package kernel

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// inPlain is Attention in plain operations, float32, which holds the whole square; covered is the Gain's mask, bool [batch, heads, tokens, tokens].
func inPlain(query, key, value *Node, o Options, covered *Node) (out, lse *Node) {
	scores := MulScalar(products(query, key), o.Scale)
	if o.Softcap > 0 {
		scores = MulScalar(Tanh(DivScalar(scores, o.Softcap)), o.Softcap)
	}
	scores = seen(scores, o.Window)
	lse = logSumExp(scores)
	if o.Sinks != nil {
		sinks := BroadcastToDims(Reshape(o.Sinks, 1, -1, 1, 1), lse.Shape().Dimensions...)
		lse = Add(Max(lse, sinks), Log1P(Exp(Neg(Abs(Sub(lse, sinks))))))
	}
	p := Exp(Sub(scores, lse))
	if g := o.Gain; g != nil {
		p = Mul(p, Where(covered, BroadcastToDims(Reshape(g.Values, 1, -1, 1, 1), p.Shape().Dimensions...), OnesLike(p)))
		if g.Normalise {
			p = Div(p, ReduceAndKeep(p, ReduceSum, -1))
		}
	}
	out = DotGeneral(p, []int{3}, []int{0, 1}, perHead(value, query), []int{1}, []int{0, 2})
	return TransposeAllAxes(out, 0, 2, 1, 3), Squeeze(lse, -1)
}

// above is the mask of a plain attention's probabilities above tau, the diagonal left out: bool [batch, heads, tokens, tokens]. limit are the limits of the
// products that say the same, [batch, heads, tokens], and near marks the rows of which a product is so near its limit that rounding decides.
func above(query, key *Node, scale, tau float64) (mask, limit, near *Node) {
	raw := products(query, key)
	bound := MulScalar(AddScalar(logSumExp(seen(MulScalar(raw, scale), 0)), math.Log(tau)), 1/scale)
	i, j := positions(raw)
	mask = LogicalAnd(GreaterThan(raw, BroadcastToDims(bound, raw.Shape().Dimensions...)), GreaterThan(i, j))
	undecided := LessThan(Abs(Sub(raw, bound)), Scalar(raw.Graph(), dtypes.Float32, 1e-3))
	return mask, Squeeze(bound, -1), ReduceMax(ConvertDType(undecided, dtypes.Float32), -1)
}

// products of queries and keys, float32 [batch, heads, tokens, tokens].
func products(query, key *Node) *Node {
	return DotGeneral(ConvertDType(query, dtypes.Float32), []int{3}, []int{0, 2}, perHead(key, query), []int{3}, []int{0, 2})
}

// perHead repeats keys or values for the heads that share them, in float32.
func perHead(x, query *Node) *Node {
	d, heads := x.Shape().Dimensions, query.Shape().Dimensions[2]
	wide := BroadcastToDims(InsertAxes(ConvertDType(x, dtypes.Float32), 3), d[0], d[1], d[2], heads/d[2], d[3])
	return Reshape(wide, d[0], d[1], heads, d[3])
}

// seen leaves the scores of keys that a query may see, and at most so many; 0 = all.
func seen(scores *Node, window int) *Node {
	i, j := positions(scores)
	visible := GreaterOrEqual(i, j)
	if window > 0 {
		visible = LogicalAnd(visible, GreaterThan(j, AddScalar(i, -window)))
	}
	return Where(visible, scores, AddScalar(ZerosLike(scores), -1e30))
}

// logSumExp of each row, [..., keys] -> [..., 1].
func logSumExp(scores *Node) *Node {
	top := ReduceAndKeep(scores, ReduceMax, -1)
	return Add(top, Log(ReduceAndKeep(Exp(Sub(scores, top)), ReduceSum, -1)))
}

// positions of an entry's query and key, int32 of its dimensions.
func positions(x *Node) (query, key *Node) {
	square := shapes.Make(dtypes.Int32, x.Shape().Dimensions...)
	return Iota(x.Graph(), square, 2), Iota(x.Graph(), square, 3)
}
