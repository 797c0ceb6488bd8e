package sink

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/emulate/apply"
	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/store"
)

// Kept is the survey of the prompts under an intervention, from the store or, where it does not know it, as RunOn computes it; it is stored then. Job is what it depends on
// beside that: Code, Model, Tokenizer and Numerics. The runner is asked for only where something has to be computed. Options' Experiment is made of the plan.
//
// With Options.Part the survey is one of that part's prompts, and what was observed of them is stored; with Options.Known it is put together from what all parts stored.
func Kept(ctx context.Context, s *store.Store, job store.Job, open func() (*engine.Runner, error), plan emulate.Plan, prompts [][]int, opts Options) (*Survey, error) {
	if opts.Experiment != nil {
		return nil, errors.New("survey: an experiment that is not a plan cannot be stored: use RunOn")
	}
	job.Kind = "survey"
	tokens, err := json.Marshal(prompts)
	if err != nil {
		return nil, fmt.Errorf("survey: %w", err)
	}
	job.Prompt = fmt.Sprintf("tokens %x", sha256.Sum256(tokens))
	if job.Arm, err = json.Marshal(map[string]any{"plan": json.RawMessage(plan.JSON()), "measures": (opts.Measures & Everything).String(), "t": opts.T, "tau": opts.Tau,
		"window": opts.Window, "late": opts.Late, "cells": opts.Cells, "block_rows": opts.BlockRows}); err != nil {
		return nil, fmt.Errorf("survey: %w", err)
	}
	if path := s.FindBlob(job); path != "" {
		if opts.Progress != nil {
			opts.Progress(len(prompts))
		}
		return Load(path)
	}
	if opts.Known {
		return united(s, job, open, prompts, opts)
	}
	if opts.Part.Of > 1 {
		return keptPart(ctx, s, job, open, plan, prompts, opts)
	}
	var computed *Survey
	path, err := s.Blob(job, func(path string) (err error) {
		if opts.Experiment, err = apply.Plan(plan); err != nil {
			return err
		}
		r, err := open()
		if err != nil {
			return err
		}
		if computed, err = RunOn(ctx, r, prompts, opts); err != nil {
			return err
		}
		return computed.write(path)
	})
	if err != nil || computed != nil {
		return computed, err
	}
	return Load(path)
}
