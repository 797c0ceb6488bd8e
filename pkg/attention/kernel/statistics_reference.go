package kernel

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// plainScores are a layer's scores, float32 [batch, heads, tokens, tokens].
func plainScores(query, key *Node, f Form) *Node {
	scores := MulScalar(products(query, key), f.Scale)
	if f.Softcap > 0 {
		scores = MulScalar(Tanh(DivScalar(scores, f.Softcap)), f.Softcap)
	}
	return seen(scores, f.Window)
}

// plainLSE is the log-sum-exp of the rows, [batch, heads, tokens].
func plainLSE(query, key *Node, f Form) *Node {
	return Squeeze(logSumExp(plainScores(query, key, f)), -1)
}

// sumsInPlain is Statistics in plain operations.
func sumsInPlain(query, key, lse *Node, w Wanted) Sums {
	logs := Sub(plainScores(query, key, w.Form), InsertAxes(lse, -1))
	p := Exp(logs)
	i, j := positions(p)
	away := Sub(i, j)
	total := func(x *Node) *Node { return ReduceSum(x, 2, 3) }
	where := func(b *Node) *Node { return ConvertDType(b, dtypes.Float32) }
	out := Sums{Columns: ReduceSum(p, 2)}
	if w.Rows {
		own, ownLogs := p, logs
		if w.Share != nil {
			ownLogs = Sub(logs, InsertAxes(w.Share, -1))
			own = Exp(ownLogs)
			out.Distance = total(Mul(own, ConvertDType(away, dtypes.Float32)))
		}
		out.Entropy = Neg(total(Mul(own, ownLogs)))
		out.Local = total(Mul(p, where(LessThan(away, Scalar(p.Graph(), dtypes.Int32, w.Local)))))
	}
	if w.Tau > 0 {
		above := func(logs *Node) *Node {
			return LogicalAnd(GreaterThan(logs, Scalar(p.Graph(), dtypes.Float32, math.Log(w.Tau))), GreaterThan(i, j))
		}
		marks := above(logs)
		out.Marked = total(where(marks))
		if s := w.Source; s != nil {
			out.Shared = total(where(LogicalAnd(marks, above(Sub(plainScores(s.Query, s.Key, s.Form), InsertAxes(s.LSE, -1))))))
		}
	}
	if w.Cells {
		d := p.Shape().Dimensions
		n := (d[2] + CellTokens - 1) / CellTokens
		if more := n*CellTokens - d[2]; more > 0 {
			p = GrowRight(GrowRight(p, 2, more, 0), 3, more, 0)
		}
		out.Cells = ReduceSum(Reshape(p, d[0], d[1], n, CellTokens, n, CellTokens), 3, 5)
	}
	return out
}

// sumsDiffer is the largest relative distance of Statistics' results from those in plain operations. Counts may differ by the entries at a threshold, of which
// rounding decides.
func sumsDiffer(query, key, lse *Node, w Wanted) *Node {
	got, want := Statistics(query, key, lse, w), sumsInPlain(query, key, lse, w)
	worst := Scalar(query.Graph(), dtypes.Float32, 0)
	norm := func(x *Node) *Node { return Sqrt(ReduceAllSum(Square(x))) }
	for _, pair := range [][2]*Node{{got.Columns, want.Columns}, {got.Entropy, want.Entropy}, {got.Distance, want.Distance}, {got.Local, want.Local},
		{got.Marked, want.Marked}, {got.Shared, want.Shared}, {got.Cells, want.Cells}} {
		if pair[1] != nil {
			worst = Max(worst, Div(norm(Sub(pair[0], pair[1])), AddScalar(norm(pair[1]), 1e-3))) // of one token nothing is off the diagonal
		}
	}
	return worst
}

// trialOperands are queries, keys, values and the queries and keys of a source, of about unit size, behind a barrier: see differ.
func trialOperands(g *Graph, tokens, heads, dim int, dtype dtypes.DType) []*Node {
	of := func(heads int, frequency float64) *Node {
		x := ConvertDType(IotaFull(g, shapes.Make(dtypes.Int32, 1, tokens, heads, dim)), dtypes.Float32)
		return ConvertDType(MulScalar(Sin(MulScalar(x, frequency)), math.Sqrt2), dtype)
	}
	return OptimizationBarriers(of(heads, 1.1), of(1, 0.7), of(1, 1.3), of(heads, 0.9), of(1, 1.7))
}
