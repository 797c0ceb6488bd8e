package eval

import "fmt"

// Findings says in sentences what a comparison shows by its primary metric over all examples, and what it cannot show: whether the
// baseline is better than guessing, and for every other arm the difference with its interval, the exact p adjusted for all tests made, and,
// where nothing is shown, the smallest difference that so many items could have shown, or that the baseline leaves no room for one.
func (c *Comparison) Findings(metric string) []string {
	var out []string
	for _, r := range c.Rows {
		if r.Metric != metric || r.Group != GroupAll {
			continue
		}
		if r.Versus == nil {
			out = append(out, baselineFinding(r))
			continue
		}
		out = append(out, r.finding(c.Power))
	}
	return out
}

func baselineFinding(r Row) string {
	s := fmt.Sprintf("%s answers %s of %d items correctly (95 %% interval %s to %s; guessing gives %s).",
		r.Arm, percent(r.Accuracy), r.N, percent(r.CI95[0]), percent(r.CI95[1]), percent(r.Chance))
	if r.AtChance() {
		return s + fmt.Sprintf(" This cannot be told from guessing (one-sided p = %.2g): whatever changes below, it says nothing about reasoning.", r.ChanceP)
	}
	return s + fmt.Sprintf(" This is better than guessing (one-sided p = %.2g).", r.ChanceP)
}

func (r Row) finding(power float64) string {
	v := r.Versus
	items := "items"
	if v.Gained == 1 {
		items = "item"
	}
	s := fmt.Sprintf("%s against %s: %s (95 %% interval %s to %s), %d %s gained and %d lost, McNemar's exact p = %.3g, %.3g after Holm's correction.",
		r.Arm, v.Baseline, points(v.Difference), points(v.CI95[0]), points(v.CI95[1]), v.Gained, items, v.Lost, v.P, v.HolmP)
	switch {
	case v.Gained+v.Lost == 0:
		return s + " Not one answer changed."
	case v.HolmP >= Alpha && v.MinimumDetectable > 1-(r.Accuracy-v.Difference):
		return s + fmt.Sprintf(" No difference is shown. A gain could not have been: %d items show one of %s or more with %.0f %% power, and the baseline leaves %s. Ask harder items.",
			r.N, points(v.MinimumDetectable), 100*power, points(1-(r.Accuracy-v.Difference)))
	case v.HolmP >= Alpha:
		return s + fmt.Sprintf(" No difference is shown; %d items could have shown one of %s or more with %.0f %% power.", r.N, points(v.MinimumDetectable), 100*power)
	case v.Difference > 0:
		return s + " The arm is better."
	}
	return s + " The arm is worse."
}

func percent(x float64) string { return fmt.Sprintf("%.1f %%", 100*x) }

func points(x float64) string { return fmt.Sprintf("%+.1f points", 100*x) }
