package lab

import (
	"context"
	"encoding/json"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/worker/client"
)

// dry is set by `recipes run --dry-run` and `recipes submit`: cells ask what would be computed, or write down what they would ask, show nothing and finish nothing.
var dry = os.Getenv(env.DryRun) == "1" || os.Getenv(env.Plan) != ""

// plan asks what a request would compute and adds the answer to work/plan.jsonl of the run's directory. What cannot be asked before something else was computed, such
// as the items that a training holds out, is noted and no failure.
func (s *Session) plan(r client.Request) {
	if path := os.Getenv(env.Plan); path != "" {
		check(0, r.Record(path))
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r.Dry = true
	var list []client.Planned
	p := newProgress()
	err := check(worker()).Do(ctx, r, func(e client.Event) error {
		if e.Progress != nil {
			p.show(e.Progress)
		}
		list = append(list, e.Planned...)
		return nil
	})
	p.done()
	if ctx.Err() != nil {
		fail(context.Canceled)
	}
	if err != nil {
		list = append(list, client.Planned{Kind: r.Kind, View: r.View, Note: err.Error()})
	}
	dir := filepath.Join(s.run.Dir(), "work")
	check(0, os.MkdirAll(dir, 0o755))
	f := check(os.OpenFile(filepath.Join(dir, client.PlanFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644))
	defer f.Close()
	for _, planned := range list {
		line := check(json.Marshal(planned))
		check(f.Write(append(line, '\n')))
	}
}
