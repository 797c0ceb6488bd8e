package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/attune-lab/attune/pkg/eval"
	"github.com/attune-lab/attune/pkg/plot"
	"github.com/attune-lab/attune/pkg/report"
	"github.com/attune-lab/attune/pkg/stats"
	"github.com/attune-lab/attune/pkg/store"
	"github.com/attune-lab/attune/pkg/worker/client"
)

// compareArgs are those of a comparison's views.
type compareArgs struct {
	Item     int             `json:"item,omitempty"`
	Most     int             `json:"n,omitempty"`        // samples of an arm
	Against  string          `json:"against,omitempty"`  // name of the first arm, where it is another model
	Other    *client.Options `json:"other,omitempty"`    // the first arm's model, where two models are compared
	ByDomain bool            `json:"byDomain,omitempty"` // rows for each domain of the generator, not tested
}

// compared is a comparison request.
type compared struct {
	*job
	compareArgs
	task     *eval.Task
	otherJob store.Job // what the first arm's results depend on, where it is another model's
	*eval.Comparison
}

// compare answers one view of a comparison; the first view computes it.
func compare(ctx context.Context, j *job) error {
	a, err := args[compareArgs](j)
	if err != nil {
		return err
	}
	c := &compared{job: j, compareArgs: a}
	if c.task, err = j.task(); err != nil {
		return err
	}
	if c.Comparison, err = c.compute(ctx); err != nil {
		return err
	}
	view := compareViews[j.View]
	if view == nil {
		return fmt.Errorf("a comparison has no view %q", j.View)
	}
	part, err := view(ctx, c)
	if err != nil || part == nil {
		return err
	}
	return j.show(part)
}

var compareViews = map[string]func(context.Context, *compared) (*report.Part, error){
	"table": comparisonTable, "bars": accuracyBars, "differences": differenceBars, "interaction": interactionTable, "subjects": subjectsTable, "cost": costTable, "thoughts": thoughts, "within": withinTable,
	"samples": samplesList, "unparsed": unparsedTexts, "rows": comparedRows,
}

// each calls f for the rows of the primary metric.
func (c *compared) each(f func(r eval.Row)) {
	for _, r := range c.Rows {
		if r.Metric == c.task.Metric {
			f(r)
		}
	}
}

func signed(i stats.Interval) string { return fmt.Sprintf("%+.3f to %+.3f", i.Low, i.High) }

// numbers are all rows of results.json that a comparison has.
func (c *compared) numbers() []report.Number {
	var out []report.Number
	for _, r := range c.Rows {
		ci := r.CI95
		out = append(out, report.Number{Name: r.Name, Value: r.Accuracy, Unit: "accuracy", N: r.N, CI95: &ci, Tolerance: 1e-3})
		if v := r.Versus; v != nil {
			d := v.CI95
			out = append(out, report.Number{Name: r.Name + "/difference", Value: v.Difference, Unit: "accuracy", N: r.N, CI95: &d, Tolerance: 1e-3})
			if v.Family > 0 {
				out = append(out, report.Number{Name: r.Name + "/p", Value: v.P, Unit: "p of the score test", N: r.N, Tolerance: 1e-3})
			}
		}
		for _, v := range r.Controls {
			d := v.CI95
			out = append(out, report.Number{Name: r.Name + "/against " + v.Baseline, Value: v.Difference, Unit: "accuracy", N: r.N, CI95: &d, Tolerance: 1e-3})
		}
	}
	return out
}

// method is the paragraph that every view of a comparison can be read by.
func (c *compared) method() string {
	s := fmt.Sprintf("Every arm answers the same %d items of %s %s (template %s). Differences are paired: gained are items that only the arm answers right, lost those that only the first arm does. "+
		"The p value is the score test's, which Tango's interval inverts; Holm's correction covers the %d comparisons of the family, which was declared before looking.", c.N, c.Task, c.answered(), c.TemplateHash[:8], c.Family)
	if tied := c.tied(); tied > 0 {
		s += fmt.Sprintf(" %d answers tie for the largest score and are decided by the item's hash, the same in every arm.", tied)
	}
	return s
}

// answered says how the arms answer.
func (c *compared) answered() string {
	if c.written() {
		return "by what the model writes, greedily: the answer is read out of the text, and one that cannot be read counts as wrong"
	}
	return "by the log-likelihood of the choices"
}

