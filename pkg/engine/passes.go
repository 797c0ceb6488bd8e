package engine

import (
	"context"
	"fmt"
	"math"
	"sync"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/model"
)

// shape of a pass: batches of one share a graph.
type shape struct {
	width, rows, targets, packed int
	trees                        bool
}

func (b Batch) shape() shape { return shape{b.Width, b.Rows, b.targets, b.packed, b.trees} }

// receiver takes what a batch gives: each observation as soon as it is there, several at once, and, when the pass has ended, its result; that one batch at a time.
type receiver struct {
	receive func(model.Observation) error // nil = observations are in the result
	deliver func(*model.Result) error
}

// passes runs batches and delivers their results one at a time, to the receiver that start gives for a batch before it runs. The first batch of each shape goes ahead to compile its graph, all of them side by side; the others
// follow when their graph is there.
func (r *Runner) passes(ctx context.Context, stage string, batches []Batch, qs []Sequence, e model.Experiment, start func(Batch) receiver) error {
	defer r.monitor.begin(stage, len(qs))()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var leaders []Batch
	queue := newQueue()
	for _, b := range batches {
		if queue.add(b) {
			leaders = append(leaders, b)
		}
	}
	var one sync.Mutex
	handle := func(b Batch, compiled func()) {
		err := r.pass(ctx, b, qs, e, compiled, func(b Batch) receiver {
			to := start(b)
			return receiver{to.receive, func(got *model.Result) error {
				one.Lock()
				defer one.Unlock()
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				return to.deliver(got)
			}}
		})
		if err != nil {
			cancel(err)
			queue.close()
		}
	}
	var all sync.WaitGroup
	for _, b := range leaders {
		all.Go(func() { handle(b, func() { queue.release(b.shape()) }) })
	}
	for range cap(r.run) {
		all.Go(func() {
			for b, ok := queue.next(); ok && ctx.Err() == nil; b, ok = queue.next() {
				handle(b, nil)
			}
		})
	}
	stop := context.AfterFunc(ctx, queue.close)
	defer stop()
	all.Wait()
	return context.Cause(ctx)
}

// pass runs one batch; compiled, which may be nil, is called once its graph is there, or will never be. Where memory does not suffice the batch is halved.
func (r *Runner) pass(ctx context.Context, b Batch, qs []Sequence, e model.Experiment, compiled func(), start func(Batch) receiver) error {
	if compiled != nil {
		compiled = sync.OnceFunc(compiled)
		defer compiled()
	}
	if limit := r.limit(b.workload()); b.Rows > limit {
		for _, half := range b.halves() {
			if err := r.pass(ctx, half, qs, e, func() {}, start); err != nil {
				return err
			}
		}
		return nil
	}
	to := start(b)
	got, err := r.forward(ctx, b, qs, e, to.receive, compiled)
	switch {
	case err == nil:
	case backend.OutOfMemory(err) && b.Rows > 1:
		r.halve(b.workload(), b.Rows)
		return r.pass(ctx, b, qs, e, compiled, start)
	case backend.OutOfMemory(err):
		return fmt.Errorf("one sequence of %d tokens does not fit into the device's memory, where the model's %s: %w", b.Width, r.model.DescribeWeights(), err)
	default:
		return err
	}
	r.mu.Lock()
	r.plans[r.model.ExperimentKey(e)] = got.Plan
	r.mu.Unlock()
	if err := to.deliver(got); err != nil {
		return err
	}
	got.Emitted.Free()
	r.monitor.done(len(b.At))
	return nil
}

// forward is one call of the model. It holds a place to compile until its graph is there, and then one to run; a nil compiled says that it is there.
func (r *Runner) forward(ctx context.Context, b Batch, qs []Sequence, e model.Experiment, receive func(model.Observation) error, compiled func()) (*model.Result, error) {
	batch, want := r.lay(b, qs)
	want.Receive = receive
	first := r.run
	if compiled != nil {
		first = r.compile
	}
	select {
	case first <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	held := first
	defer func() { <-held }()
	if compiled != nil {
		ready := sync.OnceFunc(r.monitor.compiling(fmt.Sprintf("width %d", b.Width)))
		defer ready()
		want.Ready = func() {
			ready()
			<-r.compile
			compiled()
			r.run <- struct{}{}
			held = r.run
		}
	}
	return r.model.Forward(batch, want, e)
}

// lay makes the model's batch: dummy rows behind the real ones, and dummy targets, so that shapes are those of the geometry.
func (r *Runner) lay(b Batch, qs []Sequence) (model.Batch, model.Outputs) {
	if b.trees {
		return layTrees(b, qs)
	}
	batch := model.Batch{Bucket: b.Width}
	var want model.Outputs
	for row := range b.Rows {
		q := Sequence{Tokens: []int{0}}
		if row < len(b.At) {
			q = qs[b.At[row]]
		}
		batch.Tokens, batch.Extents = append(batch.Tokens, q.Tokens), append(batch.Extents, q.Extent)
		if b.targets > 0 {
			targets := make([]model.Target, b.targets)
			copy(targets, q.Targets)
			want.Targets = append(want.Targets, targets)
		}
	}
	return batch, want
}

// workload is what memory is taken by beside the rows.
type workload struct {
	width    int
	decoding bool
}

func (b Batch) workload() workload { return workload{width: b.Width} }

// limit is how many rows of a workload fit into memory, as far as is known.
func (r *Runner) limit(w workload) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if rows, ok := r.rows[w]; ok {
		return rows
	}
	return math.MaxInt
}

// halve notes that so many rows of a workload do not fit into memory.
func (r *Runner) halve(w workload, rows int) {
	r.mu.Lock()
	before, known := r.rows[w]
	news := !known || rows/2 < before
	if news {
		r.rows[w] = rows / 2
	}
	r.mu.Unlock()
	if news {
		r.monitor.tell(fmt.Sprintf("%d rows of %d tokens do not fit into the device's memory: going on with %d", rows, w.width, rows/2))
	}
}

// halves are a batch's rows in two batches of half as many; the second may be left out.
func (b Batch) halves() []Batch {
	first, second := b, b
	first.Rows, second.Rows = b.Rows/2, b.Rows/2
	if len(b.At) <= first.Rows {
		return []Batch{first}
	}
	first.At, second.At = b.At[:first.Rows], b.At[first.Rows:]
	return []Batch{first, second}
}

// queue holds the batches that follow the first of their shape.
type queue struct {
	mu      sync.Mutex
	changed *sync.Cond
	waiting []Batch
	ready   map[shape]bool // whether the shape's graph is there
	closed  bool
}

func newQueue() *queue {
	q := &queue{ready: map[shape]bool{}}
	q.changed = sync.NewCond(&q.mu)
	return q
}

// add takes a batch in, or reports that it is the first of its shape and goes ahead. All are added before the first is taken.
func (q *queue) add(b Batch) (first bool) {
	if _, met := q.ready[b.shape()]; !met {
		q.ready[b.shape()] = false
		return true
	}
	q.waiting = append(q.waiting, b)
	return false
}

// release says that a shape's graph is there.
func (q *queue) release(s shape) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ready[s] = true
	q.changed.Broadcast()
}

// close ends the waiting.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.changed.Broadcast()
}

// next waits for a batch whose graph is there; false when none is left, or the queue was closed.
func (q *queue) next() (Batch, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.closed && len(q.waiting) > 0 {
		for i, b := range q.waiting {
			if q.ready[b.shape()] {
				q.waiting = append(q.waiting[:i:i], q.waiting[i+1:]...)
				return b, true
			}
		}
		q.changed.Wait()
	}
	return Batch{}, false
}
