package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/attune-lab/attune/pkg/eval"
	"github.com/attune-lab/attune/pkg/plot"
	"github.com/attune-lab/attune/pkg/reason"
	"github.com/attune-lab/attune/pkg/report"
	"github.com/attune-lab/attune/pkg/stats"
	"github.com/attune-lab/attune/pkg/worker/client"
)

// costTable is accuracy against computed tokens.
func costTable(_ context.Context, c *compared) (*report.Part, error) {
	t := report.Table{Name: "reasoning", Title: fmt.Sprintf("Every arm against %s, %s", c.first(), c.task.ScoreName(c.task.Metric)),
		Columns: []string{"arm", "n", "accuracy", "95 % interval", "tokens", "of reasoning", "ended", "difference", "95 % interval of it", "gained / lost", "p (Holm)", "detectable"}}
	behind := report.Table{Name: "tokens", Title: "Accuracy against computed tokens", Columns: []string{"arm", "tokens", "accuracy"}}
	p := &report.Part{Method: `The tokens of an item are those of its prompt, of its reasoning and of its answer; self-consistency counts every sample whole. "Ended" is the share of reasonings that came to an end by themselves within the budget.`}
	votes := report.Table{Name: "sampled", Title: "Sampled answers, each by itself", Columns: []string{"arm", "items", "samples", "accuracy of one sample", "variance within items", "variance between items", "standard error of the mean"}}
	var series []plot.Series
	at := map[string]int{}
	for i, arm := range c.arms() {
		r, ok := c.Row(c.task.Metric, eval.GroupAll, arm.Name)
		if !ok {
			return nil, fmt.Errorf("no row of arm %s", arm.Name)
		}
		entries, err := reason.Ledger(c.Comparison, i)
		if err != nil {
			return nil, err
		}
		u := reason.Sum(entries)
		if spread, ok := reason.Variation(c.Comparison, entries); ok {
			n, k := float64(len(entries)), float64(len(entries[0].Answers))
			votes.Rows = append(votes.Rows, []any{arm.Name, len(entries), len(entries[0].Answers), spread.Mean, spread.Within, spread.Between, math.Sqrt((spread.Between + spread.Within/k) / n)})
			p.Numbers = append(p.Numbers, report.Number{Name: "samples/" + arm.Name, Value: spread.Mean, Unit: "accuracy of one sample", N: len(entries), Tolerance: 1e-3})
		}
		p.Numbers = append(p.Numbers, report.Number{Name: "tokens/" + arm.Name, Value: u.Total(), Unit: "tokens per item", N: r.N, Tolerance: 0.5})
		row := []any{arm.Name, r.N, r.Accuracy, interval(r.CI95), u.Total(), u.Reasoning, nil, nil, nil, nil, nil, nil}
		if u.Reasoning > 0 {
			row[6] = u.Ended
		}
		if v := r.Versus; v != nil {
			row = append(row[:7], v.Difference, signed(v.CI95), fmt.Sprintf("%d / %d", v.Gained, v.Lost), v.Adjusted, detectable(v.Paired))
		}
		t.Rows, behind.Rows = append(t.Rows, row), append(behind.Rows, []any{arm.Name, u.Total(), r.Accuracy})
		kind := curveName(arm)
		if _, met := at[kind]; !met {
			at[kind] = len(series)
			series = append(series, plot.Series{Name: kind})
		}
		s := &series[at[kind]]
		s.X, s.Y = append(s.X, u.Total()), append(s.Y, r.Accuracy)
	}
	p.Tables = []report.Table{t}
	if len(votes.Rows) > 0 {
		p.Tables = append(p.Tables, votes)
		p.Method += " Of arms that sample, the variance within items is what more samples make smaller, that between items what only more items do; the standard error is that of the mean of all samples."
	}
	p.Figures = []report.Figure{{Name: "tokens", Title: "Accuracy against computed tokens", Table: &behind,
		Caption: fmt.Sprintf("%s on %d items of %s; prompt, reasoning and answer; the points of a line are budgets", c.name(), c.N, c.Task),
		Chart:   plot.Curves{Series: series, Title: "Accuracy against computed tokens", XLabel: "tokens per item", YLabel: c.task.Metric}}}
	return p, nil
}

