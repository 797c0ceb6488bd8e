package eval

import (
	"fmt"

	"github.com/attune-lab/attune/pkg/stats"
)

// Findings says in one sentence each what a comparison shows by a metric, and what it cannot show: for all examples and then for every
// tested group, whether the baseline is better than guessing, every other arm against the baseline and against its controls, by
// [stats.Paired.Finding]; and last the interactions.
func (c *Comparison) Findings(metric string) []string {
	var out []string
	for _, r := range c.Rows {
		if r.Metric != metric || r.Versus != nil && r.Versus.Family == 0 {
			continue
		}
		on := ""
		if r.Group != GroupAll {
			on = r.Group + ": "
		}
		switch {
		case r.Versus != nil:
			out = append(out, on+r.finding(*r.Versus, c.Margin))
		case c.tested(r):
			out = append(out, on+baselineFinding(r))
		}
		for _, control := range r.Controls {
			out = append(out, on+r.finding(control, c.Margin))
		}
	}
	for _, i := range c.Interactions {
		if i.Metric == metric {
			out = append(out, i.finding())
		}
	}
	return out
}

// tested reports whether a baseline's group belongs to the family: with other arms, whether they are compared there.
func (c *Comparison) tested(baseline Row) bool {
	for _, r := range c.Rows {
		if r.Metric == baseline.Metric && r.Group == baseline.Group && r.Versus != nil {
			return r.Versus.Family > 0
		}
	}
	return baseline.Group == GroupAll
}

func baselineFinding(r Row) string {
	s := fmt.Sprintf("%s answers %s of %d items correctly (95 %% interval %s to %s", r.Arm, percent(r.Accuracy), r.N, percent(r.CI95.Low), percent(r.CI95.High))
	if r.Chance > 0 {
		s += fmt.Sprintf("; guessing gives %s", percent(r.Chance))
	}
	s += ")."
	if r.Tied > 0 {
		s += fmt.Sprintf(" On %d of them several options tie; on %d all do, which counts as guessing.", r.Tied, r.Undecided)
	}
	if r.Unparsed > 0 {
		s += fmt.Sprintf(" %d answers could not be read and count as wrong.", r.Unparsed)
	}
	if r.Chance == 0 { // open answers
		return s
	}
	if r.AtChance() {
		return s + fmt.Sprintf(" This cannot be told from guessing (one-sided p = %.2g): whatever changes below, it says nothing about reasoning.", r.ChanceP)
	}
	return s + fmt.Sprintf(" This is better than guessing (one-sided p = %.2g).", r.ChanceP)
}

func (r Row) finding(v Paired, margin float64) string {
	s := v.Finding(r.Arm, v.Baseline, margin)
	if room := 1 - (r.Accuracy - v.Difference); v.Judge(margin) == stats.NotShown && v.Detectable > room {
		s += fmt.Sprintf(" A gain of that size is impossible here: %s is wrong on %.1f %% of the items only. Use harder ones.", v.Baseline, 100*room)
	}
	if r.Unparsed > 0 {
		s += fmt.Sprintf(" %d answers of %s could not be read and count as wrong.", r.Unparsed, r.Arm)
	}
	return s
}

func (i Interaction) finding() string {
	s := fmt.Sprintf("%s changes %s items by %s more than %s items (95 %% interval %s to %s), p = %.3g", i.Arm, i.Group, points(i.Difference), i.Against, points(i.CI95.Low), points(i.CI95.High), i.P)
	if i.Family > 1 {
		s += fmt.Sprintf(", %.3g after Holm's correction over %d arms", i.Adjusted, i.Family)
	}
	if i.Adjusted < stats.Alpha {
		return s + ": its effect differs between the groups."
	}
	return s + ": no difference between the groups is shown."
}

func percent(x float64) string { return fmt.Sprintf("%.1f %%", 100*x) }

func points(x float64) string { return fmt.Sprintf("%+.1f points", 100*x) }
