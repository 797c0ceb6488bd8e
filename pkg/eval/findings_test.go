package eval

import (
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/stats"
)

func TestFindingsDoNotDressUp(t *testing.T) {
	base := Row{Metric: "acc", Group: GroupAll, Arm: "baseline", N: 100, Accuracy: 0.33, CI95: stats.Interval{Low: 0.25, High: 0.43}, Chance: 1.0 / 3, ChanceP: 0.6}
	family := stats.Family([]stats.Counts{{N: 100}, {Gained: 5, Lost: 3, N: 100}, {Gained: 20, Lost: 2, N: 100}, {Gained: 1, Lost: 19, N: 100}, {Gained: 0, Lost: 1, N: 100}})
	arm := func(i int, name string, accuracy float64) Row {
		return Row{Metric: "acc", Group: GroupAll, Arm: name, N: 100, Accuracy: accuracy, Versus: &Paired{Baseline: "baseline", Paired: family[i]}}
	}
	c := &Comparison{Margin: stats.Margin, Rows: []Row{base, arm(0, "same", 0.33), arm(1, "unsure", 0.35), arm(2, "better", 0.51), arm(3, "worse", 0.15), arm(4, "ceiling", 0.96),
		{Metric: "acc_norm", Group: GroupAll, Arm: "other metric"},
		{Metric: "acc", Group: "STEM", Arm: "baseline"}, {Metric: "acc", Group: "STEM", Arm: "same", Versus: &Paired{Baseline: "baseline", Paired: family[0]}},
		{Metric: "acc", Group: "domain:anatomy", Arm: "baseline"}, {Metric: "acc", Group: "domain:anatomy", Arm: "same", Versus: &Paired{Baseline: "baseline", Paired: stats.Outside(stats.Clusters{Counts: stats.Counts{N: 10}})}}}}
	got := c.Findings("acc")
	want := [][]string{
		{"33.0 %", "100 items", "guessing gives 33.3 %", "cannot be told from guessing", "nothing about reasoning"},
		{"same against baseline: +0.0 points", "0 items gained and 0 lost of 100", "not shown"},
		{"+2.0 points", "5 items gained and 3 lost", "after Holm's correction", "100 items could have shown", "not shown."},
		{"for all 5 comparisons together", ": better."},
		{"-18.0 points", "1 item gained and 19 lost", ": worse."},
		{": not shown. A gain of that size is impossible here: baseline is wrong on 3.0 % of the items only"},
		{"STEM: baseline answers"},
		{"STEM: same against baseline"},
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

func TestAllOptionsTiedScoresGuessing(t *testing.T) {
	task, _, _ := testTask(t, 0)
	c := mustCompare(t, task, []Arm{{Name: "first", Answer: first}, {Name: "tied", Answer: alike}}, Options{})
	row, _ := c.Row(Acc, GroupAll, "tied")
	if !near(row.Accuracy, 0.25, 1e-12) || row.Undecided != row.N || row.Tied != row.N || row.Correct != 0 || !row.AtChance() {
		t.Errorf("all options tied: %+v, expected a quarter and %d undecided", row, row.N)
	}
	if row.Versus.N != 0 || row.Versus.P != 1 || row.Versus.Word != string(stats.TooFew) {
		t.Errorf("undecided examples are in the paired test: %+v", row.Versus)
	}
	letters := 0
	for _, e := range task.Examples {
		if e.Answer == 0 {
			letters++
		}
	}
	if row, _ := c.Row(Acc, GroupAll, "first"); row.Correct != letters || row.Tied != 0 || row.FirstMaximum != row.Accuracy {
		t.Errorf("always the first option: %d right, expected the %d whose answer is A", row.Correct, letters)
	}
	if row.FirstMaximum != float64(letters)/float64(row.N) {
		t.Errorf("the harness' accuracy of tied options is %v, expected the share of A", row.FirstMaximum)
	}
	if s := row.String(); !strings.Contains(s, "400 tied (400 undecided)") && !strings.Contains(s, "tied (") {
		t.Errorf("ties are not printed: %s", s)
	}
}

// TestTiesAreBrokenByTheItemNotByTheOrder: of two options that tie before a third, each is taken about as often, and by every arm alike.
func TestTiesAreBrokenByTheItemNotByTheOrder(t *testing.T) {
	right, n := 0, 2000
	for i := range n {
		e := Example{ID: string(rune(i)), Prompt: "p", Choices: []string{" a", " b", " c"}, Answer: 0}
		v := Judge(Acc, e, []float64{-1, -1, -2})
		if !v.Tied || v.Undecided || v != Judge(Acc, e, []float64{-7, -7, -9}) {
			t.Fatalf("%+v", v)
		}
		if v.Right {
			right++
		}
	}
	if right < n*9/20 || right > n*11/20 {
		t.Errorf("the first of two tied options is taken in %d of %d examples", right, n)
	}
	if v := Judge(Acc, Example{Choices: []string{" a", " b"}, Answer: 1}, []float64{-3, -1}); v != (Verdict{Right: true, Worth: 1}) {
		t.Errorf("%+v", v)
	}
}

// TestControlsInteractionsAndClustersAreJudged on outcomes made by hand: the arm gains on non-STEM examples only, its control nothing.
func TestControlsInteractionsAndClustersAreJudged(t *testing.T) {
	task := &Task{Name: "hand", TemplateHash: "0123456789", Metric: Acc, Metrics: []string{Acc}}
	gains := map[string]bool{}
	for i := range 200 {
		e := Example{ID: string(rune('a' + i)), Domain: "d", Group: GroupNonSTEM, Prompt: "p", Choices: []string{" x", " y"}, Answer: i % 2, Cluster: string(rune('a' + i/2))}
		if i >= 100 {
			e.Group = GroupSTEM
		}
		task.Examples = append(task.Examples, e)
		gains[e.ID] = i < 100 && i%4 < 2
	}
	c := mustCompare(t, task, []Arm{{Name: "base", Answer: told("none", nil)}, {Name: "control", Answer: told("zz", nil)}, {Name: "second", Answer: told("same", gains)}, {Name: "arm", Answer: told("gains", gains)}},
		Options{Controls: map[string][]string{"arm": {"control", "second"}}, Seed: 1})
	if c.Family != 3*(3+2) { // all and two groups; three arms against the first, one against its two controls
		t.Errorf("a family of %d, expected 15", c.Family)
	}
	row, _ := c.Row(Acc, GroupNonSTEM, "arm")
	if len(row.Controls) != 2 || row.Controls[0].Baseline != "control" || row.Controls[0].Gained != 50 || row.Controls[0].Word != "better" || row.Versus.Word != "better" {
		t.Errorf("against the controls: %+v", row.Controls)
	}
	if second := row.Controls[1]; second.Baseline != "second" || second.Gained+second.Lost != 0 || second.Word != "not shown" {
		t.Errorf("against a control that answers the same: %+v", second)
	}
	if cl := row.Versus.Clustered; cl == nil || !cl.Decides || cl.Clusters != 50 || cl.DesignEffect < 1.9 {
		t.Errorf("pairs of examples that change together: %+v", cl)
	}
	if len(c.Interactions) != 3 || c.Interactions[0].P != 1 || c.Interactions[2].Arm != "arm" || c.Interactions[2].Adjusted > 0.01 || c.Interactions[2].Difference != 0.5 {
		t.Errorf("interactions %+v", c.Interactions)
	}
	text := strings.Join(c.Findings(Acc), "\n")
	for _, part := range []string{"arm against control:", "arm against second:", "arm changes non-STEM items by +50.0 points more than STEM items", "its effect differs between the groups", "control changes", "in 100 clusters"} {
		if !strings.Contains(text, part) {
			t.Errorf("the findings do not say %q:\n%s", part, text)
		}
	}
}

func TestMMLUHas57SubjectsInFourCategories(t *testing.T) {
	counts := map[string]int{}
	for _, category := range MMLUCategories {
		counts[category]++
	}
	if len(MMLUCategories) != 57 || counts[CategorySTEM] != 18 || counts[CategoryHumanities] != 13 || counts[CategorySocialSciences] != 12 || counts[CategoryOther] != 14 {
		t.Errorf("%d subjects: %v", len(MMLUCategories), counts)
	}
	task := &Task{Name: "mmlu", Metrics: []string{Acc}}
	for _, domain := range []string{"anatomy", "virology", "sociology", "astronomy", "philosophy"} {
		task.Examples = append(task.Examples, Example{ID: domain, Domain: domain, Group: GroupSTEM})
	}
	groups, err := groupsOf(task, GroupsCategories)
	if err != nil || len(groups) != 5 || groups[1].name != "category:other" || len(groups[1].places) != 2 || !groups[4].tested {
		t.Errorf("%+v, %v", groups, err)
	}
}
