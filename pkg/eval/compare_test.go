package eval

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/stats"
)

func near(a, b, relative float64) bool {
	return a == b || math.Abs(a-b) <= relative*max(math.Abs(a), math.Abs(b))
}

// bigrams is a real, tiny language model: P(byte | byte before), add-one smoothed, learned from a text. Like a padded batch on
// a device, its scores depend on the batch in the last digits: that is what a resumed run must not show.
type bigrams struct {
	counts [256][256]float64
	totals [256]float64
	gain   float64 // an "intervention": the log-probabilities of letters are scaled by it
	calls  *int    // batches scored so far
	stop   func(calls int)
}

func newBigrams(text string, gain float64) *bigrams {
	m := &bigrams{gain: gain, calls: new(int)}
	for i := 1; i < len(text); i++ {
		m.counts[text[i-1]][text[i]]++
		m.totals[text[i-1]]++
	}
	return m
}

func (m *bigrams) Score(ctx context.Context, examples []Example) ([][]float64, error) {
	*m.calls++
	if m.stop != nil {
		m.stop(*m.calls)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	scores := make([][]float64, len(examples))
	for i, e := range examples {
		for _, choice := range e.Choices {
			before, sum := e.Prompt[len(e.Prompt)-1], 0.0
			for _, b := range []byte(choice) {
				sum += m.gain * math.Log((m.counts[before][b]+1)/(m.totals[before]+256))
				before = b
			}
			// Which byte follows the prompt's first letters decides nothing, but varies between examples.
			sum += 1e-3 * float64((len(e.Prompt)*31+int(choice[len(choice)-1])*17)%101)
			scores[i] = append(scores[i], sum+1e-9*float64(len(examples)))
		}
	}
	return scores, nil
}

func testTask(t *testing.T, limit int) (*Task, []Arm) {
	t.Helper()
	task := mustLoad(t, Generated, limit, TaskOptions{})
	var text strings.Builder
	for _, e := range task.Examples {
		text.WriteString(e.Prompt + e.Choices[e.Answer] + "\n")
	}
	return task, []Arm{
		{Name: "baseline", SpecHash: "0", Scorer: newBigrams(text.String(), 1)},
		{Name: "half", SpecHash: "1", Scorer: newBigrams(text.String(), 0.5)},
		{Name: "none", SpecHash: "2", Scorer: newBigrams(text.String(), 0)},
	}
}

func mustCompare(t *testing.T, task *Task, arms []Arm, o CompareOptions) *Comparison {
	t.Helper()
	c, err := Compare(context.Background(), task, arms, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCompareCountsByHand(t *testing.T) {
	task := &Task{Name: "hand", TemplateHash: "0123456789", Metric: Acc, Metrics: []string{Acc}}
	var base, arm fixed
	for i, outcome := range []string{"++", "++", "++", "+-", "-+", "-+", "-+", "--"} {
		e := Example{ID: string(rune('a' + i)), Domain: "d", Group: GroupSTEM, Prompt: "p", Choices: []string{" x", " y"}, Answer: i % 2}
		if i >= 4 {
			e.Group = GroupNonSTEM
		}
		task.Examples = append(task.Examples, e)
		base = append(base, outcome[0] == '+')
		arm = append(arm, outcome[1] == '+')
	}
	var seen []int
	c := mustCompare(t, task, []Arm{{"base", "", base}, {"arm", "x", arm}}, CompareOptions{
		BatchSize: 3, Progress: func(done, total int) {
			if total != 16 {
				t.Errorf("progress of %d, expected 16", total)
			}
			seen = append(seen, done)
		},
	})
	if want := []int{3, 6, 9, 12, 14, 16}; !slices.Equal(seen, want) {
		t.Errorf("progress %v, expected %v", seen, want)
	}
	row, found := c.Row(Acc, GroupAll, "arm")
	if !found || row.Name != "hand@01234567/acc/all/arm" || row.N != 8 || row.Correct != 6 || row.Accuracy != 0.75 || row.Chance != 0.5 {
		t.Errorf("row %+v", row)
	}
	v := row.Versus
	if v == nil || v.Gained != 3 || v.Lost != 1 || v.Difference != 0.25 || !near(v.Exact, 0.625, 1e-12) || !near(v.P, 0.3173, 1e-3) || v.Baseline != "base" { // exact 2 (1 + 4) / 16; z = 1
		t.Fatalf("paired %+v", v)
	}
	if v.CI95.Low > 0 || v.CI95.High < 0.5 || v.Family != 3 || v.Word != "not shown" || c.Family != 3 {
		t.Errorf("paired %+v in a family of %d", v, c.Family)
	}
	if row, _ := c.Row(Acc, GroupNonSTEM, "arm"); row.N != 4 || row.Versus.Gained != 3 || row.Versus.Lost != 0 || !near(row.Versus.Exact, 0.25, 1e-12) || !near(row.Versus.Adjusted, 3*0.08326, 1e-3) {
		t.Errorf("non-STEM row %+v, paired %+v", row, row.Versus)
	}
	if row, _ := c.Row(Acc, GroupAll, "base"); row.Versus != nil || !row.AtChance() || !strings.Contains(row.String(), "not distinguishable from chance") {
		t.Errorf("baseline %s", row)
	}
}

// fixed answers example i (its id counts from "a") rightly or wrongly as told.
type fixed []bool

func (f fixed) Score(_ context.Context, examples []Example) ([][]float64, error) {
	scores := make([][]float64, len(examples))
	for i, e := range examples {
		scores[i] = []float64{-1, -1}
		chosen := e.Answer
		if !f[e.ID[0]-'a'] {
			chosen = 1 - e.Answer
		}
		scores[i][chosen] = -0.5
	}
	return scores, nil
}

func TestPredict(t *testing.T) {
	tests := []struct {
		metric  string
		choices []string
		scores  []float64
		want    int
	}{
		{Acc, []string{" a", " b", " c"}, []float64{-3, -1, -2}, 1},
		{Acc, []string{" a", " b"}, []float64{-1, -1}, 0},             // the first among equals
		{AccNorm, []string{" ab", " abcdefgh"}, []float64{-2, -4}, 1}, // -1 and -0.5 per character
		{AccNorm, []string{" abcd", " äöüß"}, []float64{-4, -3.9}, 1}, // characters, not bytes: -1 and -0.975
		{AccNorm, []string{" abcd", " abcde"}, []float64{-4, -5}, 0},  // the space does not count: -1 and -1
		{Acc, []string{" ab", " abcdefgh"}, []float64{-2, -4}, 0},
	}
	for _, test := range tests {
		if got := Predict(test.metric, test.choices, test.scores); got != test.want {
			t.Errorf("%s of %q with %v: choice %d, expected %d", test.metric, test.choices, test.scores, got, test.want)
		}
	}
}

func TestAKilledRunGoesOnAndGivesTheSameNumbers(t *testing.T) {
	task, arms := testTask(t, 150)
	want := mustCompare(t, task, arms, CompareOptions{BatchSize: 8})

	o := CompareOptions{BatchSize: 8, Journal: filepath.Join(t.TempDir(), "journal.jsonl"), Provenance: "model"}
	batchesPerArm := (150 + 7) / 8
	done := 0
	for _, killAt := range []int{4, 11} {
		task, arms := testTask(t, 150)
		ctx, cancel := context.WithCancel(context.Background())
		arms[1].Scorer.(*bigrams).stop = func(calls int) {
			if calls == killAt {
				cancel() // in the middle of a batch: the first arm has scored it, the second has not
			}
		}
		_, err := Compare(ctx, task, arms, o)
		if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "same journal") {
			t.Fatalf("killed run: error %v", err)
		}
		done += *arms[1].Scorer.(*bigrams).calls - 1
	}
	task, arms = testTask(t, 150)
	got := mustCompare(t, task, arms, o)
	if !reflect.DeepEqual(got, want) {
		t.Error("the resumed run differs from the uninterrupted one")
	}
	if calls := *arms[1].Scorer.(*bigrams).calls; calls != batchesPerArm-done {
		t.Errorf("the resumed run scored %d batches, expected the %d that were missing", calls, batchesPerArm-done)
	}

	task, arms = testTask(t, 150)
	if got := mustCompare(t, task, arms, o); !reflect.DeepEqual(got, want) || *arms[0].Scorer.(*bigrams).calls != 0 {
		t.Error("a complete journal must give the same comparison without scoring")
	}
}

func TestATornBatchIsScoredAgainAsAWhole(t *testing.T) {
	task, arms := testTask(t, 40)
	want := mustCompare(t, task, arms, CompareOptions{BatchSize: 8})
	o := CompareOptions{BatchSize: 8, Journal: filepath.Join(t.TempDir(), "journal.jsonl"), Provenance: "model"}
	mustCompare(t, task, arms, o)
	tear(t, o.Journal, 300) // a few entries of the last batch
	task, arms = testTask(t, 40)
	if got := mustCompare(t, task, arms, o); !reflect.DeepEqual(got, want) {
		t.Error("the run on a torn journal differs")
	}
	if calls := *arms[2].Scorer.(*bigrams).calls; calls != 1 {
		t.Errorf("%d batches scored, expected the torn one", calls)
	}
}

func TestTheJournalIsKeyedByAllThatMatters(t *testing.T) {
	journal := filepath.Join(t.TempDir(), "journal.jsonl")
	run := func(change func(*Task, []Arm, *CompareOptions)) int {
		task, arms := testTask(t, 16)
		o := CompareOptions{BatchSize: 8, Journal: journal, Provenance: "model"}
		change(task, arms, &o)
		mustCompare(t, task, arms[:1], o)
		return *arms[0].Scorer.(*bigrams).calls
	}
	tests := []struct {
		name   string
		change func(*Task, []Arm, *CompareOptions)
		calls  int
	}{
		{"first run", func(*Task, []Arm, *CompareOptions) {}, 2},
		{"nothing", func(*Task, []Arm, *CompareOptions) {}, 0},
		{"the arm's name only", func(_ *Task, arms []Arm, _ *CompareOptions) { arms[0].Name = "renamed" }, 0},
		{"bootstrap seed", func(_ *Task, _ []Arm, o *CompareOptions) { o.Seed = 5 }, 0},
		{"provenance", func(_ *Task, _ []Arm, o *CompareOptions) { o.Provenance = "other model" }, 2},
		{"spec", func(_ *Task, arms []Arm, _ *CompareOptions) { arms[0].SpecHash = "9" }, 2},
		{"template", func(task *Task, _ []Arm, _ *CompareOptions) { task.TemplateHash = "9" }, 2},
		{"task", func(task *Task, _ []Arm, _ *CompareOptions) { task.Name = "9" }, 2},
		{"batch size", func(_ *Task, _ []Arm, o *CompareOptions) { o.BatchSize = 16 }, 1},
		{"one answer", func(task *Task, _ []Arm, _ *CompareOptions) {
			task.Examples[3].Answer = (task.Examples[3].Answer + 1) % 4
		}, 1},
	}
	for _, test := range tests {
		if calls := run(test.change); calls != test.calls {
			t.Errorf("%s changed: %d batches scored, expected %d", test.name, calls, test.calls)
		}
	}
}

func TestDomainsAreRowsWhenAsked(t *testing.T) {
	task, arms := testTask(t, 0)
	c := mustCompare(t, task, arms, CompareOptions{Groups: GroupsSubjects})
	if want := 3 * (1 + 2 + 10); len(c.Rows) != want || c.Family != 2*3 {
		t.Errorf("%d rows and a family of %d, expected %d and 6", len(c.Rows), c.Family, want)
	}
	if row, found := c.Row(Acc, "domain:logic", "half"); !found || row.N != 80 || row.Versus.Family != 0 || row.Versus.Word != "" || row.Versus.CI95 != stats.PairedScore(row.Versus.Counts) {
		t.Errorf("logic: %+v", row)
	}
}

// broken breaks a scorer's contract.
type broken func([]Example) [][]float64

func (b broken) Score(_ context.Context, examples []Example) ([][]float64, error) {
	return b(examples), nil
}

func TestBrokenScorersAndArmsAreRefused(t *testing.T) {
	full := func(value float64) broken {
		return func(examples []Example) [][]float64 {
			scores := make([][]float64, len(examples))
			for i := range scores {
				scores[i] = []float64{-1, value, -1, -1}
			}
			return scores
		}
	}
	good := full(-2)
	tests := []struct {
		name string
		arms []Arm
		o    CompareOptions
		want string
	}{
		{"no arms", nil, CompareOptions{}, "no arms"},
		{"too few results", []Arm{{"a", "", broken(func([]Example) [][]float64 { return nil })}}, CompareOptions{}, "0 results"},
		{"too few scores", []Arm{{"a", "", broken(func(e []Example) [][]float64 { return make([][]float64, len(e)) })}}, CompareOptions{}, "0 scores for 4 choices"},
		{"NaN", []Arm{{"a", "", full(math.NaN())}}, CompareOptions{}, "arm a: example"},
		{"infinite", []Arm{{"a", "", full(math.Inf(-1))}}, CompareOptions{}, "-Inf"},
		{"no scorer", []Arm{{"a", "", nil}}, CompareOptions{}, "needs a name and a scorer"},
		{"one name twice", []Arm{{"a", "1", good}, {"a", "2", good}}, CompareOptions{}, "same name"},
		{"one spec twice", []Arm{{"a", "1", good}, {"b", "1", good}}, CompareOptions{}, "spec hash"},
		{"journal without provenance", []Arm{{"a", "", good}}, CompareOptions{Journal: filepath.Join(t.TempDir(), "j")}, "provenance"},
		{"impossible margin", []Arm{{"a", "", good}}, CompareOptions{Margin: 2}, "margin 2"},
		{"unknown control", []Arm{{"a", "", good}, {"b", "1", good}}, CompareOptions{Controls: map[string]string{"b": "c"}}, `"c" is the control of "b"`},
		{"unknown groups", []Arm{{"a", "", good}}, CompareOptions{Groups: "halves"}, `groups "halves"`},
		{"categories of other tasks", []Arm{{"a", "", good}}, CompareOptions{Groups: GroupsCategories}, "no subject of MMLU"},
	}
	task, _ := testTask(t, 10)
	for _, test := range tests {
		if _, err := Compare(context.Background(), task, test.arms, test.o); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, expected one with %q", test.name, err, test.want)
		}
	}
}
