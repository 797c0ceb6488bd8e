package worker

import (
	"context"
	"fmt"
	"strings"

	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/eval"
	"github.com/attune-lab/attune/pkg/plot"
	"github.com/attune-lab/attune/pkg/report"
	"github.com/attune-lab/attune/pkg/stats"
)

// perplexity measures the loss of texts under every arm.
func perplexity(ctx context.Context, j *job) error {
	windows, err := args[eval.Windows](j)
	if err != nil {
		return err
	}
	texts, err := j.texts()
	if err != nil {
		return err
	}
	r, err := j.runner()
	if err != nil {
		return err
	}
	results, err := j.store()
	if err != nil {
		return err
	}
	of, err := j.resultJob(r)
	if err != nil {
		return err
	}
	o := eval.LossOptions{Windows: windows, Runner: func() (*engine.Runner, error) { return r, nil }, Store: results, Job: of, Run: j.runName(), Seed: j.Options.Seed, Plain: j.plain(),
		Progress: j.engineProgress, Known: j.known()}
	arms := map[string]eval.Arm{}
	var list []eval.Arm
	for _, a := range j.arms() {
		arm, err := j.arm(a)
		if err != nil {
			return err
		}
		arms[a.Name], list = arm, append(list, arm)
	}
	if p := j.session.part; p != nil {
		a, err := eval.LossPart(ctx, texts, list, o, p.part)
		if err != nil {
			return err
		}
		p.add(a)
		return errPartDone
	}
	rows, err := eval.Perplexity(ctx, texts, list, o)
	if err != nil {
		return err
	}
	against := map[string]map[string]stats.Change{} // of an arm and its control
	for _, a := range j.arms() {
		for _, control := range a.Controls {
			pair, err := eval.Perplexity(ctx, texts, []eval.Arm{arms[control], arms[a.Name]}, o) // both are in the store
			if err != nil {
				return err
			}
			if against[a.Name] == nil {
				against[a.Name] = map[string]stats.Change{}
			}
			against[a.Name][control] = *pair[1].Versus
		}
	}
	return j.show(j.lossPart(rows, against))
}

// lossPart is the table of losses, the figure of differences and the finding.
func (j *job) lossPart(rows []eval.LossRow, against map[string]map[string]stats.Change) *report.Part {
	first := rows[0]
	p := &report.Part{Answers: true, Method: fmt.Sprintf("The loss is the mean negative log-likelihood of a token, in nats, over %d texts (%d tokens, each predicted once); perplexity is its exponential. Differences are paired by text; intervals are a bootstrap's over "+
		"texts, each by itself: they are not widened for the number of arms.", first.Documents, first.Tokens)}
	t := report.Table{Name: "loss", Title: "Loss and perplexity of every arm", Columns: []string{"arm", "texts", "tokens", "loss", "95 % interval", "perplexity", "loss minus " + first.Arm, "95 % interval of it"}}
	controls := report.Table{Name: "loss-controls", Title: "Every arm against its controls of equal size", Columns: []string{"arm", "control", "difference of loss", "95 % interval"}}
	bars := plot.BarSeries{Name: "difference"}
	var names, shown []string
	behind := report.Table{Name: "loss-differences", Title: "Differences of the loss", Columns: []string{"arm", "difference", "low", "high"}}
	for _, r := range rows {
		ci := r.CI95
		row := []any{r.Arm, r.Documents, r.Tokens, r.Loss, span(r.CI95), r.Perplexity, nil, nil}
		p.Numbers = append(p.Numbers, report.Number{Name: "loss/" + r.Arm, Value: r.Loss, Unit: "nats per token", N: r.Documents, CI95: &ci, Tolerance: 1e-3},
			report.Number{Name: "perplexity/" + r.Arm, Value: r.Perplexity, N: r.Documents, Tolerance: 1e-3 * r.Perplexity})
		if v := r.Versus; v != nil {
			row[6], row[7] = v.Mean, span(v.CI95)
			d := v.CI95
			p.Numbers = append(p.Numbers, report.Number{Name: "loss/" + r.Arm + "/difference", Value: v.Mean, Unit: "nats per token", N: v.N, CI95: &d, Tolerance: 1e-3})
			names = append(names, r.Arm)
			bars.Values, bars.Lo, bars.Hi = append(bars.Values, v.Mean), append(bars.Lo, v.CI95.Low), append(bars.Hi, v.CI95.High)
			behind.Rows = append(behind.Rows, []any{r.Arm, v.Mean, v.CI95.Low, v.CI95.High})
			shown = append(shown, fmt.Sprintf("%s %s (%+.4f nats, 95 %% interval %s)", r.Arm, lossWord(v.CI95), v.Mean, span(v.CI95)))
		}
		t.Rows = append(t.Rows, row)
	}
	for _, a := range j.arms() {
		for _, name := range a.Controls {
			v := against[a.Name][name]
			d := v.CI95
			controls.Rows = append(controls.Rows, []any{a.Name, name, v.Mean, span(v.CI95)})
			p.Numbers = append(p.Numbers, report.Number{Name: "loss/" + a.Name + "/against " + name, Value: v.Mean, Unit: "nats per token", N: v.N, CI95: &d, Tolerance: 1e-3})
		}
	}
	p.Tables = []report.Table{t}
	if len(controls.Rows) > 0 {
		p.Tables = append(p.Tables, controls)
	}
	p.Finding = fmt.Sprintf("The perplexity of %s is %.3f on %d texts", first.Arm, first.Perplexity, first.Documents)
	if len(names) > 0 {
		p.Finding += "; " + strings.Join(shown, "; ")
		p.Figures = []report.Figure{{Name: "loss-differences", Title: "Difference of the loss from " + first.Arm, Table: &behind, Caption: fmt.Sprintf("%s on %d texts, %d tokens, 95 %% intervals (bootstrap over texts)", j.name(), first.Documents, first.Tokens),
			Chart: plot.Bars{Groups: names, Series: []plot.BarSeries{bars}, Title: "Loss minus that of " + first.Arm, YLabel: "nats per token"}}}
	}
	p.Finding += "."
	return p
}

// lossWord is what an interval of a difference of losses shows by itself.
func lossWord(ci stats.Interval) string {
	switch {
	case ci.Low > 0:
		return "raises it"
	case ci.High < 0:
		return "lowers it"
	}
	return "does not change it beyond its interval"
}

func span(ci stats.Interval) string { return fmt.Sprintf("%+.4f to %+.4f", ci.Low, ci.High) }
