package sink

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/attention"
	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/emulate/apply"
	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/store"
)

// Effect is what an intervention does to one text, or what the plain model does in its place. Entropies are in nats.
type Effect struct {
	// RowSum, RowEntropy and FirstMass describe each layer's attention, [layer], averaged over heads and queries: what a row sums to, the
	// entropy of the row brought to sum one, and the weight on position 0.
	RowSum, RowEntropy, FirstMass []float64
	// Entropy of the next token's distribution, averaged over positions.
	Entropy float64
	// KL is the divergence of the next token's distribution from the plain model's, KL(plain || changed), averaged over positions.
	KL float64
	// SameTop is the share of positions whose most probable next token is the plain model's.
	SameTop float64
	Plan    []string
}

// MeasureEffect runs each text, a list of token ids, without and with an experiment. Progress, which may be nil, is called after each text.
func MeasureEffect(m *model.Model, texts [][]int, exp attention.Experiment, progress func(texts int)) (plain, changed []Effect, err error) {
	err = eachEffect(context.Background(), m, texts, exp, func(_ int, before, after Effect) error {
		plain, changed = append(plain, before), append(changed, after)
		if progress != nil {
			progress(1)
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return plain, changed, nil
}

// both are a text's effects as the store has them.
type both struct {
	Plain   Effect `json:"plain"`
	Changed Effect `json:"changed"`
}

// KeptEffects is MeasureEffect from the store, text by text, and of the rest as it is computed, which is stored then. Job is as for Kept. With a Part the effects are those
// of the part's texts.
func KeptEffects(ctx context.Context, s *store.Store, job store.Job, plan emulate.Plan, texts [][]int, o TextOptions) (plain, changed []Effect, err error) {
	if job.Arm, err = json.Marshal(map[string]any{"plan": json.RawMessage(plan.JSON())}); err != nil {
		return nil, nil, fmt.Errorf("effect: %w", err)
	}
	job.Kind = "effect"
	found, err := keptTexts(s, job, texts, o, func(r *engine.Runner, missing [][]int, put func(i int, b both) error) error {
		exp, err := apply.Plan(plan)
		if err != nil {
			return err
		}
		return eachEffect(ctx, r.Model(), missing, exp, func(i int, plain, changed Effect) error { return put(i, both{plain, changed}) })
	})
	for _, b := range found {
		plain, changed = append(plain, b.Plain), append(changed, b.Changed)
	}
	return plain, changed, err
}

// eachEffect measures text by text, until ctx ends.
func eachEffect(ctx context.Context, m *model.Model, texts [][]int, exp attention.Experiment, each func(i int, plain, changed Effect) error) error {
	compare, err := NewExec(m.Backend, compareLogits)
	if err != nil {
		return err
	}
	defer compare.Finalize()
	compare.SetMaxCache(-1)
	for i, text := range texts {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		before, base, err := measure(m, compare, text, nil, nil)
		if err != nil {
			return fmt.Errorf("text %d: %w", i, err)
		}
		after, logits, err := measure(m, compare, text, exp, base)
		base.FinalizeAll()
		if err != nil {
			return fmt.Errorf("text %d: %w", i, err)
		}
		logits.FinalizeAll()
		if err := each(i, before, after); err != nil {
			return err
		}
	}
	return nil
}

// measure runs one text; base holds the plain model's logits, [1, tokens, vocabulary], nil to compare a run with itself. Logits stay on the device.
func measure(m *model.Model, compare *Exec, text []int, exp attention.Experiment, base *tensors.Tensor) (Effect, *tensors.Tensor, error) {
	r, err := m.Forward(model.Prompts(text), model.Outputs{Logits: true}, attention.Sequence(exp, rowObserver{}))
	if err != nil {
		return Effect{}, nil, err
	}
	e := Effect{Plan: r.Plan}
	for _, t := range r.Emitted[rowsName] {
		rows := tensors.MustCopyFlatData[float32](t)
		e.RowSum = append(e.RowSum, float64(rows[0]))
		e.RowEntropy = append(e.RowEntropy, float64(rows[1]))
		e.FirstMass = append(e.FirstMass, float64(rows[2]))
	}
	if base == nil {
		base = r.Logits
	}
	out, err := compare.Call(base, r.Logits)
	if err != nil {
		return Effect{}, nil, err
	}
	var means [3]float64
	for i := range means {
		for _, x := range tensors.MustCopyFlatData[float32](out[i])[:len(text)] { // without the padding
			means[i] += float64(x)
		}
		means[i] /= float64(len(text))
	}
	e.Entropy, e.KL, e.SameTop = means[0], means[1], means[2]
	return e, r.Logits, nil
}

// compareLogits compares two sets of logits, [1, tokens, vocabulary], at each token: the entropy of the second's distribution, KL(first || second), and 1 where both
// have the same most probable token, each float32 [tokens].
func compareLogits(first, second *Node) []*Node {
	p, q := LogSoftmax(Squeeze(first, 0), -1), LogSoftmax(Squeeze(second, 0), -1)
	entropy := Neg(ReduceSum(Mul(Exp(q), q), -1))
	kl := ReduceSum(Mul(Exp(p), Sub(p, q)), -1)
	same := ConvertDType(Equal(ArgMax(p, -1), ArgMax(q, -1)), dtypes.Float32)
	return []*Node{entropy, kl, same}
}

const rowsName = "sink.rows"

// rowObserver emits sum, entropy and weight on position 0 of the attention rows of every layer, averaged over heads and real queries of a batch of
// one: float32 [3].
type rowObserver struct{}

func (rowObserver) Visit(attention.Layer) *attention.Visit {
	return &attention.Visit{Key: "observe attention rows", Build: func(site *attention.Site) {
		probs := site.Probs()
		sum := ReduceAndKeep(probs, ReduceSum, -1) // [1, heads, queries, 1]
		row := Div(probs, MaxScalar(sum, tiny))
		entropy := Neg(ReduceAndKeep(Mul(row, Log(MaxScalar(row, tiny))), ReduceSum, -1))
		first := SliceAxis(probs, -1, AxisRange(0, 1))
		values := Concatenate([]*Node{sum, entropy, first}, -1) // [1, heads, queries, 3]
		valid := BroadcastToDims(InsertAxes(attention.Valid(site), 1, -1), values.Shape().Dimensions...)
		values = Mul(values, valid)
		queries := ConvertDType(ReduceAllSum(site.Lengths), values.DType())
		heads := float64(values.Shape().Dimensions[1])
		site.Emit(rowsName, DivScalar(Div(ReduceSum(values, 0, 1, 2), queries), heads))
	}}
}
