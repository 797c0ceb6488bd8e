package reason_test

import (
	"context"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/corpus/generate"
	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/emulate/apply"
	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/eval"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/reason"
	"github.com/attune-lab/attune/pkg/store"
)

func open(t testing.TB) *model.Model {
	t.Helper()
	m, err := model.Load(filepath.Join("..", "..", "testdata", "attune-tiny"), model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func easy(t testing.TB, n int) []eval.Example {
	t.Helper()
	task, err := eval.LoadTask("generated:easy", 0, eval.TaskOptions{Corpus: generate.Options{HeldOut: n}})
	if err != nil {
		t.Fatal(err)
	}
	return task.Examples
}

// run answers examples by an arm and returns scores and entries.
func run(t testing.TB, m *model.Model, exp model.Experiment, a reason.Arm, examples []eval.Example) ([][]float64, []reason.Entry) {
	t.Helper()
	outcomes, err := answer(m, exp, a, examples)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := reason.Ledger(&eval.Comparison{Outcomes: [][]eval.Outcome{outcomes}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	scores := make([][]float64, len(outcomes))
	for i, o := range outcomes {
		scores[i] = o.Scores
	}
	return scores, entries
}

func answer(m *model.Model, exp model.Experiment, a eval.Answer, examples []eval.Example) ([]eval.Outcome, error) {
	outcomes := make([]eval.Outcome, len(examples))
	err := a.Run(context.Background(), engine.New(m, engine.Options{}), exp, examples, func(i int, o eval.Outcome) error {
		outcomes[i] = o
		return nil
	})
	return outcomes, err
}

// plain are the scores of examples as they stand.
func plain(t testing.TB, m *model.Model, examples ...eval.Example) [][]float64 {
	t.Helper()
	outcomes, err := answer(m, nil, eval.Choices{}, examples)
	if err != nil {
		t.Fatal(err)
	}
	var scores [][]float64
	for _, o := range outcomes {
		scores = append(scores, o.Scores)
	}
	return scores
}

// near compares scores but for what another batch changes in the last digits.
func near(a, b []float64) bool {
	return slices.EqualFunc(a, b, func(x, y float64) bool { return math.Abs(x-y) < 1e-3 })
}

func TestDirectIsThePlainScorer(t *testing.T) {
	m, examples := open(t), easy(t, 4)
	want := plain(t, m, examples...)
	got, entries := run(t, m, nil, reason.Arm{Kind: reason.Direct}, examples)
	for i, e := range examples {
		if !slices.Equal(got[i], want[i]) {
			t.Errorf("%s: %v, the plain scorer has %v", e.ID, got[i], want[i])
		}
		if x := entries[i]; x.Prompt != len(m.Tokenizer.Encode(e.Prompt)) || x.Reasoning != 0 || x.Answer != 1 || len(x.Thoughts) != 0 {
			t.Errorf("%s: ledger %+v", e.ID, x)
		}
	}
}

// TestReasoningIsWhatTheModelWrites: the thought is the model's own greedy continuation up to the cue, and the answer is read after it.
func TestReasoningIsWhatTheModelWrites(t *testing.T) {
	m, examples := open(t), easy(t, 4)
	scores, entries := run(t, m, nil, reason.Arm{Kind: reason.CoT}, examples)
	right := 0
	for i, e := range examples {
		opened := strings.TrimSuffix(e.Prompt, "Response:") + "Analysis:"
		g, err := m.Generate([][]int{m.Tokenizer.Encode(opened)}, model.GenerateOptions{MaxTokens: 128, Stop: []string{"\nResponse:"}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		x := entries[i]
		// The model wrote the cue itself, which is no reasoning and is counted once.
		cue := len(m.Tokenizer.EncodePlain("\nResponse:"))
		if len(x.Thoughts) != 1 || x.Thoughts[0] != g.Texts[0] || x.Ended != 1 || x.Prompt != len(m.Tokenizer.Encode(opened)) || x.Reasoning != len(g.Tokens[0])-cue || x.Forced != 0 || x.Cue != cue {
			t.Errorf("%s: ledger %+v, expected the thought %q of %d tokens", e.ID, x, g.Texts[0], len(g.Tokens[0])-cue)
		}
		if whole := len(m.Tokenizer.Encode(opened + g.Texts[0] + "\nResponse:")); x.Sum() != whole+1 {
			t.Errorf("%s: the ledger sums to %d, prompt, reasoning, cue and answer are %d tokens", e.ID, x.Sum(), whole+1)
		}
		asked := e
		asked.Prompt = opened + g.Texts[0] + "\nResponse:"
		want := plain(t, m, asked)
		if !near(scores[i], want[0]) {
			t.Errorf("%s: scores %v, read after the thought %v", e.ID, scores[i], want[0])
		}
		if eval.Predict(eval.Acc, e.Choices, scores[i]) == e.Answer {
			right++
		}
	}
	if right < 3 {
		t.Errorf("%d of 4 easy items right after reasoning", right)
	}
}

func TestBudgetCutsAndForcingGoesOn(t *testing.T) {
	m, examples := open(t), easy(t, 4)
	_, short := run(t, m, nil, reason.Arm{Kind: reason.CoT, Budget: 5}, examples)
	_, long := run(t, m, nil, reason.Arm{Kind: reason.CoT, Budget: 160}, examples)
	_, forced := run(t, m, nil, reason.Arm{Kind: reason.BudgetForcing, Budget: 160, Waits: 2}, examples)
	for i, e := range examples {
		if x := short[i]; x.Reasoning != 5 || x.Ended != 0 {
			t.Errorf("%s: a budget of 5 gave %+v", e.ID, x)
		}
		x := forced[i]
		if x.Reasoning+x.Forced > 160 || x.Reasoning < long[i].Reasoning || x.Prompt != long[i].Prompt || x.Forced != 2*len(m.Tokenizer.EncodePlain("\nWait")) || strings.Count(x.Thoughts[0], "\nWait") != 2 || !strings.HasPrefix(x.Thoughts[0], strings.TrimRight(long[i].Thoughts[0], " \n")) {
			t.Errorf("%s: two waits gave %+v, without them %+v", e.ID, x, long[i])
		}
	}
}

// TestFillersStandBeforeTheCue: after it they would ask the model to continue them.
func TestFillersStandBeforeTheCue(t *testing.T) {
	m, examples := open(t), easy(t, 4)
	direct, without := run(t, m, nil, reason.Arm{Kind: reason.Direct}, examples)
	scores, filled := run(t, m, nil, reason.Arm{Kind: reason.Filler, Budget: 9}, examples)
	same := 0
	for i, e := range examples {
		if x := filled[i]; x.Prompt+x.Cue != without[i].Prompt || x.Forced > 9 || x.Forced < 8 || x.Reasoning != 0 {
			t.Errorf("%s: nine tokens of filler gave %+v, none %+v", e.ID, filled[i], without[i])
		}
		question := strings.TrimSuffix(e.Prompt, "\nResponse:")
		asked := e
		for n := range 10 {
			asked.Prompt = question + strings.Repeat(" .", n) + "\nResponse:"
			if len(m.Tokenizer.Encode(asked.Prompt)) == filled[i].Sum()-filled[i].Answer {
				break
			}
		}
		if want := plain(t, m, asked)[0]; !slices.Equal(scores[i], want) {
			t.Errorf("%s: scores %v, with fillers before the cue %v", e.ID, scores[i], want)
		}
		if near(scores[i], direct[i]) {
			same++
		}
	}
	if same == len(examples) {
		t.Error("fillers change nothing: they are not in the prompt")
	}
}

func TestRepeatWritesTheQuestionAgain(t *testing.T) {
	m, examples := open(t), easy(t, 2)
	scores, entries := run(t, m, nil, reason.Arm{Kind: reason.Repeat, Times: 2}, examples)
	for i, e := range examples {
		question := strings.TrimSuffix(e.Prompt, "\nResponse:")
		asked := e
		asked.Prompt = question + "\n\n" + question + "\n\n" + question + "\nResponse:"
		if want := plain(t, m, asked)[0]; !slices.Equal(scores[i], want) {
			t.Errorf("%s: scores %v, of the question thrice %v", e.ID, scores[i], want)
		}
		length := func(text string) int { return len(m.Tokenizer.Encode(text)) }
		if x := entries[i]; x.Prompt+x.Cue != length(e.Prompt) || x.Forced != length(asked.Prompt)-length(e.Prompt) {
			t.Errorf("%s: ledger %+v of a prompt of %d tokens that became %d", e.ID, x, length(e.Prompt), length(asked.Prompt))
		}
	}
}

// TestSelfConsistencyIsSeededByExample: an example is sampled alike in any batch, another seed samples otherwise, and the scores count votes.
func TestSelfConsistencyIsSeededByExample(t *testing.T) {
	m, examples := open(t), easy(t, 4)
	arm := reason.Arm{Kind: reason.SelfConsistency, Samples: 3, Temperature: 1.5, Budget: 40, Seed: 7}
	scores, entries := run(t, m, nil, arm, examples)
	_, alone := run(t, m, nil, arm, examples[2:3])
	if !slices.Equal(alone[0].Thoughts, entries[2].Thoughts) {
		t.Errorf("alone %q, in a batch %q", alone[0].Thoughts, entries[2].Thoughts)
	}
	if th := entries[2].Thoughts; len(th) != 3 || th[0] == th[1] && th[1] == th[2] {
		t.Errorf("samples %q, expected three that are not all the same", th)
	}
	arm.Seed = 8
	if _, other := run(t, m, nil, arm, examples[2:3]); slices.Equal(other[0].Thoughts, alone[0].Thoughts) {
		t.Error("another seed samples the same")
	}
	for i, row := range scores {
		total := 0.0
		for _, x := range row {
			total += math.Exp(x)
		}
		if math.Abs(total-1) > 1e-6 {
			t.Errorf("%s: the scores are of shares that sum to %g", examples[i].ID, total)
		}
	}
}

// TestArmsGoWithInterventions: an intervention acts on the reasoning too, and one that is off on nothing.
func TestArmsGoWithInterventions(t *testing.T) {
	m, examples := open(t), easy(t, 4)
	arm := reason.Arm{Kind: reason.CoT, Budget: 60}
	experiment := func(s emulate.Spec) model.Experiment {
		e, err := apply.New(s)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	_, plain := run(t, m, nil, arm, examples)
	_, off := run(t, m, experiment(emulate.Spec{}), arm, examples)
	_, strong := run(t, m, experiment(emulate.Spec{Alpha: 4, Schedule: emulate.ScheduleConstant, Tau: 0.01}), arm, examples)
	changed := 0
	for i := range examples {
		if !slices.Equal(plain[i].Thoughts, off[i].Thoughts) {
			t.Errorf("%s: an intervention that is off changes the reasoning", examples[i].ID)
		}
		if !slices.Equal(plain[i].Thoughts, strong[i].Thoughts) {
			changed++
		}
	}
	if changed == 0 {
		t.Error("a gain of 5 changes no reasoning: it does not act there")
	}
}

func TestArmsRefuseWhatCannotBe(t *testing.T) {
	m, examples := open(t), easy(t, 4)
	for want, a := range map[string]reason.Arm{
		`kind "guess"`: {Kind: "guess"}, "budget": {Kind: reason.CoT, Budget: -1}, "temperature": {Kind: reason.SelfConsistency, Temperature: -1},
	} {
		if _, err := answer(m, nil, a, examples); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, expected one with %s", a, err, want)
		}
	}
	score := func(a reason.Arm, e eval.Example) error {
		_, err := answer(m, nil, a, []eval.Example{e})
		return err
	}
	if err := score(reason.Arm{Kind: reason.CoT, Budget: 600}, examples[0]); err == nil || !strings.Contains(err.Error(), "context of 512") {
		t.Errorf("a budget beyond the context: %v", err)
	}
	long := examples[0]
	long.Prompt = strings.Repeat("What is 4 plus 17? ", 80) + "\n" + long.Prompt
	arm := reason.Arm{Kind: reason.CoT, Budget: 20}
	got, err := answer(m, nil, arm, []eval.Example{long, examples[1]})
	if err != nil || !strings.Contains(got[0].Refused, "context is 512") || got[1].Refused != "" || len(got[1].Scores) != 4 {
		t.Errorf("a prompt beyond the context: error %v, %+v", err, got)
	}
	arm.Cut = true
	if got, err = answer(m, nil, arm, []eval.Example{long}); err != nil || got[0].Refused != "" || got[0].Tokens.Cut < 100 {
		t.Errorf("a prompt that may be cut: error %v, %+v", err, got)
	} else if whole := len(m.Tokenizer.Encode(strings.TrimSuffix(long.Prompt, "Response:") + "Analysis:")); got[0].Tokens.Prompt+got[0].Tokens.Cut != whole {
		t.Errorf("of %d tokens the ledger has %+v", whole, got[0].Tokens)
	}
	bare := examples[0]
	bare.Prompt = "no cue"
	if err := score(reason.Arm{Kind: reason.CoT}, bare); err == nil || !strings.Contains(err.Error(), "asks for the answer") {
		t.Errorf("a prompt without a cue: %v", err)
	}
}

func TestHashIsOfWhatIsComputed(t *testing.T) {
	a := reason.Arm{Kind: reason.CoT}
	if a.Hash() != (reason.Arm{Kind: reason.CoT, Budget: 128, Waits: 3, Samples: 9}).Hash() {
		t.Error("fields that the kind does not read, or its defaults, change the hash")
	}
	if a.Hash() == (reason.Arm{Kind: reason.CoT, Budget: 64}).Hash() || a.Hash() == (reason.Arm{Kind: reason.BudgetForcing}).Hash() {
		t.Error("different computations have one hash")
	}
	if s := (reason.Arm{Kind: reason.SelfConsistency}).String(); s != "self-consistency 5 x 128" {
		t.Errorf("self-consistency is called %q", s)
	}
}

// TestLedgerIsInTheStore: a comparison that was computed before gives the same tokens and thoughts from the store, without a model, and another arm its own.
func TestLedgerIsInTheStore(t *testing.T) {
	m := open(t)
	task, err := eval.LoadTask("generated:easy", 4, eval.TaskOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s := store.Fresh()
	defer s.Close()
	opened := 0
	o := eval.Options{Store: s, Job: store.Job{Code: "c", Model: m.Hash, Numerics: "n"}, Runner: func() (*engine.Runner, error) { opened++; return engine.New(m, engine.Options{}), nil }}
	ledger := func(a reason.Arm) []reason.Entry {
		t.Helper()
		c, err := eval.Compare(context.Background(), task, []eval.Arm{{Name: "arm", Answer: a}}, o)
		if err != nil {
			t.Fatal(err)
		}
		entries, err := reason.Ledger(c, 0)
		if err != nil {
			t.Fatal(err)
		}
		return entries
	}
	short, long := reason.Arm{Kind: reason.CoT, Budget: 12}, reason.Arm{Kind: reason.CoT, Budget: 30}
	first := ledger(short)
	other := ledger(long)
	if again := ledger(short); !reflect.DeepEqual(again, first) || reflect.DeepEqual(other, first) || opened != 2 {
		t.Errorf("from the store %+v, computed %+v; another budget %+v; the model was opened %d times", again, first, other, opened)
	}
	if u := reason.Sum(first); u.Prompt < 20 || u.Reasoning != 12 || u.Answer != 1 || u.Ended != 0 || math.Abs(u.Total()-u.Prompt-u.Cue-13) > 1e-9 {
		t.Errorf("usage %+v", u)
	}
	c, err := eval.Compare(context.Background(), task, []eval.Arm{{Name: "arm"}}, o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reason.Ledger(c, 0); err == nil || !strings.Contains(err.Error(), "answered by this package") {
		t.Errorf("the ledger of another answer: %v", err)
	}
	if _, err := reason.Ledger(c, 1); err == nil {
		t.Error("the ledger of an arm that is not there")
	}
}

// TestSampledAnswersVaryWithinItemsAndBetweenThem: one item that is always right, one that never is, and one that is right every other time.
func TestSampledAnswersVaryWithinItemsAndBetweenThem(t *testing.T) {
	c := &eval.Comparison{Examples: []eval.Example{{Answer: 1}, {Answer: 0}, {Answer: 2}}}
	spread, ok := reason.Variation(c, []reason.Entry{{Answers: []int{1, 1}}, {Answers: []int{1, -1}}, {Answers: []int{2, 0}}})
	if !ok || spread.Mean != 0.5 || math.Abs(spread.Within-1.0/6) > 1e-12 || math.Abs(spread.Between-(0.25-1.0/12)) > 1e-12 {
		t.Errorf("%+v, %t", spread, ok)
	}
	if _, ok := reason.Variation(c, []reason.Entry{{}, {}, {}}); ok {
		t.Error("answers that were not sampled have a variation")
	}
}
