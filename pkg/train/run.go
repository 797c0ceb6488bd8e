package train

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gomlx/compute/dtypes"

	"github.com/attune-lab/attune/pkg/model"
)

// Options of [Run]. The zero value trains every weight for 1,000 steps in float32 and writes nothing.
type Options struct {
	Steps      int                    // of the whole run, those before a resume included; 0 = 1,000
	Optimizer  AdamW                  // its zero value has defaults
	Accumulate int                    // batches of the feed per step, whose gradients are added up; 0 = 1
	Compute    dtypes.DType           // of matrix products: Float32 or, on a GPU, BFloat16; 0 = the model's type. Weights and moments are float32 all the same
	Recompute  bool                   // keep only each block's input for the way back: less memory, a third more work
	Train      func(name string) bool // which weights change; nil = an attached adapter's, or without one all

	Dir             string // of checkpoints and log.jsonl; empty = none. A run whose directory has a checkpoint continues from there
	CheckpointEvery int    // steps; 0 = a tenth of Steps. The last step and a cancelled context have one too
	Keep            int    // newest checkpoints that stay; 0 = 2
	Corpus          string // identifies the documents, such as a corpus's hash: a run does not continue with another

	LogEvery  int       // steps between rows of the log; 0 = a hundredth of Steps
	OnRow     func(Row) // is told each row as it is made; may be nil
	PeakFLOPs float64   // of the machine in Compute, in operations/s, for Row.Utilisation; 0 = unknown
	Probes    []Probe   // measurements on the way
}

// Probe measures the model as it is being trained: a held-out loss ([HeldOut]), how much its attention sinks. Its values are in the log's rows.
type Probe struct {
	Name  string // their names begin with it: "name.value"
	Every int    // steps, beginning before the first; 0 = a tenth of all
	Run   func(m *model.Model, step int) (map[string]float64, error)
}

// Report of a run.
type Report struct {
	Rows     []Row // of the whole run, those before a resume included
	Steps    int   // done
	Resumed  int   // the step of the checkpoint that the run continued from
	Tokens   int   // seen, without padding
	Duration time.Duration
}

// Run trains a model on packed documents, in place: all of it, part of it or an adapter that is attached to it ([model.Model.AttachAdapter]).
//
// The loss of a step is the mean of the tokens' negative log-likelihoods, weighted by the documents' weights, over all batches of the step. The same model,
// feed and options give the same weights bit for bit on the Go backend, in one run or in several that were killed at any moment; a GPU adds
// gradients in an order of its own.
//
// A loss or gradient that is not finite ends the run before it changes a weight, with an error that names step, learning rate and documents. When the context ends
// the run writes a checkpoint and returns the context's error. The model keeps what it has learned in either case, and loses its Hash.
func Run(ctx context.Context, m *model.Model, feed *Feed, o Options) (*Report, error) {
	o = o.withDefaults(m)
	if feed.opts.Width > m.Config.MaxPositions {
		return nil, fmt.Errorf("rows of %d tokens are longer than the model's %d positions: make a feed of narrower ones", feed.opts.Width, m.Config.MaxPositions)
	}
	names, err := o.weights(m)
	if err != nil {
		return nil, err
	}
	step, err := newStep(m, o.Optimizer, model.PassOptions{DType: o.Compute, Recompute: o.Recompute}, names, o.Accumulate > 1)
	if err != nil {
		return nil, err
	}
	defer step.close()
	identity, err := o.identity(m, feed, names)
	if err != nil {
		return nil, err
	}
	m.Hash = "" // of weights that are about to change
	r := &run{Options: o, step: step, identity: identity, perToken: FLOPs(m, feed.opts.Width, len(names) == len(m.Weights()))}
	if err := r.begin(feed); err != nil {
		return nil, err
	}
	defer r.log.close()
	err = r.loop(ctx, m, feed)
	return &r.report, err
}

// run is a run under way.
type run struct {
	Options
	step     *step
	identity map[string]string
	perToken float64 // operations
	place    FeedState
	log      *log
	since    since
	report   Report
}

// since adds up what happened since the last row of the log. It is part of a checkpoint, so that a row does not depend on where a run was killed.
type since struct {
	Loss   float64 `json:"loss"` // sum over steps
	Steps  int     `json:"steps"`
	Tokens int     `json:"tokens"`
	busy   time.Duration
}

