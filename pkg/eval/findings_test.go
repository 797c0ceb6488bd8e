package eval

import (
	"strings"
	"testing"
)

func TestFindingsDoNotDressUp(t *testing.T) {
	base := Row{Metric: "acc", Group: GroupAll, Arm: "baseline", N: 100, Accuracy: 0.33, CI95: [2]float64{0.25, 0.43}, Chance: 1.0 / 3, ChanceP: 0.6}
	arm := func(name string, gained, lost int, holm float64) Row {
		return Row{Metric: "acc", Group: GroupAll, Arm: name, N: 100, Versus: &Paired{Baseline: "baseline", Difference: float64(gained-lost) / 100,
			Gained: gained, Lost: lost, P: holm / 2, HolmP: holm, MinimumDetectable: 0.089}}
	}
	c := &Comparison{Power: 0.8, Rows: []Row{base, arm("same", 0, 0, 1), arm("unsure", 5, 3, 0.9), arm("better", 20, 2, 0.001), arm("worse", 1, 19, 0.001),
		{Metric: "acc", Group: GroupAll, Arm: "ceiling", N: 100, Accuracy: 0.96, Versus: &Paired{Difference: -0.01, Gained: 0, Lost: 1, P: 1, HolmP: 1, MinimumDetectable: 0.089}},
		{Metric: "acc_norm", Group: GroupAll, Arm: "other metric"}, {Metric: "acc", Group: "STEM", Arm: "other group"}}}
	got := c.Findings("acc")
	want := [][]string{
		{"33.0 %", "100 items", "guessing gives 33.3 %", "cannot be told from guessing", "nothing about reasoning"},
		{"Not one answer changed"},
		{"+2.0 points", "5 items gained and 3 lost", "No difference is shown", "+8.9 points"},
		{"The arm is better"},
		{"-18.0 points", "1 item gained and 19 lost", "The arm is worse"},
		{"No difference is shown. A gain could not have been", "one of +8.9 points or more", "the baseline leaves +3.0 points"},
	}
	if len(got) != len(want) {
		t.Fatalf("%d findings, expected %d: %q", len(got), len(want), got)
	}
	for i, parts := range want {
		for _, p := range parts {
			if !strings.Contains(got[i], p) {
				t.Errorf("finding %d does not say %q: %s", i, p, got[i])
			}
		}
	}
}
