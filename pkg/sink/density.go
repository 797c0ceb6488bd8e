package sink

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/attention"
	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/store"
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
	shares := make([]float64, len(prompts))
	err := eachDensity(ctx, r, prompts, prompts, tau, func(i int, share float64) error {
		shares[i] = share
		return nil
	})
	return newDensity(tau, shares), err
}

// KeptMaskDensity is MaskDensity from the store, prompt by prompt, and of the rest as it is computed, which is stored then. Job is as for [Kept].
func KeptMaskDensity(ctx context.Context, s *store.Store, job store.Job, prompts [][]int, tau float64, o TextOptions) (Density, error) {
	job.Kind = "mask density"
	var err error
	if job.Arm, err = json.Marshal(map[string]any{"tau": tau}); err != nil {
		return Density{}, fmt.Errorf("mask density: %w", err)
	}
	shares, err := keptTexts(s, job, prompts, o, func(r *engine.Runner, missing [][]int, put func(int, float64) error) error {
		return eachDensity(ctx, r, prompts, missing, tau, put)
	})
	return newDensity(tau, shares), err
}

func newDensity(tau float64, shares []float64) Density {
	return Density{Tau: tau, Value: mean(shares), Prompts: len(shares), PerPrompt: shares}
}

// eachDensity gives each prompt's share, in the order in which they are computed. Each is padded as it is among the whole.
func eachDensity(ctx context.Context, r *engine.Runner, whole, prompts [][]int, tau float64, each func(i int, share float64) error) error {
	qs := make([]engine.Sequence, len(prompts))
	for i, p := range prompts {
		if len(p) < 2 {
			return fmt.Errorf("mask density: prompt %d has %d tokens, expected 2 or more", i, len(p))
		}
		qs[i].Tokens = p
	}
	lengths := make([]int, len(whole))
	for i, p := range whole {
		lengths[i] = len(p)
	}
	heads := r.Model().Config.Heads
	err := r.Stream(ctx, lengths, qs, densityObserver{tau}, func(b engine.Batch) (func(model.Observation) error, func(*model.Result) error) {
		return nil, func(got *model.Result) error {
			marked := tensors.MustCopyFlatData[float32](got.Emitted[densityName][0])
			for row, at := range b.At {
				n := len(prompts[at])
				if err := each(at, float64(marked[row])/float64(heads*n*(n-1)/2)); err != nil {
					return err
				}
			}
			return nil
		}
	})
	if err != nil {
		return fmt.Errorf("mask density: %w", err)
	}
	return nil
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
