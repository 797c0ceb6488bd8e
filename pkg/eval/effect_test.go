package eval

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/emulate/apply"
	"github.com/attune-lab/attune/pkg/stats"
)

// TestAKnownEffectIsShownAndItsControlIsNot: the embedded model answers easy items of the generator. Without any attention beyond the own
// position it can only guess, which 30 items show; with a gain of a thousandth nothing changes.
func TestAKnownEffectIsShownAndItsControlIsNot(t *testing.T) {
	task := mustLoad(t, Generated+":easy", 30, TaskOptions{Seed: 1})
	blind := emulate.Plan{{Alpha: -1, Mask: emulate.MaskAll, Schedule: emulate.ScheduleConstant}}
	still := emulate.Plan{{Alpha: 0.001, Tau: 0.01}}
	c, err := Compare(context.Background(), task, []Arm{{Name: "untouched"}, {Name: "still", Plan: still}, {Name: "blind", Plan: blind}},
		Options{Runner: tinyRunner(t), Controls: map[string][]string{"blind": {"still"}}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	base, _ := c.Row(Acc, GroupAll, "untouched")
	gone, _ := c.Row(Acc, GroupAll, "blind")
	same, _ := c.Row(Acc, GroupAll, "still")
	if base.AtChance() || base.Accuracy < 0.8 {
		t.Fatalf("the embedded model answers %.2f of easy items", base.Accuracy)
	}
	if gone.Versus.Word != "worse" || gone.Controls[0].Word != "worse" || gone.Versus.CI95.High >= 0 || !gone.AtChance() {
		t.Errorf("without attention: %s; %+v", gone, gone.Controls)
	}
	if same.Versus.Gained+same.Versus.Lost != 0 || same.Versus.Word != "not shown" || !same.Versus.CI95.Contains(0) {
		t.Errorf("a gain of a thousandth: %s", same)
	}
	for _, i := range c.Interactions {
		if i.Arm == "blind" && i.Adjusted < 0.05 {
			t.Errorf("guessing everywhere is no interaction: %+v", i)
		}
	}
	if text := strings.Join(c.Findings(Acc), "\n"); !strings.Contains(text, "blind against still") {
		t.Errorf("no finding against the control:\n%s", text)
	}
}

// TestADamageToOneGroupIsAnInteraction: without attention to digits the embedded model cannot compute, and still knows words: items outside STEM keep more of their
// accuracy than STEM ones.
func TestADamageToOneGroupIsAnInteraction(t *testing.T) {
	task := mustLoad(t, Generated+":easy", 60, TaskOptions{Seed: 2})
	runner := tinyRunner(t)
	r, err := runner()
	if err != nil {
		t.Fatal(err)
	}
	digits, err := apply.Resolve(emulate.Plan{{Alpha: -1, Schedule: emulate.ScheduleConstant, Mask: emulate.MaskKeys, Classes: []string{"digit"}, Diagonal: true, Renormalise: emulate.RenormaliseRow}}, r.Model().Tokenizer)
	if err != nil {
		t.Fatal(err)
	}
	still := emulate.Plan{{Alpha: 0.001, Tau: 0.01}}
	c, err := Compare(context.Background(), task, []Arm{{Name: "untouched"}, {Name: "without digits", Plan: digits}, {Name: "still", Plan: still}}, Options{Runner: runner, Seed: 1, Margin: 0.1})
	if err != nil {
		t.Fatal(err)
	}
	damage, none := c.Interactions[0], c.Interactions[1]
	if damage.Arm != "without digits" || damage.Group != GroupNonSTEM || damage.Difference < 0.2 || damage.CI95.Low <= 0 || damage.Adjusted > 0.02 {
		t.Errorf("without digits: %+v", damage)
	}
	if none.Difference != 0 || none.Adjusted != 1 || !none.CI95.Contains(0) {
		t.Errorf("a gain of a thousandth: %+v", none)
	}
	all, _ := c.Row(Acc, GroupAll, "without digits")
	stem, _ := c.Row(Acc, GroupSTEM, "without digits")
	if all.Versus.Word != "worse" || stem.Versus.Word != "worse" || stem.Versus.Difference >= all.Versus.Difference {
		t.Errorf("without digits: %s; %s", all, stem)
	}
	if same, _ := c.Row(Acc, GroupAll, "still"); same.Versus.Word != "equivalent within 10 points" {
		t.Errorf("a gain of a thousandth is %q", same.Versus.Word)
	}
}

// TestRowsOfSimulatedEffects draws comparisons of which the truth is known, 150 items in each group: an arm that gains 12 points outside STEM and nothing in STEM, its
// control that changes as many answers to no effect, and an arm that changes next to nothing. Versus, control and interaction intervals hold the truth in about 95 % of them, what
// is called better or an interaction has the right sign, and what changes nothing is equivalent.
func TestRowsOfSimulatedEffects(t *testing.T) {
	random := rand.New(rand.NewPCG(15, 15))
	const runs, half, effect = 300, 150, 0.12
	task := &Task{Name: "drawn", TemplateHash: "0123456789", Metric: Acc, Metrics: []string{Acc}}
	for i := range 2 * half {
		group := GroupNonSTEM
		if i >= half {
			group = GroupSTEM
		}
		task.Examples = append(task.Examples, Example{ID: fmt.Sprint(i), Domain: "d", Group: group, Prompt: "p", Choices: []string{" x", " y"}, Answer: i % 2})
	}
	arms := []Arm{{Name: "base", Answer: told("base", nil)}, {Name: "arm", Answer: told("arm", nil)}, {Name: "control", Answer: told("control", nil)}, {Name: "still", Answer: told("still", nil)}}
	// Of answers that are wrong in the base so many become right, and of right ones so many wrong, by arm; the base is right on half.
	gains := [][2]float64{{0, 0}, {0.20, 0.20}, {0.20, 0.20}, {0.004, 0.004}}
	outcome := func(e Example, right bool) Outcome {
		scores := []float64{-1, -1}
		scores[e.Answer] = -2
		if right {
			scores[e.Answer] = -0.5
		}
		return Outcome{Scores: scores}
	}
	covered, rejected, equivalent := map[string]int{}, map[string]int{}, 0
	for range runs {
		answers := make([][]Outcome, len(arms))
		for _, e := range task.Examples {
			base := random.Float64() < 0.5
			for a := range arms {
				gained, lost := gains[a][0], gains[a][1]
				if arms[a].Name == "arm" && e.Group == GroupNonSTEM {
					gained, lost = gained+effect, lost-effect // effect/2 more right, effect/2 fewer wrong
				}
				right := base
				if draw := random.Float64(); base && draw < lost || !base && draw < gained {
					right = !base
				}
				answers[a] = append(answers[a], outcome(e, right))
			}
		}
		c, err := summarise(task, arms, answers, Options{Controls: map[string][]string{"arm": {"control"}}, Margin: 0.05})
		if err != nil {
			t.Fatal(err)
		}
		count := func(what string, ci stats.Interval, truth, difference, adjusted float64) {
			if ci.Contains(truth) {
				covered[what]++
			}
			if adjusted < stats.Alpha {
				rejected[what]++
				if difference*truth < 0 {
					rejected["wrong sign, "+what]++
				}
			}
		}
		row := func(group, arm string) Row { r, _ := c.Row(Acc, group, arm); return r }
		arm, nonSTEM := row(GroupAll, "arm"), row(GroupNonSTEM, "arm")
		count("all", arm.Versus.CI95, effect/2, arm.Versus.Difference, arm.Versus.Adjusted)
		count("outside STEM", nonSTEM.Versus.CI95, effect, nonSTEM.Versus.Difference, nonSTEM.Versus.Adjusted)
		count("against the control", nonSTEM.Controls[0].CI95, effect, nonSTEM.Controls[0].Difference, nonSTEM.Controls[0].Adjusted)
		interaction := c.Interactions[0]
		count("interaction", interaction.CI95, effect, interaction.Difference, interaction.Adjusted)
		control := row(GroupAll, "control")
		count("nothing", control.Versus.CI95, 0, control.Versus.Difference, control.Versus.Adjusted)
		if row(GroupAll, "still").Versus.Word == "equivalent within 5 points" {
			equivalent++
		}
	}
	for _, what := range []string{"all", "outside STEM", "against the control", "interaction", "nothing"} {
		if share := float64(covered[what]) / runs; share < 0.92 || share > 0.985 { // 95 % and 3 standard errors
			t.Errorf("%s: the 95 %% interval holds the truth in %.1f %% of %d runs", what, 100*share, runs)
		}
		if n := rejected["wrong sign, "+what]; n > runs/200 {
			t.Errorf("%s: %d of %d runs show the wrong sign", what, n, runs)
		}
	}
	if rejected["nothing"] > runs/20 || rejected["outside STEM"] < runs/4 || rejected["outside STEM"] <= rejected["all"] {
		t.Errorf("effects that are shown, of %d runs: %v", runs, rejected)
	}
	if equivalent < runs*9/10 {
		t.Errorf("what changes 0.4 %% of answers is shown to be equivalent within 5 points in %d of %d runs", equivalent, runs)
	}
	t.Logf("covered %v, shown %v, equivalent %d of %d", covered, rejected, equivalent, runs)
}
