package sink

import (
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/attention"
	"github.com/attune-lab/attune/pkg/model"
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
func MeasureEffect(m *model.Model, texts [][]int, exp model.Experiment, progress func(texts int)) (plain, changed []Effect, err error) {
	for i, text := range texts {
		before, base, err := measure(m, text, nil, nil)
		if err != nil {
			return nil, nil, fmt.Errorf("text %d: %w", i, err)
		}
		after, _, err := measure(m, text, exp, base)
		if err != nil {
			return nil, nil, fmt.Errorf("text %d: %w", i, err)
		}
		plain, changed = append(plain, before), append(changed, after)
		if progress != nil {
			progress(1)
		}
	}
	return plain, changed, nil
}

// measure runs one text; base holds the plain model's log-probabilities, [tokens][vocabulary], nil to compare a run with itself.
func measure(m *model.Model, text []int, exp model.Experiment, base [][]float64) (Effect, [][]float64, error) {
	r, err := m.Forward(model.Prompts(text), model.Want{Logits: true}, attention.Sequence(exp, rowObserver{}))
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
	flat := tensors.MustCopyFlatData[float32](r.Logits)
	vocabulary := r.Logits.Shape().Dimensions[2]
	logProbs := make([][]float64, len(text))
	for i := range text {
		logProbs[i] = logSoftmax(flat[i*vocabulary : (i+1)*vocabulary])
	}
	if base == nil {
		base = logProbs
	}
	n, same := float64(len(text)), 0
	for i, row := range logProbs {
		for k, x := range row {
			e.Entropy -= math.Exp(x) * x / n
			e.KL += math.Exp(base[i][k]) * (base[i][k] - x) / n
		}
		if largest(row) == largest(base[i]) {
			same++
		}
	}
	e.SameTop = float64(same) / n
	return e, logProbs, nil
}

func logSoftmax(logits []float32) []float64 {
	top := math.Inf(-1)
	for _, x := range logits {
		top = math.Max(top, float64(x))
	}
	sum := 0.0
	for _, x := range logits {
		sum += math.Exp(float64(x) - top)
	}
	out := make([]float64, len(logits))
	for i, x := range logits {
		out[i] = float64(x) - top - math.Log(sum)
	}
	return out
}

func largest(row []float64) int {
	best := 0
	for i, x := range row {
		if x > row[best] {
			best = i
		}
	}
	return best
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
