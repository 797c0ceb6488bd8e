package worker

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/attune-lab/attune/pkg/plot"
	"github.com/attune-lab/attune/pkg/report"
	"github.com/attune-lab/attune/pkg/sink"
	"github.com/attune-lab/attune/pkg/stats"
	"github.com/attune-lab/attune/pkg/worker/client"
)

// changesView compares two surveys of the same texts: two models, or one before and after training, with BOS and without. The request is the second survey's; Other is the first's.
func changesView(ctx context.Context, v *surveyed) (*report.Part, error) {
	var other client.Request
	if err := json.Unmarshal(v.Other, &other); err != nil {
		return nil, fmt.Errorf("changes: the other survey: %w", err)
	}
	a, err := args[surveyArgs](&job{Request: &other})
	if err != nil {
		return nil, err
	}
	// Each is computed before the next model is opened: one model is held at a time.
	first := *v.job
	first.Request = &other
	old, err := newSurveyed(&first, a)
	if err != nil {
		return nil, err
	}
	old.length = v.length
	before, err := old.of(ctx, 0)
	if err != nil {
		return nil, err
	}
	beforeShares, err := before.ByClass(old.tokenClasses())
	if err != nil {
		return nil, err
	}
	beforeOutliers, err := before.Outliers(sink.OutlierOptions{}).ByClass(before, old.tokenClasses())
	if err != nil {
		return nil, err
	}
	if v.model, err = v.open(); err != nil {
		return nil, err
	}
	after, err := v.of(ctx, 0)
	if err != nil {
		return nil, err
	}
	c, err := sink.Compare(before, after, v.Eps, v.Options.Seed)
	if err != nil {
		return nil, err
	}
	p := &report.Part{Method: fmt.Sprintf("The same texts in both: %s. A change is the mean over texts of %s minus %s within a text, with its 95 %% bootstrap interval.", v.sample(after), v.Title, v.Against)}
	t := report.Table{Name: "changes", Title: fmt.Sprintf("Attention, %s and %s, mean over layers, heads and texts", v.Against, v.Title), Columns: []string{"statistic", v.Against, v.Title, "change", "95 % interval"}}
	for i, r := range c.Rows {
		ci := r.Change.CI95
		t.Rows = append(t.Rows, []any{r.Name, r.Before, r.After, r.Change.Mean, fmt.Sprintf("%.4f to %.4f", ci.Low, ci.High)})
		p.Numbers = append(p.Numbers, report.Number{Name: "change/" + r.Name, Value: r.Change.Mean, Unit: v.Title + " minus " + v.Against, N: r.Change.N, CI95: &ci, Tolerance: 0.01})
		if i == 0 {
			p.Finding = fmt.Sprintf("Attention, %s: %.4f %s, %.4f %s; change %+.4f (95 %% interval %+.4f to %+.4f over %d texts of %d tokens).", r.Name, r.Before, v.Against, r.After, v.Title, r.Change.Mean, ci.Low, ci.High, r.Change.N, v.length)
		}
	}
	p.Tables = []report.Table{t}
	for _, what := range []string{"first", "entropy", "distance", "overlap"} {
		f, err := v.beside(before, after, statistics[what])
		if err != nil {
			return nil, err
		}
		p.Figures = append(p.Figures, *f)
	}
	afterShares, err := after.ByClass(v.tokenClasses())
	if err != nil {
		return nil, err
	}
	afterOutliers, err := after.Outliers(sink.OutlierOptions{}).ByClass(after, v.tokenClasses())
	if err != nil {
		return nil, err
	}
	classes := report.Table{Name: "class-changes", Title: fmt.Sprintf("Token classes, %s and %s", v.Against, v.Title),
		Columns: []string{"token class", "share of tokens", "share of attention, " + v.Against, v.Title, "change", "95 % interval of the change", "share of outliers, " + v.Against, v.Title + " "}}
	for i, b := range beforeShares {
		if b.Tokens == 0 {
			continue
		}
		change := stats.PairedMean(afterShares[i].PerPrompt, b.PerPrompt, v.Options.Seed)
		ci := change.CI95
		classes.Rows = append(classes.Rows, []any{b.Class.String(), b.Tokens, b.Attention, afterShares[i].Attention, change.Mean, fmt.Sprintf("%+.4f to %+.4f", ci.Low, ci.High), beforeOutliers[i].Outliers, afterOutliers[i].Outliers})
		p.Numbers = append(p.Numbers, report.Number{Name: "attention_share_change/" + b.Class.String(), Value: change.Mean, Unit: "share of attention", N: change.N, CI95: &ci, Tolerance: 0.005})
	}
	p.Tables = append(p.Tables, classes)
	return p, nil
}

// beside draws a statistic of two surveys over depth; the table adds the paired change of every layer, whose interval says more than two bands that overlap.
func (v *surveyed) beside(before, after *sink.Survey, stat statistic) (*report.Figure, error) {
	of := stat.of
	if of == nil {
		of = (*sink.Survey).FirstShare
	}
	b, err := of(before)
	if err != nil {
		return nil, err
	}
	a, err := of(after)
	if err != nil {
		return nil, err
	}
	if a.Layers != b.Layers || len(a.Values) != len(b.Values) {
		return nil, fmt.Errorf("%s: surveys of %d layers and %d texts beside %d layers and %d texts: run both on the same texts and models of one depth", stat.name, b.Layers, len(b.Values), a.Layers, len(a.Values))
	}
	t := report.Table{Name: stat.name + "-by-layer", Title: stat.title + ", by layer", Columns: []string{"layer", v.Against, v.Title, "change, " + stat.unit, "95 % interval of the change"}}
	var series []plot.Series
	for _, side := range []struct {
		name string
		v    *sink.PerHead
	}{{v.Against, b}, {v.Title, a}} {
		means, ci := side.v.ByLayer(v.Options.Seed)
		curve := plot.Series{Name: side.name, Y: means}
		for l := range means {
			curve.X, curve.Lo, curve.Hi = append(curve.X, float64(l)), append(curve.Lo, ci[l].Low), append(curve.Hi, ci[l].High)
		}
		series = append(series, curve)
	}
	for l := range b.Layers {
		c := stats.PairedMean(a.Layer(l), b.Layer(l), v.Options.Seed)
		t.Rows = append(t.Rows, []any{l, series[0].Y[l], series[1].Y[l], c.Mean, fmt.Sprintf("%.4f to %.4f", c.CI95.Low, c.CI95.High)})
	}
	return &report.Figure{Name: stat.name + "-by-layer", Title: stat.title + ", " + v.Against + " and " + v.Title, Caption: v.about(after, "mean over heads") + "; bands: 95 % bootstrap intervals over texts", Table: &t,
		Chart: plot.Curves{Series: series, Title: stat.title, XLabel: "layer", YLabel: stat.unit}}, nil
}
