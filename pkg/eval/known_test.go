package eval_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/corpus"
	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/eval"
	"github.com/attune-lab/attune/pkg/internal/scripted"
	"github.com/attune-lab/attune/pkg/model"
)

const root = "../.."

func runnerOf(m *model.Model) func() (*engine.Runner, error) {
	r := engine.New(m, engine.Options{})
	return func() (*engine.Runner, error) { return r, nil }
}

// animals are items of three options, of which so many have A for their answer.
func animals(t *testing.T, n, first int) *eval.Task {
	t.Helper()
	var items []corpus.Item
	for i := range n {
		answer := 0
		if i >= first {
			answer = 1 + i%2
		}
		items = append(items, corpus.Item{ID: string(rune('a' + i)), Domain: "d", Question: "Which is number " + string(rune('a'+i)) + "?", Options: []string{"a dog", "a cat", "a cow"}, Answer: answer})
	}
	task, err := eval.NewTask("animals", eval.TemplateItems, items, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return task
}

// TestAModelThatAlwaysTakesTheFirstOption scores the share of A, and one to which all options are alike what guessing is worth, through prompts, tokens and passes.
func TestAModelThatAlwaysTakesTheFirstOption(t *testing.T) {
	tok, err := scripted.Tokenizer(root)
	if err != nil {
		t.Fatal(err)
	}
	task := animals(t, 10, 4)
	for name, c := range map[string]struct {
		logits                            map[int]float32
		accuracy, firstMaximum            float64
		correct, tied, undecided, unequal int
	}{
		"first": {map[int]float32{tok.EncodePlain(" A")[0]: 4, tok.EncodePlain(" B")[0]: 2}, 0.4, 0.4, 4, 0, 0, 0},
		"tied":  {nil, 1.0 / 3, 0.4, 0, 10, 10, 0},
		// B and C tie above A: the item's hash decides between them, and A is never taken.
		"two tied": {map[int]float32{tok.EncodePlain(" A")[0]: -3}, 0, 0, 0, 10, 0, 1},
	} {
		m, err := scripted.Constant(t.TempDir(), root, c.logits)
		if err != nil {
			t.Fatal(err)
		}
		got, err := eval.Compare(context.Background(), task, []eval.Arm{{Name: "model"}}, eval.Options{Runner: runnerOf(m)})
		if err != nil {
			t.Fatal(err)
		}
		row, _ := got.Row(eval.Acc, eval.GroupAll, "model")
		if row.Tied != c.tied || row.Undecided != c.undecided {
			t.Errorf("%s: %d tied, %d undecided, expected %d and %d", name, row.Tied, row.Undecided, c.tied, c.undecided)
		}
		if c.unequal > 0 {
			if row.Correct == 0 || row.Correct > 6 {
				t.Errorf("%s: %d right of six whose answer is B or C", name, row.Correct)
			}
			continue
		}
		if math.Abs(row.Accuracy-c.accuracy) > 1e-12 || row.FirstMaximum != c.firstMaximum || row.Correct != c.correct {
			t.Errorf("%s: accuracy %v, as the harness has it %v, %d right; expected %v, %v and %d", name, row.Accuracy, row.FirstMaximum, row.Correct, c.accuracy, c.firstMaximum, c.correct)
		}
	}
}

// TestAScriptedGeneratorDrivesEveryExtractionBranch: what a model writes, token by token, is read as the form says, or counted as unparsed.
func TestAScriptedGeneratorDrivesEveryExtractionBranch(t *testing.T) {
	tok, err := scripted.Tokenizer(root)
	if err != nil {
		t.Fatal(err)
	}
	item := animals(t, 1, 0).Examples[0] // the answer is B
	number, err := eval.NewOpenTask("sums", eval.TemplateProblems, []corpus.Problem{{ID: "n", Domain: "sums", Question: "How many?", Answer: "18"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	sum := number.Examples[0]
	for _, c := range []struct {
		e            eval.Example
		text, letter string
		parsed       bool
		right        bool
	}{
		{item, " B", "B", true, true},
		{item, " (b)", "B", true, true},
		{item, " B. because it is", "B", true, true},
		{item, " A", "A", true, false},
		{item, " So the answer is (B).", "B", true, true},
		{item, " The answer is a cat.", "B", true, true},
		{item, " Analysis: A is wrong.\nResponse: B", "B", true, true},
		{item, " First, the answer is (A). Wait, no: the answer is (B).", "B", true, true},
		{item, " B\n\nQuestion: next?", "B", true, true}, // stopped where the next question begins
		{item, " (A) or (B)", "", false, false},
		{item, " So the answer is not (B).", "", false, false},
		{item, " So the answer is (D).", "", false, false}, // no such option
		{item, " I think so", "", false, false},
		{item, "", "", false, false},
		{sum, " So the answer is $18.", "18", true, true},
		{sum, " Then 9 plus 9 is 18.\n#### 18", "18", true, true},
		{sum, " The answer is 17.", "17", true, false},
		{sum, " The answer is 3 or 4.", "", false, false},
	} {
		prompt, text := c.e.Encode(tok, c.e.Prompt), tok.EncodePlain(c.text)
		const positions = 160
		script := map[int]int{len(prompt) - 1 + len(text): 1} // the end of the text
		for i, id := range text {
			script[len(prompt)-1+i] = id
		}
		m, err := scripted.Writer(t.TempDir(), root, positions, script)
		if err != nil {
			t.Fatal(err)
		}
		task := &eval.Task{Name: "one", TemplateHash: "0123456789", Metric: eval.Acc, Metrics: []string{eval.Acc}, Examples: []eval.Example{c.e}}
		got, err := eval.Compare(context.Background(), task, []eval.Arm{{Name: "written", Answer: eval.Extracted{Tokens: 60}}}, eval.Options{Runner: runnerOf(m)})
		if err != nil {
			t.Fatal(err)
		}
		o, row := got.Outcomes[0][0], got.Rows[0]
		want, _, _ := strings.Cut(c.text, "\nQuestion:")
		if strings.TrimSpace(o.Text) != strings.TrimSpace(want) || o.Letter != c.letter || o.Parsed != c.parsed || (row.Correct == 1) != c.right || (row.Unparsed == 1) == c.parsed {
			t.Errorf("script %q: text %q read as %q, parsed %t; %d right, %d unparsed", c.text, o.Text, o.Letter, o.Parsed, row.Correct, row.Unparsed)
		}
	}
}
