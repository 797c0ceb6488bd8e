package worker

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/attune-lab/attune/pkg/calibrate"
	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/eval"
	"github.com/attune-lab/attune/pkg/plot"
	"github.com/attune-lab/attune/pkg/report"
	"github.com/attune-lab/attune/pkg/worker/client"
)

// calibrateArgs are a recipe's parameters.
type calibrateArgs struct {
	Method    string  `json:"method"`
	By        string  `json:"by"`
	Gain      float64 `json:"gain"`
	Heads     int     `json:"heads"`
	Layers    []int   `json:"layers"`
	Percent   int     `json:"percent"`
	Draws     int     `json:"draws"`
	Highlight string  `json:"highlight"`
	First     bool    `json:"first"` // of the recipe's: its finding answers the recipe's question
}

// calibrated is a calibration request.
type calibrated struct {
	*job
	calibrateArgs
	task *eval.Task
	*calibrate.Calibration
}

// calibrateHeads answers one view of a calibration; the first view computes it.
func calibrateHeads(ctx context.Context, j *job) error {
	a, err := args[calibrateArgs](j)
	if err != nil {
		return err
	}
	c := &calibrated{job: j, calibrateArgs: a}
	if err := c.compute(ctx); err != nil {
		return err
	}
	switch j.View {
	case "heads":
		return j.show(c.heads())
	case "map":
		return j.show(c.maps())
	case "test":
		return j.show(c.tested())
	case "spec":
		if len(c.Chosen) == 0 {
			return j.reply(emulate.Spec{})
		}
		return j.reply(c.Spec())
	}
	return fmt.Errorf("a calibration has no view %q", j.View)
}

// asked are the items, and the options that follow from the arguments alone.
func (c *calibrated) asked() (o calibrate.Options, err error) {
	if c.task, err = c.job.task(); err != nil {
		return o, err
	}
	if c.Method == string(calibrate.PASTA) {
		if c.task, err = calibrate.Highlight(c.task, c.Highlight); err != nil {
			return o, client.Parameter("highlight", c.Highlight, "%v", err)
		}
	}
	return calibrate.Options{Method: calibrate.Method(c.Method), By: calibrate.Criterion(c.By), Gain: c.calibrateArgs.Gain, Heads: c.calibrateArgs.Heads,
		Layers: c.calibrateArgs.Layers, Percent: c.Percent, Draws: c.Draws, Seed: c.job.Options.Seed}, nil
}

// compute chooses and tests. In a part of a submission it answers the part's share of what heads are chosen by: the choice needs all of it, and the test the choice.
func (c *calibrated) compute(ctx context.Context) error {
	o, err := c.asked()
	if err != nil {
		return err
	}
	r, err := c.runner()
	if err != nil {
		return err
	}
	key := surveyKey("calibrate", c.session.key, c.job.Options, c.task.Hash(), c.calibrateArgs)
	if found := c.session.calibrations[key]; found != nil {
		c.Calibration = found
		return nil
	}
	results, err := c.store()
	if err != nil {
		return err
	}
	of, err := c.resultJob(r)
	if err != nil {
		return err
	}
	o.Eval = eval.Options{Runner: func() (*engine.Runner, error) { return r, nil }, Store: results, Job: of, Run: c.runName(), Known: c.known(), Seed: c.job.Options.Seed, Groups: c.groups(),
		Margin: c.job.Options.Margin, Progress: func(p engine.Progress) { p.Stage = c.Method + " by " + c.By + ", " + p.Stage; c.engineProgress(p) }}
	if p := c.session.part; p != nil {
		a, err := calibrate.AnswerPart(ctx, c.task, o, p.part)
		if err != nil {
			return err
		}
		p.add(a)
		return errPartDone
	}
	if c.Calibration, err = calibrate.Run(ctx, c.task, o); err != nil {
		return err
	}
	if c.session.calibrations == nil {
		c.session.calibrations = map[string]*calibrate.Calibration{}
	}
	c.session.calibrations[key] = c.Calibration
	return nil
}

// choosing are the items that the heads of a calibration are chosen on, and how.
func (j *job) choosing() (*eval.Task, calibrate.Options, error) {
	a, err := args[calibrateArgs](j)
	if err != nil {
		return nil, calibrate.Options{}, err
	}
	c := &calibrated{job: j, calibrateArgs: a}
	o, err := c.asked()
	if err != nil {
		return nil, o, err
	}
	choosing, _, err := calibrate.Split(c.task, cmp.Or(o.Percent, calibrate.DefaultPercent), o.Seed)
	return choosing, o, err
}

// called is what tables, figures and numbers of this calibration begin with.
func (c *calibrated) called() string { return c.Method + "/" + string(c.Calibration.Options.By) }

// file is the same for names of files.
func (c *calibrated) file(what string) string {
	return what + "-" + strings.ReplaceAll(c.called(), "/", "-")
}

func (c *calibrated) criterion() string {
	if c.Calibration.Options.By == calibrate.Entropy {
		return "fall of the entropy of the choices' probabilities, nats; no answer is read"
	}
	return "rise of the log-probability of the right choice among the choices, nats"
}