// loop does the steps that are left.
func (r *run) loop(ctx context.Context, m *model.Model, feed *Feed) error {
	start := time.Now()
	defer func() { r.report.Duration = time.Since(start) }()
	batches := fetch(feed)
	defer func() { batches.stop(r.place) }()
	if r.report.Steps == 0 {
		values, err := r.measure(m)
		if err != nil {
			return err
		}
		if err := r.row(0, values); err != nil {
			return err
		}
	}
	for r.report.Steps < r.Steps {
		if err := ctx.Err(); err != nil {
			return joined(err, r.save())
		}
		began := time.Now()
		batch, place, err := batches.take(r.Accumulate, m.Config.VocabSize)
		if err != nil {
			return err
		}
		if batch == nil {
			return joined(fmt.Errorf("the feed ended after %d of %d steps: give it more epochs or ask for fewer steps", r.report.Steps, r.Steps), r.save())
		}
		n := r.report.Steps + 1
		out, err := r.step.run(batch, n)
		if err != nil {
			return fmt.Errorf("step %d: %w", n, err)
		}
		if !out.finite() {
			return fmt.Errorf("step %d: the loss is %g and the gradient's norm %g at learning rate %.3g, on %s; no weight was changed: lower the learning rate, raise the warm-up or look at these documents",
				n, out.loss, out.norm, r.Optimizer.Schedule.At(n), documentsOf(batch))
		}
		r.place, r.report.Steps = place, n
		r.since.busy += time.Since(began)
		r.since.Loss, r.since.Steps = r.since.Loss+out.loss, r.since.Steps+1
		for _, p := range batch {
			r.since.Tokens += p.tokens()
			r.report.Tokens += p.tokens()
		}
		values, err := r.measure(m)
		if err != nil {
			return err
		}
		if len(values) > 0 || n%r.LogEvery == 0 || n == r.Steps {
			if err := r.row(out.norm, values); err != nil {
				return err
			}
		}
		if n%r.CheckpointEvery == 0 || n == r.Steps {
			if err := r.save(); err != nil {
				return err
			}
		}
	}
	return nil
}

// measure runs the probes whose turn it is.
func (r *run) measure(m *model.Model) (map[string]float64, error) {
	values := map[string]float64{}
	for _, p := range r.Probes {
		every := p.Every
		if every <= 0 {
			every = max(1, r.Steps/10)
		}
		if r.report.Steps%every != 0 && r.report.Steps != r.Steps {
			continue
		}
		v, err := p.Run(m, r.report.Steps)
		if err != nil {
			return nil, fmt.Errorf("probe %q at step %d: %w", p.Name, r.report.Steps, err)
		}
		for name, value := range v {
			values[p.Name+"."+name] = value
		}
	}
	return values, nil
}

// weights names those that the run changes.
func (o Options) weights(m *model.Model) ([]string, error) {
	all := m.AdapterWeights()
	if _, has := m.Adapter(); !has {
		for _, w := range m.Weights() {
			all = append(all, w.Name)
		}
	}
	if o.Train != nil {
		all = slices.DeleteFunc(all, func(name string) bool { return !o.Train(name) })
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("training has no weight to change: is the adapter of rank 0, or does Options.Train choose none?")
	}
	return all, nil
}

func (o Options) withDefaults(m *model.Model) Options {
	def := func(p *int, v int) {
		if *p <= 0 {
			*p = v
		}
	}
	def(&o.Steps, 1000)
	def(&o.Accumulate, 1)
	def(&o.CheckpointEvery, max(1, o.Steps/10))
	def(&o.Keep, 2)
	def(&o.LogEvery, max(1, o.Steps/100))
	if o.Compute == dtypes.InvalidDType {
		o.Compute = m.DType
	}
	o.Optimizer = o.Optimizer.withDefaults(o.Steps)
	return o
}

// documentsOf names the documents of a step's batches by their numbers in the source.
func documentsOf(batches []*Packed) string {
	const shown = 40
	numbers := map[int]bool{}
	for _, p := range batches {
		for _, row := range p.Documents {
			for _, i := range row {
				numbers[i] = true
			}
		}
	}
	list := slices.Sorted(maps.Keys(numbers))
	if len(list) > shown {
		return fmt.Sprintf("documents %v and %d more", list[:shown], len(list)-shown)
	}
	return fmt.Sprintf("documents %v", list)
}
