package eval

import (
	"context"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/emulate"
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