// heads is the table of the chosen heads.
func (c *calibrated) heads() *report.Part {
	p := &report.Part{Method: fmt.Sprintf("Each of %d heads is changed alone on %d items (%s, gain %.3g); its response is the mean %s. Chosen are the %d of largest positive response, at most. "+
		"They are the best of many on these items, so what they do here says nothing about other items: that is tested on the %d others, which were split off by content and not read before.",
		c.Candidates, c.Choosing, c.Method, c.Calibration.Gain, c.criterion(), c.Calibration.Options.Heads, c.Testing),
		Facts: map[string]any{"calibration." + c.called() + ".graphs": c.Compilations}}
	if len(c.Profiles) > 1 {
		a, b := c.Profiles[0], c.Profiles[1]
		p.Method += fmt.Sprintf(" Gains %.3g and %.3g were tried; taken is that to which more heads respond by getting better (%d and %d of them).", a.Gain, b.Gain, a.Better(), b.Better())
	}
	t := report.Table{Name: c.file("chosen"), Title: fmt.Sprintf("Heads chosen for %s by %s", c.Method, c.By), Columns: []string{"layer", "head", "response, nats", "standard error", "gained / lost"}}
	for _, r := range c.Chosen {
		gained := any(fmt.Sprintf("%d / %d", r.Gained, r.Lost))
		if c.Calibration.Options.By == calibrate.Entropy {
			gained = nil
		}
		t.Rows = append(t.Rows, []any{r.Layer, r.Head.Head, r.Mean, r.StandardError, gained})
	}
	p.Tables = []report.Table{t}
	name := "calibrate/" + c.called()
	p.Numbers = []report.Number{{Name: name + "/heads", Value: float64(len(c.Chosen)), Unit: "heads chosen", N: c.Choosing}}
	if len(c.Chosen) > 0 {
		p.Numbers = append(p.Numbers, report.Number{Name: name + "/gain", Value: c.Calibration.Gain, Unit: "factor", N: c.Choosing, Tolerance: 1e-6},
			report.Number{Name: name + "/best", Value: c.Chosen[0].Mean, Unit: "nats", N: c.Choosing, Tolerance: 1e-3})
		p.Facts["spec."+c.called()] = string(c.Spec().JSON())
	}
	return p
}

// maps are the responses to the gain of the choice, by layer and head.
func (c *calibrated) maps() *report.Part {
	profile := c.Taken()
	values := make([][]float64, c.Calibration.Layers)
	for l := range values {
		values[l] = slices.Repeat([]float64{math.NaN()}, c.Calibration.Heads)
	}
	behind := report.Table{Name: c.file("responses"), Title: "Responses by layer and head", Columns: []string{"layer", "head", "response", "standard error"}}
	for _, r := range profile.Responses {
		values[r.Layer][r.Head.Head] = r.Mean
		behind.Rows = append(behind.Rows, []any{r.Layer, r.Head.Head, r.Mean, r.StandardError})
	}
	return &report.Part{Figures: []report.Figure{{Name: behind.Name, Title: fmt.Sprintf("Response of every head, %s by %s, gain %.3g", c.Method, c.By, profile.Gain), Table: &behind,
		Caption: fmt.Sprintf("%s on the %d items that heads are chosen on; each head is changed alone; mean %s. Blank layers are no candidates.", c.name(), c.Choosing, c.criterion()),
		Chart:   plot.Heatmap{Values: values, Title: fmt.Sprintf("Response to gain %.3g", profile.Gain), XLabel: "head", YLabel: "layer", ZLabel: "response, nats", Palette: plot.Diverging}}}}
}

// tested is the paired test on the other items.
func (c *calibrated) tested() *report.Part {
	p := &report.Part{Finding: c.Finding(c.task.Metric), Answers: c.First}
	if c.Test == nil {
		return p
	}
	p.Method = fmt.Sprintf("The %d items that were not read before answer under the chosen heads together, without a change, and under as many random heads of the other candidates, the control of equal size. "+
		"Differences are paired; Holm's correction covers the family of %d. Further sets of random heads and all candidates at once show how much the choice matters, outside the family.", c.Test.N, c.Test.Family)
	t := report.Table{Name: c.file("test"), Title: fmt.Sprintf("The chosen heads on other items, %s by %s", c.Method, c.By),
		Columns: []string{"items", "arm", "against", "n", "accuracy", "difference", "95 % interval", "gained / lost", "p", "p (Holm)", "detectable", "word"}}
	for _, r := range c.Test.Rows {
		if r.Metric != c.task.Metric {
			continue
		}
		name := "calibrate/" + c.called() + "/acc/" + r.Group + "/" + r.Arm
		ci := r.CI95
		p.Numbers = append(p.Numbers, report.Number{Name: name, Value: r.Accuracy, Unit: "accuracy", N: r.N, CI95: &ci, Tolerance: 1e-3})
		if r.Versus == nil {
			t.Rows = append(t.Rows, []any{r.Group, r.Arm, nil, r.N, r.Accuracy, nil, nil, nil, nil, nil, nil, nil})
			continue
		}
		for i, v := range append([]eval.Paired{*r.Versus}, r.Controls...) {
			d := v.CI95
			suffix := "/difference"
			if i > 0 {
				suffix = "/against " + v.Baseline
			}
			p.Numbers = append(p.Numbers, report.Number{Name: name + suffix, Value: v.Difference, Unit: "accuracy", N: v.N, CI95: &d, Tolerance: 1e-3})
			if v.Family > 0 {
				p.Numbers = append(p.Numbers, report.Number{Name: name + suffix + "/p", Value: v.P, Unit: "p of the score test", N: v.N, Tolerance: 1e-3})
			}
			t.Rows = append(t.Rows, []any{r.Group, r.Arm, v.Baseline, r.N, r.Accuracy, v.Difference, signed(v.CI95), fmt.Sprintf("%d / %d", v.Gained, v.Lost), v.P, v.Adjusted, detectable(v.Paired), v.Word})
		}
	}
	spread := report.Table{Name: c.file("spread"), Title: "How much the choice of heads matters", Columns: []string{"arm", "heads", "accuracy", "difference from " + calibrate.Untouched}}
	for _, s := range c.Spread {
		spread.Rows = append(spread.Rows, []any{s.Name, len(s.Spec.LayerHeads), s.Accuracy, s.Difference})
	}
	p.Tables = []report.Table{t, spread}
	return p
}
