package attention

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// off is the bias that takes an entry out of a row: its exponential is exactly 0 beside any score that stays, and a row of which nothing stays keeps its
// softmax instead of becoming NaN.
const off = -1e4

// passes are what runs of a fused attention kernel give, each made when it is first asked for. Outputs are [batch, heads, queries, head_dim], log-sum-exps
// float32 [batch, heads, queries].
type passes struct {
	plain   func() (out, lse *Node)
	inside  func() (out, lse *Node)              // attention restricted to the mask, by a bias that is off outside it
	outside func() (out, lse *Node)              // attention restricted to the other entries
	own     func(lse *Node) (share, value *Node) // probability of each query's own position, [batch, heads, queries, 1], and its value
}

// fusedForm reports whether fused computes the edit. What is left is a diagonal kept while other entries are damped: its difference of two sums would
// lose the digits of half precision.
func (e edit) fusedForm() bool {
	return e.everything || e.spread || e.renormalise != KeepDiagonal || e.class == Boosts
}

// gains reports whether the forms that add to the plain attention are used, see fused.
func (e edit) gains() bool { return e.spread || e.class == Boosts && e.renormalise != Rest }

// passes is how many runs of the kernel fused takes.
func (e edit) passes() int {
	switch {
	case e.everything:
		return 1
	case e.gains(), e.renormalise == KeepGain && e.heads == nil:
		return 2
	}
	return 3
}

// fused carries the edit out in float32, [batch, heads, queries, head_dim]. With O and LSE of the plain attention, of the attention inside the mask and
// outside it, and m = exp(LSE_in - LSE) = sigmoid(LSE_in - LSE_out), the share of the row that the mask covers,
//
//	none:           O + (g-1) m O_in                 = g m O_in + (1-m) O_out
//	row:            the same divided by 1 + (g-1) m
//	rest:           g m O_in + (1 - g m) O_out
//	uniform:        O (1 + (g-1) m)
//	keep-diagonal:  a v + (1-a) / (1-a + (g-1) m) (O - a v + (g-1) m O_in), a the share of the diagonal and v its value
//
// The left forms add only what is positive when g >= 1, the right ones always: no digits are lost to a difference. None of the biases depends on the gain.
func (e edit) fused(p passes) *Node {
	plain, lse := p.plain()
	plain = ConvertDType(plain, dtypes.Float32)
	changed := e.changed(p, plain, lse)
	if e.heads != nil {
		changed = Where(like(e.heads, plain), changed, plain)
	}
	return changed
}

func (e edit) changed(p passes, plain, lse *Node) *Node {
	if e.everything {
		return Mul(plain, e.gain)
	}
	in, lseIn := p.inside()
	in = ConvertDType(in, dtypes.Float32)
	column := func(x *Node) *Node { return InsertAxes(x, -1) }
	scale := func(x, by *Node) *Node { return Mul(x, like(by, x)) }
	if e.gains() {
		gained := Mul(column(MinScalar(Exp(Sub(lseIn, lse)), 1)), e.more) // (g-1) m
		switch {
		case e.spread:
			return scale(plain, AddScalar(gained, 1))
		case e.renormalise == KeepDiagonal:
			share, value := p.own(lse)
			others := OneMinus(share)
			sum := Add(others, gained)
			kept := scale(value, share)
			changed := Add(kept, scale(Add(Sub(plain, kept), scale(in, gained)), Div(others, MaxScalar(sum, tiny))))
			return Where(like(positive(sum), plain), changed, plain)
		case e.renormalise == Row:
			return Div(Add(plain, scale(in, gained)), like(AddScalar(gained, 1), plain))
		}
		return Add(plain, scale(in, gained))
	}
	out, lseOut := p.outside()
	out = ConvertDType(out, dtypes.Float32)
	covered, rest := column(Sigmoid(Sub(lseIn, lseOut))), column(Sigmoid(Sub(lseOut, lseIn))) // m and 1-m
	weight := Mul(covered, e.gain)
	switch e.renormalise {
	case Row:
		sum := Add(weight, rest)
		changed := Div(Add(scale(in, weight), scale(out, rest)), like(MaxScalar(sum, tiny), plain))
		return Where(like(positive(sum), plain), changed, plain) // a row whose keys are all masked out stays
	case Rest:
		changed := Add(scale(in, weight), scale(out, OneMinus(weight)))
		return Where(like(positive(rest), plain), changed, plain)
	}
	return Add(scale(in, weight), scale(out, rest))
}
