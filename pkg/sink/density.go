package sink

import (
	"context"
	"fmt"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/attention"
	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/model"
)

// Density is how much of what queries can see the emulation mask of layer 0 takes.
type Density struct {
	Tau     float64
	Value   float64 // mean over prompts
	Prompts int
	// PerPrompt is each prompt's share of (head, query, key) with key < query in which A_0 > Tau.
	PerPrompt []float64
}

// MaskDensity is mean M over the entries that can be in the mask: in layer 0, the share of (head, query, earlier key) whose probability is
// above tau. The diagonal, which the mask leaves out, is not counted. Prompts of one token have no such entry and are refused.
func MaskDensity(ctx context.Context, r *engine.Runner, prompts [][]int, tau float64) (Density, error) {
	d := Density{Tau: tau, Prompts: len(prompts), PerPrompt: make([]float64, len(prompts))}
	qs := make([]engine.Sequence, len(prompts))
	for i, p := range prompts {
		if len(p) < 2 {
			return d, fmt.Errorf("mask density: prompt %d has %d tokens, expected 2 or more", i, len(p))
		}
		qs[i].Tokens = p
	}
	heads := r.Model().Config.Heads
	err := r.Observe(ctx, qs, densityObserver{tau}, func(b engine.Batch, got *model.Result) error {
		marked := tensors.MustCopyFlatData[float32](got.Emitted[densityName][0])
		for row, at := range b.At {
			n := len(prompts[at])
			d.PerPrompt[at] = float64(marked[row]) / float64(heads*n*(n-1)/2)
		}
		return nil
	})
	if err != nil {
		return d, fmt.Errorf("mask density: %w", err)
	}
	d.Value = mean(d.PerPrompt)
	return d, nil
}

const densityName = "sink.density"

// densityObserver emits how many entries of layer 0 are above tau: float32 [batch].
type densityObserver struct{ tau float64 }

func (o densityObserver) Visit(l attention.Layer) *attention.Visit {
	if l.Index != 0 {
		return nil
	}
	return &attention.Visit{Key: fmt.Sprintf("observe mask density at %g", o.tau), Build: func(site *attention.Site) {
		probs := site.Probs()
		zero := ZerosLike(probs)
		off := Where(BroadcastToDims(site.Diagonal(), probs.Shape().Dimensions...), zero, probs)
		valid := InsertAxes(attention.Valid(site), 1, -1) // [batch, 1, queries, 1]
		above := ConvertDType(GreaterThan(off, Scalar(probs.Graph(), probs.DType(), o.tau)), dtypes.Float32)
		site.Emit(densityName, ReduceSum(Mul(above, valid), 1, 2, 3))
	}}
}
