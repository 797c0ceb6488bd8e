package engine

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/store"
)

// Options of New. The zero value takes the backend's geometry and reports no progress.
type Options struct {
	Budget   int            // tokens of a pass; 0 = 16,384 on xla:cuda, 2,048 on go and xla:cpu
	Progress func(Progress) // called at least every second while work is under way, from one goroutine at a time; may be nil
}

// Runner runs sequences through a model. Its methods may be called concurrently: they share what the machine has to compile and to compute with.
type Runner struct {
	model    *model.Model
	geometry Geometry
	compile  chan struct{} // a place for each graph that may be compiled at once
	run      chan struct{} // a place for each pass that may be in flight
	loop     sync.Mutex    // one generation at a time
	monitor  monitor

	mu    sync.Mutex
	rows  map[workload]int    // where memory did not suffice for more
	plans map[string][]string // by the experiment's key, of the last pass
}

// New makes a runner of a model. A model has one: two would share its device without knowing of each other.
func New(m *model.Model, o Options) *Runner {
	r := &Runner{model: m, geometry: GeometryFor(m.Backend, m.Config.MaxPositions, o.Budget), compile: make(chan struct{}, runtime.GOMAXPROCS(0)),
		run: make(chan struct{}, inFlight(m)), rows: map[workload]int{}, plans: map[string][]string{}}
	if o.Progress != nil {
		r.monitor.watch(o.Progress)
	}
	return r
}

// Model that the runner runs.
func (r *Runner) Model() *model.Model { return r.model }

// Geometry of its passes.
func (r *Runner) Geometry() Geometry { return r.geometry }

// Watch adds a listener to the progress, until stop is called. It must not call back into the runner.
func (r *Runner) Watch(listener func(Progress)) (stop func()) { return r.monitor.watch(listener) }

// Busy tells listeners every second that work of the host is under way, such as reading prompts, until end is called.
func (r *Runner) Busy(stage string) (end func()) { return r.monitor.begin(stage, 0) }

// Numerics names what numbers depend on besides weights, prompts and arm: backend, device and how many, plugin's version, dtype, the form of a pass and its geometry, and
// XLA's flags. Rows halved for want of memory do not change it.
func (r *Runner) Numerics() string {
	return Numerics(r.model.Backend, r.model.DType, r.model.Devices(), r.geometry)
}

// Numerics is Runner.Numerics of a model that need not be open.
func Numerics(b compute.Backend, dtype dtypes.DType, devices int, g Geometry) string {
	s := "go"
	if backend.IsXLA(b) {
		flags := sha256.Sum256([]byte(strings.Join(slices.Sorted(strings.FieldsSeq(os.Getenv(env.XLAFlags))), " ")))
		s = fmt.Sprintf("%s flags %x", backend.Describe(b), flags[:4])
		if devices > 1 {
			s += fmt.Sprintf(" over %d devices", devices)
		}
	} else if backend.SIMD {
		s += "/simd"
	}
	return fmt.Sprintf("%s %s %s pass/2 %s", s, runtime.GOARCH, strings.ToLower(dtype.String()), g)
}

// Job is what results of this runner depend on: the sources that compute, weights, tokenizer and numerics. Outside a checkout the code is not known, and nothing is
// stored under the job.
func (r *Runner) Job() store.Job {
	j := store.Job{Model: r.model.Hash, Numerics: r.Numerics()}
	if r.model.Tokenizer != nil {
		j.Tokenizer = r.model.Tokenizer.Hash()
	}
	if root, err := env.Root(); err == nil {
		if code, err := store.Sources(root); err == nil {
			j.Code = code
		}
	}
	return j
}

// Plan says how attention was computed in the last pass under an experiment, nil for the plain model; nil before the first.
func (r *Runner) Plan(e model.Experiment) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.plans[r.model.ExperimentKey(e)]
}

// Sequence is what one row of a pass reads, and the tokens whose log-probabilities are asked for.
type Sequence struct {
	Tokens  []int
	Targets []model.Target
	Extent  model.Extent // what of the tokens is the prompt; the zero value: all
	// Branches make it a tree, see model.Tree: so many of the last tokens, in order, are continuations of what stands before all of them. Targets' positions go by the
	// tokens' places. Score takes trees where Trees returns true.
	Branches []int
}

// tree is the sequence as a model's tree.
func (q Sequence) tree() model.Tree {
	t := model.Tree{Trunk: len(q.Tokens), Branches: q.Branches}
	for _, n := range q.Branches {
		t.Trunk -= n
	}
	return t
}

// Score computes the log-probabilities of each sequence's targets and gives them to each, in the order of the targets, with the sequence's place in qs. Sequences come in
// no order, one at a time.
func (r *Runner) Score(ctx context.Context, qs []Sequence, e model.Experiment, each func(i int, logProbs []float64) error) error {
	batches, err := r.scoring(qs, e)
	if err != nil {
		return err
	}
	return r.passes(ctx, "scoring", batches, qs, e, func(b Batch) receiver {
		return receiver{deliver: func(got *model.Result) error {
			for row, at := range b.At {
				if err := each(at, got.LogProbs[row][:len(qs[at].Targets)]); err != nil {
					return err
				}
			}
			return nil
		}}
	})
}

// Observe runs the sequences with an experiment and gives each batch's result to each: what was emitted has b.Rows rows, of which those of b.At are real. It is valid
// during the call only. Sequences of one length are not padded, and no more rows are computed than the next power of two. Targets are computed where there are any.
func (r *Runner) Observe(ctx context.Context, qs []Sequence, e model.Experiment, each func(b Batch, got *model.Result) error) error {
	return r.observe(ctx, nil, qs, e, func(b Batch) receiver {
		return receiver{deliver: func(got *model.Result) error { return each(b, got) }}
	})
}

// Stream is Observe for some of a list of sequences, whose lengths are given: each is padded as it is where the whole list is observed. What is emitted goes to who start
// says, before a batch runs, that takes it: receive is given each observation while the pass goes on, several at once, and done the result behind it. Where memory does
// not suffice for a batch, it starts anew with fewer rows.
func (r *Runner) Stream(ctx context.Context, whole []int, qs []Sequence, e model.Experiment, start func(b Batch) (receive func(model.Observation) error, done func(*model.Result) error)) error {
	return r.observe(ctx, whole, qs, e, func(b Batch) receiver {
		receive, done := start(b)
		return receiver{receive, done}
	})
}

// observe runs the sequences, padded as in the whole list where one is given.
func (r *Runner) observe(ctx context.Context, whole []int, qs []Sequence, e model.Experiment, start func(Batch) receiver) error {
	lengths, targets := make([]int, len(qs)), []int(nil)
	for i, q := range qs {
		lengths[i] = len(q.Tokens)
		if q.Targets != nil && targets == nil {
			targets = make([]int, len(qs))
		}
		if targets != nil {
			targets[i] = len(q.Targets)
		}
	}
	if whole == nil {
		whole = lengths
	}
	g := r.geometry
	if len(whole) > 0 && slices.Min(whole) == slices.Max(whole) {
		g.Step = max(1, whole[0])
	}
	batches := g.batches(lengths, targets)
	for i := range batches {
		for b := &batches[i]; b.Rows/2 >= len(b.At); b.Rows /= 2 {
		}
	}
	return r.passes(ctx, "observing", batches, qs, e, start)
}
