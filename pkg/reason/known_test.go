package reason_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/eval"
	"github.com/attune-lab/attune/pkg/internal/scripted"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/reason"
)

const root = "../.."

// which is an example whose answer is B.
var which = eval.Example{ID: "which", Prompt: "Question: Which is it?\nOptions:\nA. a dog\nB. a cat\nResponse:", Choices: []string{" A", " B"}, Options: []string{"a dog", "a cat"}, Answer: 1}

// TestAModelThatReadsOnlyTheFillersLength: it says B where so many fillers stand before the cue that their share is large enough, and A where fewer do, where the question
// stands twice, or where the fillers stand behind the cue.
func TestAModelThatReadsOnlyTheFillersLength(t *testing.T) {
	tok, err := scripted.Tokenizer(root)
	if err != nil {
		t.Fatal(err)
	}
	one := func(text string) int { ids := tok.EncodePlain(text); return ids[len(ids)-1] }
	counting := scripted.Counting{Filler: one(" ."), Cue: one("Response:"), Yes: one(" B"), No: one(" A")}
	m, err := scripted.Counter(t.TempDir(), root, counting)
	if err != nil {
		t.Fatal(err)
	}
	question := strings.TrimSuffix(which.Prompt, "\nResponse:")
	says := func(scores [][]float64) int { return eval.Predict(eval.Acc, which.Choices, scores[0]) }
	turns, before := 0, 0
	for budget := 1; budget < 160; budget += 9 {
		scores, entries := run(t, m, nil, reason.Arm{Kind: reason.Filler, Budget: budget}, []eval.Example{which})
		x := entries[0]
		fillers := strings.Repeat(" .", x.Forced)
		for len(tok.Encode(question+fillers+"\nResponse:")) > x.Sum()-x.Answer { // a filler may take more tokens than one
			fillers = strings.TrimSuffix(fillers, " .")
		}
		want := 0
		if counting.Margin(tok.Encode(question+fillers+"\nResponse:")) > 0 {
			want = 1
		}
		if got := says(scores); got != want || x.Forced > budget || x.Forced < budget-1 {
			t.Errorf("budget %d: %+v, it says %d, with so many fillers before the cue %d", budget, x, got, want)
		} else if budget > 1 && got != before {
			turns++
		}
		before = says(scores)
		behind := which
		behind.Prompt += fillers
		if scores := plain(t, m, behind); says(scores) != 0 {
			t.Errorf("budget %d: fillers behind the cue are read as fillers before it", budget)
		}
	}
	if turns != 1 || before != 1 {
		t.Errorf("over the lengths it changes its mind %d times and ends with %d, expected once and B", turns, before)
	}
	for _, a := range []reason.Arm{{Kind: reason.Direct}, {Kind: reason.Repeat, Times: 3}} {
		if scores, _ := run(t, m, nil, a, []eval.Example{which}); says(scores) != 0 {
			t.Errorf("%s: it says B without a filler", a)
		}
	}
}

// script is what a model writes behind the opened prompt, by texts, and where each of them begins.
type script struct {
	t      *testing.T
	opened string
	at     map[int]int
}

// write puts tokens behind the text that is there.
func (s *script) write(there, text string, then ...int) {
	tok, err := scripted.Tokenizer(root)
	if err != nil {
		s.t.Fatal(err)
	}
	at := len(tok.Encode(there)) - 1
	for i, id := range append(tok.EncodePlain(text), then...) {
		s.at[at+i] = id
	}
}

// TestTheLedgerOfAScript: a scripted model reasons, writes the cue itself, is made to go on, and runs into its budget; every token is counted once, under what it is.
func TestTheLedgerOfAScript(t *testing.T) {
	tok, err := scripted.Tokenizer(root)
	if err != nil {
		t.Fatal(err)
	}
	const first, second, cue, wait = " A is wrong: it is a cat.", " B is right.", "\nResponse:", "\nWait"
	opened := strings.TrimSuffix(which.Prompt, cue) + "\nAnalysis:"
	s := script{t, opened, map[int]int{}}
	s.write(opened+first+wait+second, cue)
	s.write(opened+first+wait, second)
	s.write(opened+first, cue)
	s.write(opened, first)
	letter := func(prompt string, id int) { s.at[len(tok.Encode(prompt))-1] = id }
	letter(opened+first+wait+second+cue, tok.EncodePlain(" B")[0])
	m, err := scripted.Writer(t.TempDir(), root, 192, s.at)
	if err != nil {
		t.Fatal(err)
	}
	length := func(text string) int { return len(tok.EncodePlain(text)) }
	prompt, n, more := len(tok.Encode(opened)), length(first), length(second)
	for _, c := range []struct {
		arm     reason.Arm
		thought string
		want    eval.Tokens
		ended   int
		says    int // -1: not asked
	}{
		{reason.Arm{Kind: reason.CoT}, first, eval.Tokens{Prompt: prompt, Cue: length(cue), Reasoning: n, Answer: 1}, 1, -1},
		{reason.Arm{Kind: reason.CoT, Budget: n - 2}, tok.Decode(tok.EncodePlain(first)[:n-2]), eval.Tokens{Prompt: prompt, Cue: length(cue), Reasoning: n - 2, Answer: 1}, 0, -1},
		{reason.Arm{Kind: reason.BudgetForcing, Waits: 1}, first + wait + second, eval.Tokens{Prompt: prompt, Cue: length(cue), Reasoning: n + more, Forced: length(wait), Answer: 1}, 1, 1},
		// What is put between counts towards the budget, which cuts the second thought.
		{reason.Arm{Kind: reason.BudgetForcing, Waits: 1, Budget: n + length(wait) + 2}, first + wait + tok.Decode(tok.EncodePlain(second)[:2]),
			eval.Tokens{Prompt: prompt, Cue: length(cue), Reasoning: n + 2, Forced: length(wait), Answer: 1}, 0, -1},
		// No room for the word that makes it go on, and a token.
		{reason.Arm{Kind: reason.BudgetForcing, Waits: 1, Budget: n + length(wait)}, first, eval.Tokens{Prompt: prompt, Cue: length(cue), Reasoning: n, Answer: 1}, 1, -1},
	} {
		scores, entries := run(t, m, nil, c.arm, []eval.Example{which})
		if x := entries[0]; x.Tokens != c.want || x.Ended != c.ended || len(x.Thoughts) != 1 || x.Thoughts[0] != c.thought {
			t.Errorf("%s: ledger %+v, expected %+v, %d ended, thought %q", c.arm, x, c.want, c.ended, c.thought)
		}
		if got := eval.Predict(eval.Acc, which.Choices, scores[0]); c.says >= 0 && got != c.says {
			t.Errorf("%s: it says choice %d", c.arm, got)
		}
		if c.arm.Kind == reason.CoT || c.arm.Budget > 0 {
			continue
		}
		// The control of equal size: as many fillers as the arm took tokens before the cue, counted before or now.
		for _, known := range []map[string]int{nil, {which.Hash(): n + more + length(wait)}} {
			_, control := run(t, m, nil, reason.Arm{Kind: reason.Filler, Like: &c.arm, Known: known}, []eval.Example{which})
			took := c.want.Reasoning + c.want.Forced
			if x := control[0]; x.Forced > took || x.Forced < took-1 || x.Reasoning != 0 || x.Prompt+x.Cue != len(tok.Encode(which.Prompt)) {
				t.Errorf("fillers like %s, known %v: ledger %+v, expected %d tokens put in", c.arm, known, x, took)
			}
		}
	}
}

