package eval

import (
	"context"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/stats"
	"github.com/attune-lab/attune/pkg/store"
)

func near(a, b, relative float64) bool {
	return a == b || math.Abs(a-b) <= relative*max(math.Abs(a), math.Abs(b))
}

func TestCompareCountsByHand(t *testing.T) {
	task := &Task{Name: "hand", TemplateHash: "0123456789", Metric: Acc, Metrics: []string{Acc}}
	base, arm := map[string]bool{}, map[string]bool{}
	for i, outcome := range []string{"++", "++", "++", "+-", "-+", "-+", "-+", "--"} {
		e := Example{ID: string(rune('a' + i)), Domain: "d", Group: GroupSTEM, Prompt: "p", Choices: []string{" x", " y"}, Answer: i % 2}
		if i >= 4 {
			e.Group = GroupNonSTEM
		}
		task.Examples = append(task.Examples, e)
		base[e.ID], arm[e.ID] = outcome[0] == '+', outcome[1] == '+'
	}
	var last engine.Progress
	c := mustCompare(t, task, []Arm{{Name: "base", Answer: told("base", base)}, {Name: "arm", Answer: told("arm", arm)}}, Options{Progress: func(p engine.Progress) { last = p }})
	if last.Done != 16 || last.Total != 16 {
		t.Errorf("progress %+v, expected 16 of 16", last)
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

// kept are options with a store, and a job in it.
func kept(s *store.Store) Options {
	return Options{Store: s, Job: store.Job{Code: "code", Model: "model", Tokenizer: "tokenizer", Numerics: "numerics"}}
}

func fresh(t *testing.T) *store.Store {
	t.Helper()
	s := store.Fresh()
	t.Cleanup(func() { s.Close() })
	return s
}

func TestAKilledRunGoesOnAndGivesTheSameNumbers(t *testing.T) {
	task, arms, _ := testTask(t, 150)
	want := mustCompare(t, task, arms, Options{})

	o := kept(fresh(t))
	o.Runner = noModel
	done := 0
	for _, killAt := range []int{4, 11} {
		task, arms, calls := testTask(t, 150)
		ctx, cancel := context.WithCancel(context.Background())
		answer := arms[1].Answer.(scripted)
		answer.stop = func(answered int) {
			if answered == killAt {
				cancel() // the other arms are somewhere else
			}
		}
		arms[1].Answer = answer
		_, err := Compare(ctx, task, arms, o)
		if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "call again") {
			t.Fatalf("killed run: error %v", err)
		}
		done += *calls[1]
	}
	task, arms, calls := testTask(t, 150)
	got := mustCompare(t, task, arms, o)
	if !reflect.DeepEqual(got.Rows, want.Rows) || !reflect.DeepEqual(got.Outcomes, want.Outcomes) {
		t.Error("the resumed run differs from the uninterrupted one")
	}
	if done != 15 || *calls[1] != 150-done {
		t.Errorf("the resumed run answered %d examples after %d, expected the %d that were missing", *calls[1], done, 150-15)
	}

	task, arms, calls = testTask(t, 150)
	o.Runner = func() (*engine.Runner, error) { return nil, errors.New("the model is opened") }
	again, err := Compare(context.Background(), task, arms, o)
	if err != nil || !reflect.DeepEqual(again.Rows, want.Rows) || *calls[0] != 0 {
		t.Errorf("a complete store must give the same comparison without a model: %v", err)
	}
}

func TestResultsAreStoredUnderAllThatMatters(t *testing.T) {
	s := fresh(t)
	run := func(change func(*Task, []Arm, *Options)) int {
		task, arms, calls := testTask(t, 16)
		o := kept(s)
		change(task, arms, &o)
		mustCompare(t, task, arms[:1], o)
		return *calls[0]
	}
	for _, test := range []struct {
		name   string
		change func(*Task, []Arm, *Options)
		calls  int
	}{
		{"first run", func(*Task, []Arm, *Options) {}, 16},
		{"nothing", func(*Task, []Arm, *Options) {}, 0},
		{"the arm's name only", func(_ *Task, arms []Arm, _ *Options) { arms[0].Name = "renamed" }, 0},
		{"seed", func(_ *Task, _ []Arm, o *Options) { o.Seed = 5 }, 0},
		{"run", func(_ *Task, _ []Arm, o *Options) { o.Run = "another" }, 0},
		{"model", func(_ *Task, _ []Arm, o *Options) { o.Job.Model = "other model" }, 16},
		{"code", func(_ *Task, _ []Arm, o *Options) { o.Job.Code = "edited" }, 16},
		{"numerics", func(_ *Task, _ []Arm, o *Options) { o.Job.Numerics = "bfloat16" }, 16},
		{"plan", func(_ *Task, arms []Arm, _ *Options) { arms[0].Plan = emulate.Plan{emulate.Released()} }, 16},
		{"answer", func(_ *Task, arms []Arm, _ *Options) {
			a := arms[0].Answer.(scripted)
			a.name = "other"
			arms[0].Answer = a
		}, 16},
		{"template", func(task *Task, _ []Arm, _ *Options) { task.TemplateHash = "9" }, 16},
		{"task", func(task *Task, _ []Arm, _ *Options) { task.Name = "9" }, 16},
		{"one key", func(task *Task, _ []Arm, _ *Options) { task.Examples[3].Answer = (task.Examples[3].Answer + 1) % 4 }, 1},
		{"unknown code", func(_ *Task, _ []Arm, o *Options) { o.Job.Code = "" }, 16},
	} {
		if calls := run(test.change); calls != test.calls {
			t.Errorf("%s changed: %d examples answered, expected %d", test.name, calls, test.calls)
		}
	}
}

// TestRefusedExamplesLeaveEveryArm: what one arm cannot answer is named and counts in none.
func TestRefusedExamplesLeaveEveryArm(t *testing.T) {
	task, arms, _ := testTask(t, 20)
	arms[1].Answer = refusing{arms[1].Answer.(scripted), task.Examples[7].ID}
	c := mustCompare(t, task, arms, Options{})
	if len(c.Refused) != 1 || c.Refused[0].ID != task.Examples[7].ID || c.Refused[0].Why != "too long (arm half)" || c.N != 19 || len(c.Outcomes[0]) != 19 || c.Rows[0].N != 19 {
		t.Errorf("refused %+v of %d", c.Refused, c.N)
	}
	for i, e := range c.Examples {
		if e.ID == task.Examples[7].ID || len(c.Outcomes[2][i].Scores) != len(e.Choices) {
			t.Errorf("example %s is compared with %+v", e.ID, c.Outcomes[2][i])
		}
	}
}

// refusing refuses one example.
type refusing struct {
	scripted
	id string
}

func (r refusing) Run(ctx context.Context, runner *engine.Runner, e model.Experiment, xs []Example, each func(int, Outcome) error) error {
	return r.scripted.Run(ctx, runner, e, xs, func(i int, o Outcome) error {
		if xs[i].ID == r.id {
			o = Outcome{Refused: "too long"}
		}
		return each(i, o)
	})
}

// TestReadAnswersAreJudgedByTheirLetter: what could not be read is wrong, in every metric, and no guess.
func TestReadAnswersAreJudgedByTheirLetter(t *testing.T) {
	e := Example{Choices: []string{" a", " b"}, Answer: 1}
	for _, c := range []struct {
		o    Outcome
		want Verdict
	}{
		{Outcome{Text: "so B", Letter: "B", Parsed: true}, Verdict{Right: true, Worth: 1}},
		{Outcome{Text: "so A", Letter: "A", Parsed: true}, Verdict{}},
		{Outcome{Text: "B, I think"}, Verdict{}},
		{Outcome{Scores: []float64{0, -1}, Letter: "B", Parsed: true}, Verdict{Right: true, Worth: 1}}, // a vote
		{Outcome{Scores: []float64{0, 0}}, Verdict{Tied: true, Undecided: true, Worth: 0.5}},
	} {
		for _, metric := range []string{Acc, AccNorm} {
			if got := c.o.Judge(metric, e); got != c.want {
				t.Errorf("%s of %+v: %+v, expected %+v", metric, c.o, got, c.want)
			}
		}
	}
}

func TestDomainsAreRowsWhenAsked(t *testing.T) {
	task, arms, _ := testTask(t, 0)
	c := mustCompare(t, task, arms, Options{Groups: GroupsSubjects})
	if want := 3 * (1 + 2 + 10); len(c.Rows) != want || c.Family != 2*3 {
		t.Errorf("%d rows and a family of %d, expected %d and 6", len(c.Rows), c.Family, want)
	}
	if row, found := c.Row(Acc, "domain:logic", "half"); !found || row.N != 80 || row.Versus.Family != 0 || row.Versus.Word != "" || row.Versus.CI95 != stats.PairedScore(row.Versus.Counts) {
		t.Errorf("logic: %+v", row)
	}
}

// broken breaks the contract of an answer: it gives as many outcomes as it is told.
type broken struct {
	scripted
	outcomes int
}

func (b broken) Run(_ context.Context, _ *engine.Runner, _ model.Experiment, xs []Example, each func(int, Outcome) error) error {
	for i := range b.outcomes {
		if err := each(i, Outcome{Scores: b.score(xs[i%len(xs)])}); err != nil {
			return err
		}
	}
	return nil
}

func TestBrokenAnswersAndArmsAreRefused(t *testing.T) {
	full := func(name string, value float64) scripted {
		return scripted{name: name, score: func(Example) []float64 { return []float64{-1, value, -1, -1} }}
	}
	good := full("good", -2)
	one := []Arm{{Name: "a", Answer: good}}
	task, _, _ := testTask(t, 10)
	for _, test := range []struct {
		name string
		arms []Arm
		o    Options
		want string
	}{
		{"no arms", nil, Options{}, "no arms"},
		{"too few results", []Arm{{Name: "a", Answer: broken{good, 9}}}, Options{}, "gave 9 of 10 examples"},
		{"too many results", []Arm{{Name: "a", Answer: broken{good, 11}}}, Options{}, "gave example 10 of 10"},
		{"too few scores", []Arm{{Name: "a", Answer: scripted{name: "few", score: func(Example) []float64 { return []float64{} }}}}, Options{}, "0 scores for 4 choices"},
		{"NaN", []Arm{{Name: "a", Answer: full("nan", math.NaN())}}, Options{}, "arm a: example"},
		{"infinite", []Arm{{Name: "a", Answer: full("inf", math.Inf(-1))}}, Options{}, "-Inf"},
		{"no name", []Arm{{Answer: good}}, Options{}, "no name"},
		{"one name twice", []Arm{{Name: "a", Answer: good}, {Name: "a", Answer: full("other", -3)}}, Options{}, "same name"},
		{"one computation twice", []Arm{{Name: "a", Answer: good}, {Name: "b", Answer: good}}, Options{}, "compute the same"},
		{"a model without a hash", []Arm{{Name: "a", Answer: good, Runner: noModel}}, kept(fresh(t)), "no hash of its model"},
		{"a store without numerics", one, Options{Store: fresh(t), Job: store.Job{Code: "c", Model: "m"}}, "numerics"},
		{"impossible margin", one, Options{Margin: 2}, "margin 2"},
		{"unknown control", []Arm{{Name: "a", Answer: good}, {Name: "b", Answer: full("other", -3)}}, Options{Controls: map[string][]string{"b": {"c"}}}, `"c" is a control of "b"`},
		{"unknown groups", one, Options{Groups: "halves"}, `groups "halves"`},
		{"categories of other tasks", one, Options{Groups: GroupsCategories}, "not a subject of MMLU"},
	} {
		test.o.Runner = noModel
		if _, err := Compare(context.Background(), task, test.arms, test.o); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, expected one with %q", test.name, err, test.want)
		}
	}
	if _, err := Compare(context.Background(), task, one, Options{}); err == nil || !strings.Contains(err.Error(), "runner") {
		t.Errorf("no runner: %v", err)
	}
}
