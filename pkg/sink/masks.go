package sink

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/attune-lab/attune/pkg/attention"
)

const (
	nameMarked = "marked" // entries above tau off the diagonal
	nameShared = "shared" // of them, those that layer 0's same head marks too
)

// masks counts what is above tau off the diagonal, [batch, heads], and what of it layer 0 marks too, given the layer's marks and those on the diagonal.
func (c *collector) masks(a *square, marks, own *Node) (marked, shared *Node) {
	marked = Sub(a.count(marks), c.sumRows(own)) // the diagonal is counted and taken off again
	if c.site.Index == 0 {
		c.site.Keep(keptMarks, marks)
		c.site.Keep(keptOwn, own)
		return marked, marked
	}
	first, firstOwn := c.site.Kept(keptMarks), c.site.Kept(keptOwn)
	if first == nil {
		whole := squareOf(attention.KeptLayer(c.site, keptSource), c.valid)
		whole.near = band(whole.probs, 1)
		first, firstOwn = c.marks(whole)
	}
	and := BitwiseAnd
	if a.onXLA {
		and = LogicalAnd
	}
	return marked, Sub(a.count(and(marks, first)), c.sumRows(Mul(own, firstOwn)))
}

// marks are the entries above tau, bool [batch, heads, queries, keys], and those on the diagonal, float32 [batch, heads, queries]. On the Go backend the
// first are the same bytes eight to an int64, [batch, heads, eighths]: counting and conjunction take an eighth of the time.
func (c *collector) marks(a *square) (marks, own *Node) {
	tau := Scalar(a.probs.Graph(), dtypes.Float32, c.tau)
	own = ConvertDType(GreaterThan(diagonal(a.near), tau), dtypes.Float32)
	marks = GreaterThan(a.square(), tau)
	d := marks.Shape().Dimensions
	if a.valid != nil {
		real := GreaterThan(InsertAxes(a.valid, -1), ScalarZero(a.valid.Graph(), dtypes.Float32))
		marks = LogicalAnd(marks, BroadcastToDims(real, d...))
	}
	if a.onXLA {
		return marks, own
	}
	n := d[2] * d[3]
	marks = padLast(Reshape(marks, d[0], d[1], n), (n+7)/8*8)
	return Bitcast(Reshape(marks, d[0], d[1], (n+7)/8, 8), dtypes.Int64), own
}

// count is how many marks each head has: float32 [batch, heads], exact up to 2^24.
func (a *square) count(marks *Node) *Node {
	if a.onXLA {
		return ReduceSum(ConvertDType(marks, dtypes.Float32), 2, 3)
	}
	x := ConvertDType(BitCount(marks), dtypes.Float32)
	return DotGeneral(x, []int{2}, nil, Ones(x.Graph(), shapes.Make(dtypes.Float32, x.Shape().Dimensions[2])), []int{0}, nil)
}

// Density is mean M of every head: the share of (query, earlier key) whose probability is above Tau.
func (s *Survey) Density() (*PerHead, error) {
	if err := s.need(Masks, "mask density"); err != nil {
		return nil, err
	}
	return s.derive(func(p, l, h int) float64 {
		n := float64(s.Lengths[p])
		return s.head(nameMarked, p, l, h) / max(1, n*(n-1)/2)
	}), nil
}

// Overlap is the Jaccard index of every head's mask with that of the same head in layer 0, |M_l and M_0| / |M_l or M_0|; 1 where both
// are empty, as layer 0 always is with itself.
func (s *Survey) Overlap() (*PerHead, error) {
	if err := s.need(Masks, "the overlap of masks"); err != nil {
		return nil, err
	}
	return s.derive(func(p, l, h int) float64 {
		both := s.head(nameShared, p, l, h)
		either := s.head(nameMarked, p, l, h) + s.head(nameMarked, p, 0, h) - both
		if either == 0 {
			return 1
		}
		return both / either
	}), nil
}

// checkTau refuses thresholds that no probability can be compared with.
func checkTau(tau float64) error {
	if !(tau > 0 && tau < 1) {
		return fmt.Errorf("survey: tau is %v, expected between 0 and 1: probabilities are compared with it", tau)
	}
	return nil
}
