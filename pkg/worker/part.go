package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"runtime/debug"
	"slices"

	"github.com/attune-lab/attune/pkg/cluster"
	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/eval"
	"github.com/attune-lab/attune/pkg/store"
	"github.com/attune-lab/attune/pkg/worker/client"
)

// partRun is what a session computes one part of, and where its results go.
type partRun struct {
	part     store.Part
	store    *store.Store // of the part, over the one that has what is known
	run      string
	code     string // of the sources at the time of submission: they may have been edited since
	device   func(numerics string) error
	answered []cluster.Answered
	failed   error // what kept a survey from being computed
}

// errPartDone ends a request whose share is computed: there is no whole to show views of.
var errPartDone = errors.New("the part is computed")

// RunPart computes one part of a submission's requests and reports in the part's folder how far it is. Called again it continues where it stopped.
func RunPart(ctx context.Context, s *cluster.Submission, part int) error {
	report, err := s.StartPart(part)
	if err != nil {
		return err
	}
	ctx, stop := cluster.WithOwner(ctx)
	defer stop()
	answered, err := computePart(ctx, s, part, report)
	if err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("it was told to end: %w", context.Cause(ctx))
		}
		return errors.Join(err, report.Fail(err))
	}
	return report.Finish(answered)
}

func computePart(ctx context.Context, s *cluster.Submission, part int, report *cluster.Reporter) ([]cluster.Answered, error) {
	requests, err := cluster.ReadRequests(s.Requests())
	if err != nil {
		return nil, err
	}
	base, err := s.Base()
	if err != nil {
		return nil, err
	}
	own, err := s.PartStore(part)
	if err != nil {
		return nil, err
	}
	p := &partRun{part: store.Part{Index: part, Of: s.Parts}, store: own.Over(base), run: report.Attempt(), code: s.Code,
		device: func(numerics string) error { return report.Device(s, numerics) }}
	session := newSession()
	session.part = p
	for i := range requests {
		r := &requests[i]
		out := &events{each: func(e client.Event) {
			if g := e.Progress; g != nil {
				report.Tell(i+1, len(requests), g.Stage, g.Done, g.Total)
			}
		}}
		report.Tell(i+1, len(requests), r.Kind, 0, 0)
		if err := p.compute(ctx, &job{Request: r, session: session, out: out}); err != nil {
			return nil, fmt.Errorf("request %d of %d, %s %s: %w", i+1, len(requests), r.Kind, r.View, err)
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
	return p.answered, nil
}

// compute answers one request's share. What a view makes of a share is dropped, and so is what it makes of a share that is too small for it; what kept a result from
// being computed is an error.
func (p *partRun) compute(ctx context.Context, j *job) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v\n%s", r, debug.Stack())
		}
	}()
	handle := handlers[j.Kind]
	if handle == nil {
		return fmt.Errorf("the worker knows no request %q", j.Kind)
	}
	err = handle(ctx, j)
	switch {
	case p.failed != nil:
		return p.failed
	case errors.Is(err, errPartDone):
		return nil
	case err != nil && j.Kind == "survey" && p.surveyed(j):
		log.Printf("the view %s of a part's texts: %v", j.View, err)
		return nil
	}
	return err
}

// surveyed reports whether an error is a view's own: the survey that it draws from is there.
func (p *partRun) surveyed(j *job) bool { return len(j.session.surveys) > 0 }

// answer computes and stores the part's share of a comparison.
func (p *partRun) answer(ctx context.Context, task *eval.Task, arms []eval.Arm, o eval.Options) error {
	a, err := eval.AnswerPart(ctx, task, arms, o, p.part)
	if err != nil {
		return err
	}
	p.add(a)
	return nil
}

func (p *partRun) add(a eval.Answered) {
	p.answered = append(p.answered, cluster.Answered{Jobs: a.Jobs, Items: a.Items, Of: a.Of})
}

// resultJob is what results of a runner depend on. Where parts were computed on several devices, each one's job has the results of all, and this process' device need not be
// one of them; where they were computed on one, it must be that.
func (j *job) resultJob(r *engine.Runner) (store.Job, error) {
	of := r.Job()
	if p := j.session.part; p != nil {
		of.Code = p.code
		return of, p.device(of.Numerics)
	}
	devices := j.session.devices
	switch {
	case len(devices) == 0 || slices.Contains(devices, of.Numerics):
	case len(devices) > 1:
		of.Numerics = devices[0]
	default:
		return of, fmt.Errorf("this process computes on %q, and the parts were computed on %q: the last job must run where they do; ask for nodes of one kind, then resume", of.Numerics, devices[0])
	}
	return of, nil
}

// runName is what the results of the request are stored as the run of.
func (j *job) runName() string {
	if p := j.session.part; p != nil {
		return p.run
	}
	return cmp.Or(j.RunID, "run")
}

// share is the part of the items that is computed, the whole but in a part of a submission.
func (j *job) share() store.Part {
	if p := j.session.part; p != nil {
		return p.part
	}
	return store.Part{}
}

// known reports whether nothing that parts compute may be computed here: their results are in the store.
func (j *job) known() bool { return j.session.known && j.session.part == nil }
