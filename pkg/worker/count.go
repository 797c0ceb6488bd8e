package worker

import (
	"context"
	"strings"

	"github.com/attune-lab/attune/pkg/cluster"
	"github.com/attune-lab/attune/pkg/worker/client"
)

// Count reads the items of a submission's requests and says how much there is to compute. It opens no model, and finds wrong items and arms before anything is queued.
func Count(ctx context.Context, s *cluster.Submission) (*cluster.Work, error) {
	requests, err := cluster.ReadRequests(s.Requests())
	if err != nil {
		return nil, err
	}
	session := newSession()
	w := &cluster.Work{}
	for i := range requests {
		j := &job{Request: &requests[i], session: session, out: &events{each: func(client.Event) {}}}
		n, err := j.items()
		if err != nil {
			return nil, err
		}
		w.Requests = append(w.Requests, cluster.RequestWork{Kind: j.Kind, Items: n, Arms: len(j.arms())})
	}
	return w, ctx.Err()
}

// items is how many items or texts a request is about; 0 where only the model can tell.
func (j *job) items() (int, error) {
	switch {
	case j.Kind != "compare" && len(j.Options.Texts) > 0:
		return len(j.Options.Texts), nil
	case j.Kind != "compare" && strings.HasSuffix(j.Options.Items, ".txt"):
		return 0, nil
	}
	t, err := j.task()
	if err != nil {
		return 0, err
	}
	return len(t.Examples), nil
}