// written reports whether answers are read out of texts.
func (c *compared) written() bool {
	return slices.ContainsFunc(c.arms(), func(a client.Arm) bool {
		var how answer
		return json.Unmarshal(a.Answer, &how) == nil && how.Kind == client.Written
	})
}

func (c *compared) tied() int {
	n := 0
	c.each(func(r eval.Row) {
		if r.Group == eval.GroupAll {
			n += r.Tied
		}
	})
	return n
}

// comparisonTable is every arm against the first, by group.
func comparisonTable(_ context.Context, c *compared) (*report.Part, error) {
	p := &report.Part{Method: c.method(), Numbers: c.numbers(), Finding: c.answer(), Details: c.Findings(c.task.Metric), Answers: true}
	t := report.Table{Name: "comparison", Title: fmt.Sprintf("Every arm against %s, %s", c.first(), c.task.ScoreName(c.task.Metric)),
		Columns: []string{"items", "arm", "n", "accuracy", "difference", "95 % interval", "at the family's level", "gained / lost", "p", "p (Holm)", "detectable", "word"}}
	written := c.written()
	if written {
		t.Columns = append(t.Columns, "unparsed")
	}
	c.each(func(r eval.Row) {
		row := []any{r.Group, r.Arm, r.N, r.Accuracy}
		if v := r.Versus; v != nil {
			row = append(row, v.Difference, signed(v.CI95), signed(v.CIFamily), fmt.Sprintf("%d / %d", v.Gained, v.Lost), v.P, v.Adjusted, detectable(v.Paired), v.Word)
		}
		for len(row) < len(t.Columns) {
			row = append(row, nil)
		}
		if written {
			row[len(row)-1] = r.Unparsed
			p.Numbers = append(p.Numbers, report.Number{Name: r.Name + "/unparsed", Value: float64(r.Unparsed) / float64(r.N), Unit: "share of items", N: r.N, Tolerance: 1e-3})
		}
		t.Rows = append(t.Rows, row)
	})
	p.Tables = []report.Table{t}
	if controls := c.controlsTable(); len(controls.Rows) > 0 {
		p.Tables = append(p.Tables, controls)
	}
	return p, nil
}

// controlsTable is every arm against its controls of equal size.
func (c *compared) controlsTable() report.Table {
	t := report.Table{Name: "controls", Title: "Every arm against its controls of equal size", Columns: []string{"items", "arm", "control", "n", "difference", "95 % interval", "at the family's level", "gained / lost", "p", "p (Holm)", "detectable", "word"}}
	c.each(func(r eval.Row) {
		for _, v := range r.Controls {
			t.Rows = append(t.Rows, []any{r.Group, r.Arm, v.Baseline, v.N, v.Difference, signed(v.CI95), signed(v.CIFamily), fmt.Sprintf("%d / %d", v.Gained, v.Lost), v.P, v.Adjusted, detectable(v.Paired), v.Word})
		}
	})
	return t
}

// answer is the comparison in one sentence: which arms are shown to be better or worse over all items, and which are not.
func (c *compared) answer() string {
	var shown, rest []string
	s := ""
	c.each(func(r eval.Row) {
		if r.Group != eval.GroupAll {
			return
		}
		v := r.Versus
		switch {
		case v == nil:
			s = fmt.Sprintf("%s answers %.1f %% of %d items of %s", r.Arm, 100*r.Accuracy, r.N, c.Task)
		case strings.HasPrefix(v.Word, "better") || strings.HasPrefix(v.Word, "worse"):
			shown = append(shown, fmt.Sprintf("%s is %s (%+.1f points, 95 %% interval %+.1f to %+.1f, p %.2g after Holm's correction)", r.Arm, v.Word, 100*v.Difference, 100*v.CI95.Low, 100*v.CI95.High, v.Adjusted))
		case v.Word == report.NotShown: // by the interval that agrees with the word: one at 95 % may exclude 0
			rest = append(rest, fmt.Sprintf("%s: %s (%+.1f points, %+.1f to %+.1f for all %d comparisons together)", r.Arm, v.Word, 100*v.Difference, 100*v.CIFamily.Low, 100*v.CIFamily.High, c.Family))
		default:
			rest = append(rest, fmt.Sprintf("%s: %s (%+.1f points, %+.1f to %+.1f)", r.Arm, v.Word, 100*v.Difference, 100*v.CI95.Low, 100*v.CI95.High))
		}
	})
	for _, list := range [][]string{shown, rest} {
		if len(list) > 0 {
			s += "; " + strings.Join(list, "; ")
		}
	}
	return s + "."
}