// curveName groups arms that differ in their budget only: the kind, and the intervention where there is one.
func curveName(arm client.Arm) string {
	var a reason.Arm
	if json.Unmarshal(arm.Answer, &a) != nil || a.Kind == "" {
		return arm.Name
	}
	kind := string(a.Kind)
	if a.Like != nil {
		kind += " like " + string(a.Like.Kind)
	}
	if _, under, ok := strings.Cut(arm.Name, ", "); ok && !strings.HasPrefix(under, "waits") {
		return kind + ", " + under
	} else if i := strings.LastIndex(arm.Name, ", "); ok && strings.Count(arm.Name, ", ") > 1 {
		return kind + ", " + arm.Name[i+2:]
	}
	return kind
}

// withinTable compares each arm under an intervention with the same arm without one.
func withinTable(_ context.Context, c *compared) (*report.Part, error) {
	p := &report.Part{Method: "Each arm under an intervention against the same arm without one, on the same items; Holm's correction covers these comparisons."}
	t := report.Table{Name: "interventions", Title: "What an intervention changes in each arm", Columns: []string{"arm", "against", "difference", "95 % interval", "gained / lost", "p", "p (Holm)", "detectable", "word"}}
	arms := c.arms()
	var names, against []string
	var counts []stats.Counts
	for a, arm := range arms {
		for b, other := range arms[:a] {
			if string(other.Answer) != string(arm.Answer) || len(other.Plan) > 0 || len(arm.Plan) == 0 {
				continue
			}
			n := stats.Counts{}
			for i, e := range c.Examples {
				x, y := c.Outcomes[b][i].Judge(c.task.Metric, e), c.Outcomes[a][i].Judge(c.task.Metric, e)
				if x.Undecided || y.Undecided {
					continue
				}
				n.N++
				switch {
				case y.Right && !x.Right:
					n.Gained++
				case x.Right && !y.Right:
					n.Lost++
				}
			}
			names, against, counts = append(names, arm.Name), append(against, other.Name), append(counts, n)
			break
		}
	}
	for i, v := range stats.Family(counts) {
		ci := v.CI95
		p.Numbers = append(p.Numbers, report.Number{Name: "intervention/" + names[i], Value: v.Difference, Unit: "accuracy", N: v.N, CI95: &ci, Tolerance: 1e-3})
		t.Rows = append(t.Rows, []any{names[i], against[i], v.Difference, signed(v.CI95), fmt.Sprintf("%d / %d", v.Gained, v.Lost), v.P, v.Adjusted, detectable(v), v.Word(stats.Margin)})
	}
	if len(t.Rows) == 0 {
		return &report.Part{}, nil
	}
	p.Tables = []report.Table{t}
	return p, nil
}

// thoughts show how the arms that reason went about an item.
func thoughts(_ context.Context, c *compared) (*report.Part, error) {
	if c.Item < 0 || c.Item >= len(c.Examples) {
		return nil, fmt.Errorf("thoughts about item %d: %d items were asked", c.Item, len(c.Examples))
	}
	e := c.Examples[c.Item]
	p := &report.Part{Samples: []report.Sample{{Title: "The item", Text: e.Prompt + "\n\nright:" + e.Choices[e.Answer]}}}
	for i, arm := range c.arms() {
		entries, err := reason.Ledger(c.Comparison, i)
		if err != nil {
			return nil, err
		}
		if entry := entries[c.Item]; len(entry.Thoughts) > 0 {
			p.Samples = append(p.Samples, report.Sample{Title: fmt.Sprintf("Reasoning, %s (%d tokens)", arm.Name, entry.Reasoning), Text: strings.Join(entry.Thoughts, "\n--")})
		}
	}
	return p, nil
}
