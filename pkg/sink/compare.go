package sink

import (
	"fmt"
	"slices"

	"github.com/attune-lab/attune/pkg/stats"
)

// Comparison is two surveys of the same prompts side by side.
type Comparison struct {
	Rows []CompareRow
}

// CompareRow is one statistic of both surveys, averaged over layers and heads, with the paired change from the first to the second.
type CompareRow struct {
	Name          string
	Before, After float64
	Change        stats.Change
	// Layers are the changes within each layer; nil where the surveys are of models with different numbers of layers.
	Layers []stats.Change
}

// Compare puts two surveys side by side: two models, or one before and after an intervention. Both must be of the same prompts, taken from the
// same list; every statistic that both measured is compared, sink rates at each eps. Intervals are of the paired differences, one per prompt.
func Compare(before, after *Survey, eps []float64, seed uint64) (*Comparison, error) {
	if !slices.Equal(before.Prompts, after.Prompts) {
		return nil, fmt.Errorf("surveys of %d and %d prompts, or of different ones: run both on the same list at the same T", len(before.Prompts), len(after.Prompts))
	}
	if before.T != after.T {
		return nil, fmt.Errorf("surveys at T = %d and T = %d: sink rates fall with T, run both at the same", before.T, after.T)
	}
	c := &Comparison{}
	for _, e := range eps {
		c.add(fmt.Sprintf("sink rate of position 0, eps %g", e), before.above(e), after.above(e), seed)
	}
	c.add("received by position 0", before.receivedAt(0), after.receivedAt(0), seed)
	for _, m := range []struct {
		name string
		of   func(*Survey) (*PerHead, error)
	}{
		{"row entropy (nats)", (*Survey).Entropy}, {"mass on the diagonal", (*Survey).DiagonalShare}, {"mass in the local window", (*Survey).LocalShare},
		{"attended distance (tokens)", (*Survey).Distance}, {"row sum", (*Survey).RowSum}, {"mask density", (*Survey).Density}, {"overlap with layer 0's mask", (*Survey).Overlap},
	} {
		b, errB := m.of(before)
		a, errA := m.of(after)
		if errA == nil && errB == nil { // an error says that it was not measured
			c.add(m.name, b, a, seed)
		}
	}
	return c, nil
}

func (c *Comparison) add(name string, before, after *PerHead, seed uint64) {
	row := CompareRow{Name: name, Before: mean(before.PerPrompt()), After: mean(after.PerPrompt()), Change: stats.PairedMean(after.PerPrompt(), before.PerPrompt(), seed)}
	if before.Layers == after.Layers {
		for l := range before.Layers {
			row.Layers = append(row.Layers, stats.PairedMean(after.Layer(l), before.Layer(l), seed))
		}
	}
	c.Rows = append(c.Rows, row)
}

// above is 1 where position 0 receives more than eps.
func (s *Survey) above(eps float64) *PerHead {
	return s.derive(func(p, l, h int) float64 {
		if s.Received(p, l, h)[0] > float32(eps) {
			return 1
		}
		return 0
	})
}

func (s *Survey) receivedAt(k int) *PerHead {
	return s.derive(func(p, l, h int) float64 { return float64(s.Received(p, l, h)[k]) })
}