// detectable is nil where no difference reaches the power.
func detectable(p stats.Paired) any {
	if p.Detectable == 0 {
		return nil
	}
	return p.Detectable
}

func (c *compared) first() string {
	name := ""
	c.each(func(r eval.Row) {
		if name == "" {
			name = r.Arm
		}
	})
	return name
}

// accuracyBars are the accuracies of the tested groups.
func accuracyBars(_ context.Context, c *compared) (*report.Part, error) {
	behind := report.Table{Name: "accuracy", Title: "Accuracy with its Wilson interval", Columns: []string{"score", "accuracy", "low", "high"}}
	at := map[string]int{}
	var series []plot.BarSeries
	var groups []string
	chance := 0.0
	c.each(func(r eval.Row) {
		if strings.Contains(r.Group, ":") {
			return // a subject or domain
		}
		if _, met := at[r.Arm]; !met {
			at[r.Arm] = len(series)
			series = append(series, plot.BarSeries{Name: r.Arm})
		}
		if at[r.Arm] == 0 {
			groups = append(groups, r.Group)
		}
		if r.Group == eval.GroupAll {
			chance = r.Chance
		}
		b := &series[at[r.Arm]]
		b.Values, b.Lo, b.Hi = append(b.Values, r.Accuracy), append(b.Lo, r.CI95.Low), append(b.Hi, r.CI95.High)
		behind.Rows = append(behind.Rows, []any{r.Name, r.Accuracy, r.CI95.Low, r.CI95.High})
	})
	return &report.Part{Figures: []report.Figure{{Name: "accuracy", Title: "Accuracy of every arm", Table: &behind,
		Caption: fmt.Sprintf("%s on %d items of %s, 95 %% Wilson intervals; the comparison itself is paired, see the table", c.name(), c.N, c.Task),
		Chart:   plot.Bars{Groups: groups, Series: series, Title: "Accuracy on items of " + c.Task, YLabel: "accuracy (" + c.task.Metric + ")", References: []plot.Reference{{Label: "guessing", Y: chance}}}}}}, nil
}

// differenceBars are the differences over all items, with their paired intervals.
func differenceBars(_ context.Context, c *compared) (*report.Part, error) {
	behind := report.Table{Name: "differences", Title: "Differences with their paired intervals", Columns: []string{"arm", "difference", "low", "high"}}
	bars := plot.BarSeries{Name: "difference"}
	var names []string
	c.each(func(r eval.Row) {
		if v := r.Versus; v != nil && r.Group == eval.GroupAll {
			names = append(names, r.Arm)
			bars.Values, bars.Lo, bars.Hi = append(bars.Values, v.Difference), append(bars.Lo, v.CI95.Low), append(bars.Hi, v.CI95.High)
			behind.Rows = append(behind.Rows, []any{r.Arm, v.Difference, v.CI95.Low, v.CI95.High})
		}
	})
	if len(names) == 0 {
		return &report.Part{}, nil
	}
	return &report.Part{Figures: []report.Figure{{Name: "differences", Title: "Difference of every arm from " + c.first(), Table: &behind,
		Caption: fmt.Sprintf("%s on %d items of %s, all groups, 95 %% intervals (Tango's)", c.name(), c.N, c.Task),
		Chart:   plot.Bars{Groups: names, Series: []plot.BarSeries{bars}, Title: "Difference from " + c.first(), YLabel: c.task.Metric + ", arm minus " + c.first()}}}}, nil
}

// interactionTable asks whether an arm changes one group more than the other.
func interactionTable(_ context.Context, c *compared) (*report.Part, error) {
	t := report.Table{Name: "interaction", Title: "Does an arm change items outside STEM more than STEM ones?", Columns: []string{"arm", "outside STEM minus STEM", "95 % interval", "p", "p (Holm)"}}
	p := &report.Part{Method: "The interaction is the difference outside STEM minus the difference on STEM items, tested by z with unpooled errors; its interval comes from the two Tango intervals (MOVER)."}
	for _, i := range c.Interactions {
		if i.Metric != c.task.Metric {
			continue
		}
		ci := i.CI95
		t.Rows = append(t.Rows, []any{i.Arm, i.Difference, signed(i.CI95), i.P, i.Adjusted})
		p.Numbers = append(p.Numbers, report.Number{Name: c.task.ScoreName(c.task.Metric, "interaction", i.Arm), Value: i.Difference, Unit: "accuracy", N: c.N, CI95: &ci, Tolerance: 1e-3})
	}
	if len(t.Rows) == 0 {
		return &report.Part{}, nil // no groups
	}
	p.Tables = []report.Table{t}
	return p, nil
}