// TestFillersAreLikeAnArm: what they are like is part of what they are, what is known of it is not.
func TestFillersAreLikeAnArm(t *testing.T) {
	cot := reason.Arm{Kind: reason.CoT, Budget: 64}
	a := reason.Arm{Kind: reason.Filler, Like: &cot}
	if a.Hash() != (reason.Arm{Kind: reason.Filler, Like: &cot, Budget: 9, Known: map[string]int{"x": 3}}).Hash() {
		t.Error("what is known of the arm, or a budget that is not read, changes the hash")
	}
	if a.Hash() == (reason.Arm{Kind: reason.Filler}).Hash() || a.Hash() == (reason.Arm{Kind: reason.Filler, Like: &reason.Arm{Kind: reason.CoT}}).Hash() {
		t.Error("fillers like different arms have one hash")
	}
	if a.String() != "filler like cot 64" {
		t.Errorf("it is called %q", a)
	}
	for want, bad := range map[string]reason.Arm{
		"expected an arm that reasons once": {Kind: reason.Filler, Like: &reason.Arm{Kind: reason.SelfConsistency}},
		`which only "filler" can be`:        {Kind: reason.CoT, Like: &cot},
		`kind "guess"`:                      {Kind: reason.Filler, Like: &reason.Arm{Kind: "guess"}},
	} {
		if err := bad.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, expected one with %q", err, want)
		}
	}
}

// TestAVoteOfTiesIsNoVote: where the choices are alike in every sample nothing is answered, which is worth guessing and not the first option.
func TestAVoteOfTiesIsNoVote(t *testing.T) {
	m, err := scripted.Constant(t.TempDir(), root, nil)
	if err != nil {
		t.Fatal(err)
	}
	first := which
	first.ID, first.Answer = "first", 0
	task := &eval.Task{Name: "two", TemplateHash: "0123456789", Metric: eval.Acc, Metrics: []string{eval.Acc, eval.AccNorm}, Examples: []eval.Example{which, first}}
	c, err := eval.Compare(context.Background(), task, []eval.Arm{{Name: "vote", Answer: reason.Arm{Kind: reason.SelfConsistency, Samples: 3, Budget: 4}}},
		eval.Options{Runner: func() (*engine.Runner, error) { return engine.New(m, engine.Options{}), nil }})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range c.Rows {
		if row.Accuracy != 0.5 || row.Undecided != 2 || row.Correct != 0 {
			t.Errorf("%s: %+v", row.Metric, row)
		}
	}
	// And one whose samples all say B: the letter decides in every metric, scores per character have no part in it.
	tok, err := scripted.Tokenizer(root)
	if err != nil {
		t.Fatal(err)
	}
	if m, err = scripted.Constant(t.TempDir(), root, map[int]float32{tok.EncodePlain(" B")[0]: 3}); err != nil {
		t.Fatal(err)
	}
	long := which
	long.ID, long.Choices = "long", []string{" A", " B and so on"}
	task.Examples = []eval.Example{long}
	votes := reason.Arm{Kind: reason.SelfConsistency, Samples: 3, Budget: 4}
	outcomes := make([]eval.Outcome, 1)
	if err := votes.Run(context.Background(), engine.New(m, engine.Options{}), model.Experiment(nil), task.Examples, func(i int, o eval.Outcome) error { outcomes[i] = o; return nil }); err != nil {
		t.Fatal(err)
	}
	total := 0.0
	for _, x := range outcomes[0].Scores {
		total += math.Exp(x)
	}
	if !outcomes[0].Parsed || math.Abs(total-1) > 1e-9 {
		t.Errorf("a vote: %+v", outcomes[0])
	}
}
