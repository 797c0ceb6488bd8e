package calibrate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/eval"
	"github.com/attune-lab/attune/pkg/store"
)

// Head is an attention head.
type Head struct{ Layer, Head int }

// Response is what changing one head alone does on the choosing part.
type Response struct {
	Head
	Mean          float64 // change of the criterion, nats; positive is better
	StandardError float64 // of the mean, over examples
	Gained, Lost  int     // answers that became right, and wrong
}

// Profile is the response of every candidate to one gain.
type Profile struct {
	Gain      float64
	Responses []Response // by layer, then head
}

// Best are the heads of largest positive response, at most n, best first; among equals the earlier head.
func (p Profile) Best(n int) []Response {
	best := slices.DeleteFunc(slices.Clone(p.Responses), func(r Response) bool { return !(r.Mean > 0) })
	slices.SortStableFunc(best, func(a, b Response) int { return cmp.Compare(b.Mean, a.Mean) })
	return best[:min(n, len(best))]
}

// Better is how many heads respond by getting better.
func (p Profile) Better() (n int) {
	for _, r := range p.Responses {
		if r.Mean > 0 {
			n++
		}
	}
	return n
}

// try is what is asked of the choosing part at a time: the untouched model, or one layer's heads side by side.
type try struct {
	stage string
	gain  float64
	heads []Head // of arms
	arms  []eval.Arm
}

// tries are all of them, the untouched model first.
func (o Options) tries(heads []Head, perLayer int) []try {
	all := []try{{stage: "without a change", arms: []eval.Arm{{Name: Untouched, Answer: o.Answer}}}}
	for _, gain := range o.gains() {
		for layer := range slices.Chunk(heads, perLayer) {
			t := try{stage: fmt.Sprintf("heads of layer %d, gain %.3g", layer[0].Layer, gain), gain: gain, heads: layer}
			for _, h := range layer {
				t.arms = append(t.arms, eval.Arm{Name: fmt.Sprint(h), Plan: emulate.Plan{o.spec(gain, []Head{h})}, Answer: o.Answer})
			}
			all = append(all, t)
		}
	}
	return all
}

// asked are the tries on a task.
func (o Options) asked(task *eval.Task) ([]try, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	r, err := o.Eval.Runner()
	if err != nil {
		return nil, err
	}
	config := r.Model().Config
	heads, err := o.candidates(config.Layers, config.Heads)
	if err != nil {
		return nil, err
	}
	if o.Method == PASTA {
		for _, e := range task.Examples {
			if e.Highlight == "" {
				return nil, fmt.Errorf("calibrate: example %s has no highlight, and %q steers to one: set eval.Example.Highlight to a part of its prompt", e.ID, PASTA)
			}
		}
	}
	return o.tries(heads, config.Heads), nil
}

// Respond tries every candidate head alone on a task, in every gain of the method. The task is the part to choose on: nothing else is read. untouched is the mean of
// the criterion without a change: log p of the right choice, or the entropy.
func Respond(ctx context.Context, task *eval.Task, o Options) (profiles []Profile, untouched float64, err error) {
	tries, err := o.asked(task)
	if err != nil {
		return nil, 0, err
	}
	var before []measured
	for _, t := range tries {
		answers, err := o.answers(ctx, task, t.arms, t.stage)
		if err != nil {
			return nil, 0, err
		}
		if t.heads == nil {
			if before, err = o.measure(task, answers[0]); err != nil {
				return nil, 0, err
			}
			continue
		}
		if len(profiles) == 0 || profiles[len(profiles)-1].Gain != t.gain {
			profiles = append(profiles, Profile{Gain: t.gain})
		}
		p := &profiles[len(profiles)-1]
		for i, h := range t.heads {
			after, err := o.measure(task, answers[i])
			if err != nil {
				return nil, 0, err
			}
			p.Responses = append(p.Responses, respond(h, before, after))
		}
	}
	n := 0
	for _, m := range before {
		if m.answered {
			untouched, n = untouched+m.value, n+1
		}
	}
	return profiles, untouched / float64(max(1, n)), nil
}

// AnswerPart answers what [Respond] asks, for one part of the examples that [Run] chooses on, and stores the answers. Run, on a store that unites all parts, finds
// every response, whether Eval.Known says that it must or not.
func AnswerPart(ctx context.Context, task *eval.Task, o Options, part store.Part) (eval.Answered, error) {
	o = o.withDefaults()
	var all eval.Answered
	choosing, _, err := Split(task, o.Percent, o.Seed)
	if err != nil {
		return all, err
	}
	tries, err := o.asked(choosing)
	if err != nil {
		return all, err
	}
	for _, t := range tries {
		a, err := eval.AnswerPart(ctx, choosing, t.arms, o.telling(t.stage), part)
		if err != nil {
			return all, err
		}
		all.Jobs, all.Items, all.Of = append(all.Jobs, a.Jobs...), a.Items, a.Of
	}
	return all, nil
}

// telling are the options of answers whose progress tells what is tried.
func (o Options) telling(stage string) eval.Options {
	e := o.Eval
	if tell := e.Progress; tell != nil {
		e.Progress = func(p engine.Progress) { p.Stage = stage; tell(p) }
	}
	return e
}

func (o Options) answers(ctx context.Context, task *eval.Task, arms []eval.Arm, stage string) ([][]eval.Outcome, error) {
	return eval.Answers(ctx, task, arms, o.telling(stage))
}

// measured is the criterion of one example, larger is better.
type measured struct {
	value    float64
	right    bool
	answered bool
}

// measure computes the criterion of answers.
func (o Options) measure(task *eval.Task, outcomes []eval.Outcome) ([]measured, error) {
	out := make([]measured, len(outcomes))
	for i, outcome := range outcomes {
		if outcome.Refused != "" {
			continue
		}
		if len(outcome.Scores) == 0 {
			return nil, errors.New("calibrate: the answer gives no scores of the choices, and responses are measured by them: use the log-likelihood of the choices")
		}
		logs := logSoftmax(outcome.Scores)
		m := measured{answered: true}
		if o.By == Entropy { // no answer is read
			m.value = -entropy(logs)
		} else {
			m.value = logs[task.Examples[i].Answer]
			m.right = outcome.Judge(task.Metric, task.Examples[i]).Right
		}
		out[i] = m
	}
	return out, nil
}

// logSoftmax are the logarithms of the choices' probabilities among themselves.
func logSoftmax(scores []float64) []float64 {
	top, sum := slices.Max(scores), 0.0
	for _, x := range scores {
		sum += math.Exp(x - top)
	}
	out := make([]float64, len(scores))
	for i, x := range scores {
		out[i] = x - top - math.Log(sum)
	}
	return out
}

// entropy of a distribution given by its logarithms, nats.
func entropy(logs []float64) (h float64) {
	for _, x := range logs {
		if p := math.Exp(x); p > 0 {
			h -= p * x
		}
	}
	return h
}

// respond compares a head's answers with those of the untouched model, example by example.
func respond(h Head, before, after []measured) Response {
	r := Response{Head: h}
	var changes []float64
	for i, b := range before {
		a := after[i]
		if !a.answered || !b.answered {
			continue
		}
		changes = append(changes, a.value-b.value)
		switch {
		case a.right && !b.right:
			r.Gained++
		case b.right && !a.right:
			r.Lost++
		}
	}
	n := float64(len(changes))
	for _, c := range changes {
		r.Mean += c / n
	}
	for _, c := range changes {
		r.StandardError += (c - r.Mean) * (c - r.Mean)
	}
	if n > 1 {
		r.StandardError = math.Sqrt(r.StandardError / (n - 1) / n)
	}
	return r
}