// subjectsTable lists groups outside the tested family.
func subjectsTable(_ context.Context, c *compared) (*report.Part, error) {
	t := report.Table{Name: "accuracy-" + c.Task, Title: "By subject or domain, " + c.Task, Columns: []string{"group", "arm", "n", "accuracy", "95 % interval", "difference", "95 % interval of it", "guessing", "p against guessing"}}
	c.each(func(r eval.Row) {
		row := []any{r.Group, r.Arm, r.N, r.Accuracy, interval(r.CI95), nil, nil, r.Chance, r.ChanceP}
		if v := r.Versus; v != nil {
			row[5], row[6] = v.Difference, signed(v.CI95)
		}
		t.Rows = append(t.Rows, row)
	})
	return &report.Part{Method: "Subjects and domains get intervals and stand outside the tested family.", Numbers: c.numbers(), Details: c.Findings(c.task.Metric), Finding: c.answer(), Tables: []report.Table{t}}, nil
}

// comparedRows answers with plain data.
func comparedRows(_ context.Context, c *compared) (*report.Part, error) {
	var out []report.Compared
	c.each(func(r eval.Row) {
		row := report.Compared{Arm: r.Arm, Group: r.Group, N: r.N, Right: r.Correct, Accuracy: r.Accuracy}
		if r.Versus != nil {
			setPaired(&row, r.Versus)
		}
		for _, v := range r.Controls {
			against := report.Compared{Arm: v.Baseline, Group: r.Group, N: v.N}
			setPaired(&against, &v)
			row.Controls = append(row.Controls, against)
		}
		out = append(out, row)
	})
	return nil, c.reply(out)
}

// setPaired fills in what a comparison with another arm found.
func setPaired(row *report.Compared, v *eval.Paired) {
	row.Gained, row.Lost, row.Difference, row.CI95, row.CIFamily = v.Gained, v.Lost, v.Difference, v.CI95, v.CIFamily
	row.P, row.Adjusted, row.Exact, row.MidP, row.Detectable, row.Word = v.P, v.Adjusted, v.Exact, v.MidP, v.Detectable, v.Word
}

// samplesList shows the first items that an arm answers differently.
func samplesList(_ context.Context, c *compared) (*report.Part, error) {
	p := &report.Part{Method: "Items whose answer an arm changes, as the model sees them."}
	for a, arm := range c.arms() {
		shown := 0
		for i, e := range c.Examples {
			if a == 0 || shown == c.Most {
				break
			}
			before, after := c.given(0, i), c.given(a, i)
			if before == after {
				continue
			}
			shown++
			p.Samples = append(p.Samples, report.Sample{Title: fmt.Sprintf("%s, item %s", arm.Name, e.ID),
				Text: fmt.Sprintf("%s\n\nright:%s\n%s answers:%s\n%s answers:%s", e.Prompt, rightAnswer(e), c.first(), before, arm.Name, after)})
		}
	}
	return p, nil
}

// given is what an arm answered an item.
func (c *compared) given(arm, i int) string {
	o := c.Outcomes[arm][i]
	switch {
	case o.Parsed:
		return " " + o.Letter
	case o.Scores == nil:
		return " (no answer can be read)"
	}
	return c.Examples[i].Choices[eval.Predict(c.task.Metric, c.Examples[i].Choices, o.Scores)]
}

func rightAnswer(e eval.Example) string {
	if e.Open != nil {
		return " " + e.Target
	}
	return e.Choices[e.Answer]
}

// unparsedTexts shows the first texts of every arm that no answer could be read from.
func unparsedTexts(_ context.Context, c *compared) (*report.Part, error) {
	p := &report.Part{}
	for a, arm := range c.arms() {
		shown := 0
		for i, e := range c.Examples {
			if o := c.Outcomes[a][i]; shown < c.Most && o.Scores == nil && !o.Parsed {
				shown++
				p.Samples = append(p.Samples, report.Sample{Title: fmt.Sprintf("Unparsed: %s, item %s, right is%s", arm.Name, e.ID, rightAnswer(e)), Text: o.Text})
			}
		}
	}
	return p, nil
}
