package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/eval"
	"github.com/attune-lab/attune/pkg/sink"
	"github.com/attune-lab/attune/pkg/store"
	"github.com/attune-lab/attune/pkg/worker/client"
)

// planned answers a dry request: what the store has of it, and what is left to compute. Weights are opened, since results are stored under their hash; nothing is compiled.
func planned(ctx context.Context, j *job) error {
	var list []client.Planned
	var err error
	switch j.Kind {
	case "compare":
		list, err = plannedComparison(ctx, j)
	case "survey":
		list, err = plannedSurveys(ctx, j)
	case "about", "tokens", "gains", "ping":
		return nil // a line of text or a few tokens
	case "calibrate":
		list = []client.Planned{{Kind: j.Kind, View: j.View, Note: "one arm for each head and gain, kept in the store: not priced"}}
	default:
		list = []client.Planned{{Kind: j.Kind, View: j.View, Note: "not priced"}}
	}
	if err != nil {
		return err
	}
	j.out.send(client.Event{Planned: list})
	return nil
}

func plannedComparison(ctx context.Context, j *job) ([]client.Planned, error) {
	a, err := args[compareArgs](j)
	if err != nil {
		return nil, err
	}
	if a.Other != nil {
		return []client.Planned{{Kind: j.Kind, View: j.View, Note: "of two models, of which one is trained first: not priced"}}, nil
	}
	c := &compared{job: j, compareArgs: a}
	if c.task, err = j.task(); err != nil {
		return nil, err
	}
	results, err := c.store()
	if err != nil {
		return nil, err
	}
	r, err := c.runner()
	if err != nil {
		return nil, err
	}
	var arms []eval.Arm
	for _, asked := range c.arms() {
		arm, err := c.arm(asked)
		if err != nil {
			return nil, err
		}
		arms = append(arms, arm)
	}
	answers, err := eval.Plan(ctx, c.task, arms, eval.Options{Store: results, Runner: func() (*engine.Runner, error) { return r, nil }, Job: r.Job(), Groups: c.groups()})
	if err != nil {
		return nil, err
	}
	var out []client.Planned
	for i, p := range answers {
		arm := c.arms()[i]
		if p.Key != "" {
			p.Key = store.Key(planKey(p.Key, c.task.Hash()))
		}
		out = append(out, client.Planned{Kind: j.Kind, Arm: p.Arm, Key: string(p.Key), Items: p.Items, Known: p.Known, Tokens: p.Tokens, Widths: p.Widths,
			Seconds: secondsFor(r.Job(), speedKind(j.Kind, len(arm.Answer) > 0), p.Tokens)})
	}
	return out, nil
}

// planKey tells what is planned apart, so that what several cells or points of a sweep ask for is counted once.
func planKey(parts ...any) string { return fmt.Sprintf("%x", surveyKey(parts...)[:12]) }

// maskTau is what sink.Options.Tau is by default.
const maskTau = 0.01

// errDry ends what would compute.
var errDry = errors.New("a dry request computes nothing")

func plannedSurveys(ctx context.Context, j *job) ([]client.Planned, error) {
	a, err := args[surveyArgs](j)
	if err != nil {
		return nil, err
	}
	v, err := newSurveyed(j, a)
	if err != nil {
		return nil, err
	}
	r, err := v.runner()
	if err != nil {
		return nil, err
	}
	results, err := v.store()
	if err != nil {
		return nil, err
	}
	o := sink.Options{T: v.length, Tau: v.Tau}
	if v.All {
		o.Measures = sink.Everything
	}
	tokens := v.tokens()
	var out []client.Planned
	for _, arm := range v.arms() {
		plan, err := v.plan(arm, v.model)
		if err != nil {
			return nil, err
		}
		p := client.Planned{Kind: j.Kind, Arm: arm.Name, Key: planKey(r.Job().Key(), plan.Hash(), o.Measures, v.length, cmp.Or(v.Tau, maskTau), v.ids), Items: len(v.ids), Known: len(v.ids)}
		_, err = sink.Kept(ctx, results, r.Job(), func() (*engine.Runner, error) { return nil, errDry }, plan, v.ids, o)
		switch {
		case errors.Is(err, errDry):
			p.Known, p.Tokens = 0, tokens
			p.Seconds = secondsFor(r.Job(), j.Kind, tokens)
		case err != nil:
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}
