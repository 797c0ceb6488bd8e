package emulate

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/attune-lab/attune/pkg/model"
)

// pattern is the attention that other layers emulate, of whole layers or of the same rows of each.
type pattern struct {
	probs  *Node // mean of the source layers' probabilities
	shared *Node // the mask, where it is the same for all layers: bool [batch, heads, queries, keys]
}

// patternOf is the pattern of the source layers.
func (s Spec) patternOf(sources []*model.Site) *pattern {
	sum := sources[0].Probs()
	for _, site := range sources[1:] {
		sum = Add(sum, site.Probs())
	}
	if n := len(sources); n > 1 {
		sum = DivScalar(sum, float64(n))
	}
	p := &pattern{probs: sum}
	last := sources[len(sources)-1]
	if s.Pairing == PairMean {
		p.shared = like(s.above(last, ReduceAndKeep(sum, ReduceMean, 1)), sum)
	} else {
		p.shared = s.above(last, sum)
	}
	return p
}

// mask is M for a site after the source: bool [batch, heads, queries, keys].
func (p *pattern) mask(s Spec, site *model.Site) *Node {
	if s.Pairing != PairBest {
		return p.shared
	}
	// Cosine of every row with the same query's row in every head of the source. The row's own norm is the same for all candidates.
	own := site.Probs()
	norm := Sqrt(AddScalar(sumRow(Square(p.probs)), tiny))
	candidates := Div(p.probs, norm)
	overlap := DotGeneral(own, []int{3}, []int{0, 2}, candidates, []int{3}, []int{0, 2}) // [batch, queries, heads, source heads]
	best := ArgMax(overlap, -1)                                                          // [batch, queries, heads]
	heads := own.Shape().Dimensions[1]
	chosen := OneHot(best, heads, dtypes.Float32)
	marks := ConvertDType(p.shared, dtypes.Float32)
	mask := DotGeneral(chosen, []int{3}, []int{0, 1}, marks, []int{1}, []int{0, 2}) // [batch, queries, heads, keys]
	mask = TransposeAllAxes(mask, 0, 2, 1, 3)
	return positive(mask)
}

// above is the threshold: true where a probability passes it and the key is not excluded.
func (s Spec) above(site *model.Site, probs *Node) *Node {
	excluded := s.excluded(site)
	switch {
	case s.TopK > 0:
		count := MulScalar(OnesLike(InsertAxes(site.QueryPos, 1, -1)), s.TopK)
		return chooseLargest(s.eligible(site, excluded, probs), ordered(probs), count, probabilityBits)
	case s.Quantile > 0:
		eligible := s.eligible(site, excluded, probs)
		n := sumRow(ConvertDType(eligible, dtypes.Float32))
		count := ConvertDType(Ceil(MulScalar(n, 1-s.Quantile)), dtypes.Int32)
		return chooseLargest(eligible, ordered(probs), count, probabilityBits)
	}
	g, dtype := probs.Graph(), probs.DType()
	limit := Scalar(g, dtype, s.Tau)
	if s.PerKey > 0 {
		visible := sumRow(ConvertDType(site.Mask, dtypes.Float32)) // [1 or batch, 1, queries, 1]
		limit = Div(Scalar(g, dtype, s.PerKey), MaxScalar(visible, 1.0))
	}
	if excluded != nil {
		// What is excluded gets a limit that no probability passes.
		if !limit.IsScalar() {
			dims := unionDims(excluded, limit)
			excluded, limit = BroadcastToDims(excluded, dims...), BroadcastToDims(limit, dims...)
		}
		limit = Where(excluded, Scalar(g, dtype, 2), limit)
	}
	return GreaterThan(probs, limit)
}
