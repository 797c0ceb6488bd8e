package train

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	mlmodel "github.com/gomlx/gomlx/ml/model"
	mltrain "github.com/gomlx/gomlx/ml/train"

	"github.com/attune-lab/attune/pkg/model"
)

// Options of Pretrain. The zero value trains 1,000 steps of 32 documents.
type Options struct {
	Steps        int     // 0 = 1000
	BatchSize    int     // documents per step; 0 = 32
	LearningRate float64 // peak; 0 = 1e-3
	Warmup       int     // steps; 0 = a twentieth of Steps
	WeightDecay  float64 // 0 = 0.1; negative = none
	Seed         uint64  // order of the documents
	Bucket       int     // lengths are padded to multiples of this; 0 = 32. XLA compiles a step for each
	LogEvery     int     // steps between points of the loss curve; 0 = a hundredth of Steps
	// OnLog is told each point of the curve as it is made; may be nil.
	OnLog func(Point)
}

// Point of the loss curve.
type Point struct {
	Step   int
	Loss   float64 // mean negative log-likelihood per token over the steps since the last point, in nats
	Rate   float64 // learning rate
	Tokens int     // real tokens seen so far
}

// Report of a training run.
type Report struct {
	Curve    []Point
	Tokens   int // real tokens seen
	Duration time.Duration
}

// Pretrain trains all weights of the model on documents, lists of token ids, in place. It stops at the first loss that is not finite, and
// when the context ends; what was learned until then stays in the model.
func Pretrain(ctx context.Context, m *model.Model, docs [][]int, opts Options) (*Report, error) {
	opts = opts.withDefaults()
	data := &batches{docs: docs, size: opts.BatchSize, bucket: opts.Bucket, seed: opts.Seed}
	if err := data.validate(m.Config.VocabSize, m.Config.MaxPositions); err != nil {
		return nil, err
	}
	decay := opts.WeightDecay
	if decay < 0 {
		decay = 0
	}
	opt := AdamW{Schedule: Schedule{Peak: opts.LearningRate, Floor: 0.1, Warmup: opts.Warmup, Steps: opts.Steps}, WeightDecay: decay}
	logits := func(_ *mlmodel.Scope, tokens *Node) *Node { return m.LogitsGraph(tokens) }
	trainer := mltrain.NewTrainer(m.Backend, m.Store(), logits, tokenLoss, opt, nil, nil)
	loop := mltrain.NewLoop(trainer)

	r := &Report{}
	start := time.Now()
	seen := &counted{batches: data}
	sum, steps := 0.0, 0
	loop.OnStep("attune", 0, func(loop *mltrain.Loop, metrics []*tensors.Tensor) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		step := loop.LoopStep - loop.StartStep + 1
		loss := float64(tensors.ToScalar[float32](metrics[0]))
		if math.IsNaN(loss) || math.IsInf(loss, 0) {
			return fmt.Errorf("the loss is %v at step %d: lower the learning rate (%g) or raise the warm-up (%d steps)", loss, step, opts.LearningRate, opts.Warmup)
		}
		sum, steps = sum+loss, steps+1
		if step%opts.LogEvery == 0 || step == opts.Steps {
			p := Point{Step: step, Loss: sum / float64(steps), Rate: opt.Schedule.At(step), Tokens: seen.tokens}
			sum, steps = 0, 0
			r.Curve = append(r.Curve, p)
			if opts.OnLog != nil {
				opts.OnLog(p)
			}
		}
		return nil
	})
	_, err := loop.RunSteps(seen, opts.Steps)
	r.Tokens, r.Duration = seen.tokens, time.Since(start)
	if err != nil {
		return r, fmt.Errorf("training: %w", err)
	}
	return r, opt.Clear(m.Store().RootScope())
}

func (o Options) withDefaults() Options {
	def := func(p *int, v int) {
		if *p <= 0 {
			*p = v
		}
	}
	def(&o.Steps, 1000)
	def(&o.BatchSize, 32)
	def(&o.Warmup, max(1, o.Steps/20))
	def(&o.Bucket, 32)
	def(&o.LogEvery, max(1, o.Steps/100))
	o.LearningRate = orDefault(o.LearningRate, 1e-3)
	o.WeightDecay = orDefault(o.WeightDecay, 0.1)
	return o
}

// tokenLoss is the mean negative log-likelihood of the labels over tokens of weight 1, in nats. predictions[0] are logits [batch, tokens,
// vocab], labels[0] ids [batch, tokens], labels[1] weights [batch, tokens].
func tokenLoss(labels, predictions []*Node) *Node {
	logits, ids, weights := ConvertDType(predictions[0], dtypes.Float32), labels[0], labels[1]
	logProbs := LogSoftmax(logits, -1)
	vocab := logits.Shape().Dimensions[2]
	chosen := ReduceSum(Mul(logProbs, OneHot(ids, vocab, dtypes.Float32)), -1)
	return Neg(Div(ReduceAllSum(Mul(chosen, weights)), ReduceAllSum(weights)))
}
