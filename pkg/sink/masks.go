package sink

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/attune-lab/attune/pkg/model"
)

const (
	nameMarked = "marked" // entries above tau off the diagonal
	nameShared = "shared" // of them, those that layer 0's same head marks too
)

// sourceTile is what a later layer needs to know which entries layer 0 marks: the marks themselves where layer 0 formed its probabilities,
// else what they are computed from again, tile by tile.
type sourceTile struct {
	above *Node       // float32 [batch, heads, rows, keys], 1 above tau
	own   *Node       // float32 [batch, heads, rows], the same on the diagonal
	site  *model.Site // layer 0
	lse   *Node
}

// masks counts what is above tau. A_0 > tau is s_0 > LSE_0 + log tau: layer 0's scores are enough, its softmax is not taken again.
func (c *collector) masks(site *model.Site, t *tile, i int) {
	above := c.above(t.probs)
	own := c.above(t.diagonal())
	marked := Sub(innerKeys(above, above, t.onXLA), own)
	c.addRows(nameMarked, t, marked)
	if site.Layer == 0 {
		src := sourceTile{above: above, own: own}
		if t.lse != nil {
			src = sourceTile{own: own, site: site, lse: t.lse}
		}
		c.source = append(c.source, src)
		c.addRows(nameShared, t, marked)
		return
	}
	src := c.source[i]
	first := src.above
	if first == nil {
		scores := blockScores(src.site, span{t.start, t.start + t.rows})
		first = ConvertDType(GreaterThan(scores, InsertAxes(AddScalar(src.lse, math.Log(c.tau)), -1)), dtypes.Float32)
	}
	c.addRows(nameShared, t, Sub(innerKeys(above, first, t.onXLA), Mul(own, src.own)))
}

func (c *collector) above(p *Node) *Node {
	return ConvertDType(GreaterThan(p, Scalar(p.Graph(), p.DType(), c.tau)), dtypes.Float32)
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
