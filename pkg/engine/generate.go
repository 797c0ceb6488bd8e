package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/attune-lab/attune/pkg/backend"
	"github.com/attune-lab/attune/pkg/model"
)

// Text is what was generated after a prompt.
type Text struct {
	Tokens []int  // the new ones, see [model.Generation]
	Text   string // decoded, without a stop string and what follows it; "" where the model has no tokenizer
}

// generateRows is how many prompts are continued side by side at most: decoding reads all weights for each step, whatever the number.
func (r *Runner) generateRows() int {
	if backend.IsCUDA(r.model.Backend) {
		return 64
	}
	return 16
}

// Generate continues each prompt under an experiment, nil for the plain model, and gives each its text with the prompt's place. Prompts of similar length go side by
// side, longest first. SampleIDs, Extents and the numbers of Stream are those of prompts.
func (r *Runner) Generate(ctx context.Context, prompts [][]int, o model.GenerateOptions, e model.Experiment, each func(i int, t Text) error) error {
	if o.SampleIDs != nil && len(o.SampleIDs) != len(prompts) {
		return fmt.Errorf("%d random streams for %d prompts", len(o.SampleIDs), len(prompts))
	}
	if o.Extents != nil && len(o.Extents) != len(prompts) {
		return fmt.Errorf("%d extents for %d prompts", len(o.Extents), len(prompts))
	}
	defer r.monitor.begin("generating", len(prompts))()
	order := make([]int, len(prompts))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(len(prompts[b]), len(prompts[a])) })
	for len(order) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		w := workload{width: r.geometry.Width(len(prompts[order[0]])), decoding: true}
		part := order[:min(len(order), r.generateRows(), r.limit(w))]
		got, err := r.continued(ctx, part, prompts, o, e)
		if err != nil && backend.OutOfMemory(err) && len(part) > 1 {
			r.halve(w, len(part))
			continue
		}
		if err != nil {
			return err
		}
		for k, i := range part {
			t := Text{Tokens: got.Tokens[k]}
			if got.Texts != nil {
				t.Text = got.Texts[k]
			}
			if err := each(i, t); err != nil {
				return err
			}
		}
		r.monitor.done(len(part))
		order = order[len(part):]
	}
	return nil
}

// continued generates after the prompts at these places. On XLA, where every number of rows is another graph, they are filled up to a power of two with the last prompt.
func (r *Runner) continued(ctx context.Context, at []int, prompts [][]int, o model.GenerateOptions, e model.Experiment) (*model.Generation, error) {
	var batch [][]int
	var ids []uint64
	var extents []model.Extent
	for _, i := range at {
		batch = append(batch, prompts[i])
		if o.Extents != nil {
			extents = append(extents, o.Extents[i])
		}
		if o.SampleIDs != nil {
			ids = append(ids, o.SampleIDs[i])
		}
	}
	rows := len(batch)
	if backend.IsXLA(r.model.Backend) {
		for rows = 1; rows < len(batch); rows *= 2 {
		}
	}
	for len(batch) < rows {
		batch = append(batch, batch[len(batch)-1])
		if ids != nil {
			ids = append(ids, ids[len(ids)-1])
		}
		if extents != nil {
			extents = append(extents, extents[len(extents)-1])
		}
	}
	o.SampleIDs, o.Extents = ids, extents
	if stream := o.Stream; stream != nil {
		o.Stream = func(sequence int, text string) {
			if sequence < len(at) {
				stream(at[sequence], text)
			}
		}
	}
	r.loop.Lock()
	defer r.loop.Unlock()
	select {
	case r.run <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-r.run }()
	got, err := r.model.Generate(batch, o, e)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	r.plans[r.model.ExperimentKey(e)] = got.Plan
	r.mu.Unlock()
	return got, nil
}
