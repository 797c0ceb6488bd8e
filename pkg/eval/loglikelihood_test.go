package eval_test

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/emulate/apply"
	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/eval"
	"github.com/attune-lab/attune/pkg/hf/tokenizer"
	"github.com/attune-lab/attune/pkg/model"
	"github.com/attune-lab/attune/pkg/store"
)

// textModel is a small random model with a tokenizer trained on a few lines, in which " A" to " D" are one token each.
func textModel(t testing.TB, positions int) *model.Model {
	t.Helper()
	lines := []string{"Question: which word?\nOptions:\nA. red\nB. green\nC. blue\nD. grey\nResponse: A\n", "Response: B Response: C Response: D and a long answer\n"}
	tok, err := tokenizer.TrainBPE(slices.Values(slices.Repeat(lines, 20)), tokenizer.TrainOptions{VocabSize: 400})
	if err != nil {
		t.Fatal(err)
	}
	c := &model.Config{ModelType: "llama", VocabSize: 400, HiddenSize: 32, IntermediateSize: 48, Layers: 3, Heads: 4, KVHeads: 2, HeadDim: 8,
		MaxPositions: positions, NormEps: 1e-5, RopeTheta: 10000, BOS: 0, InitializerRange: 0.3}
	m, err := model.New(c, tok, 2, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// logLikelihood recomputes a choice's score from all logits of prompt and choice, in float64.
func logLikelihood(t *testing.T, m *model.Model, exp model.Experiment, prompt, choice string) float64 {
	t.Helper()
	context, whole := m.Tokenizer.Encode(prompt), m.Tokenizer.Encode(prompt+choice)
	r, err := m.Forward(model.Prompts(whole), model.Outputs{Logits: true}, exp)
	if err != nil {
		t.Fatal(err)
	}
	flat, vocab, sum := tensors.MustCopyFlatData[float32](r.Logits), m.Config.VocabSize, 0.0
	for k := len(context); k < len(whole); k++ {
		row := flat[(k-1)*vocab : k*vocab]
		total := 0.0
		for _, x := range row {
			total += math.Exp(float64(x))
		}
		sum += float64(row[whole[k]]) - math.Log(total)
	}
	return sum
}

// answer gives the outcomes of examples.
func answer(t testing.TB, m *model.Model, exp model.Experiment, c eval.Choices, examples ...eval.Example) ([]eval.Outcome, error) {
	t.Helper()
	outcomes := make([]eval.Outcome, len(examples))
	err := c.Run(context.Background(), engine.New(m, engine.Options{}), exp, examples, func(i int, o eval.Outcome) error {
		outcomes[i] = o
		return nil
	})
	return outcomes, err
}

func TestScoresAreLogLikelihoods(t *testing.T) {
	m := textModel(t, 128)
	exp, err := apply.New(emulate.Literal())
	if err != nil {
		t.Fatal(err)
	}
	examples := []eval.Example{
		{ID: "letters", Prompt: "Question: which word?\nOptions:\nA. red\nB. green\nResponse:", Choices: []string{" A", " B", " C", " D"}},
		{ID: "texts", Prompt: "Question: which word?", Choices: []string{" a long answer", " green", " blue and grey"}},
		{ID: "short", Prompt: "A", Choices: []string{" B", " red"}},
	}
	for name, e := range map[string]model.Experiment{"plain": nil, "literal": exp} {
		got, err := answer(t, m, e, eval.Choices{}, examples...)
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range examples {
			best := 0
			for c, choice := range x.Choices {
				if want := logLikelihood(t, m, e, x.Prompt, choice); math.Abs(got[i].Scores[c]-want) > 1e-4 {
					t.Errorf("%s, example %s, choice %q: %g, its logits give %g", name, x.ID, choice, got[i].Scores[c], want)
				}
				if got[i].Scores[c] > got[i].Scores[best] {
					best = c
				}
			}
			prompt := len(m.Tokenizer.Encode(x.Prompt))
			if want := (eval.Tokens{Prompt: prompt, Answer: len(m.Tokenizer.Encode(x.Prompt+x.Choices[best])) - prompt}); got[i].Tokens != want {
				t.Errorf("%s, example %s: tokens %+v, expected %+v", name, x.ID, got[i].Tokens, want)
			}
		}
	}
}

// TestWhiteSpaceAtThePromptsEndGoesToTheChoice, as the common harness has it: the two ways of writing an example are one.
func TestWhiteSpaceAtThePromptsEndGoesToTheChoice(t *testing.T) {
	m := textModel(t, 128)
	got, err := answer(t, m, nil, eval.Choices{},
		eval.Example{ID: "behind", Prompt: "Question: which word? ", Choices: []string{"red and", "green"}}, eval.Example{ID: "before", Prompt: "Question: which word?", Choices: []string{" red and", " green"}},
		eval.Example{ID: "line", Prompt: "Question: which word?\n", Choices: []string{"A", "B"}}, eval.Example{ID: "line before", Prompt: "Question: which word?", Choices: []string{"\nA", "\nB"}})
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 4; i += 2 {
		if !slices.Equal(got[i].Scores, got[i+1].Scores) || got[i].Tokens != got[i+1].Tokens {
			t.Errorf("%+v, expected %+v", got[i], got[i+1])
		}
	}
}

// TestPlainPromptsBringTheirOwnTokens: BOS is added to prompts, and not to plain ones.
func TestPlainPromptsBringTheirOwnTokens(t *testing.T) {
	m := textModel(t, 64)
	x := eval.Example{ID: "1", Prompt: "Question: which word?", Choices: []string{" A", " B"}}
	if n, plain := len(x.Encode(m.Tokenizer, x.Prompt)), len(m.Tokenizer.EncodePlain(x.Prompt)); n != len(m.Tokenizer.Encode(x.Prompt)) || n < plain {
		t.Errorf("%d tokens, plain %d", n, plain)
	}
	x.Plain = true
	if n := len(x.Encode(m.Tokenizer, x.Prompt)); n != len(m.Tokenizer.EncodePlain(x.Prompt)) {
		t.Errorf("a plain prompt has %d tokens, expected those of its text", n)
	}
}

// TestLongPromptsAreRefusedOrCutAndCounted: half a question is another one.
func TestLongPromptsAreRefusedOrCutAndCounted(t *testing.T) {
	m := textModel(t, 16)
	long := strings.Repeat("which word? ", 20) + "Response:"
	x := eval.Example{ID: "long", Prompt: long, Choices: []string{" A", " B"}}
	short := eval.Example{ID: "short", Prompt: "which word?", Choices: []string{" A", " B"}}
	got, err := answer(t, m, nil, eval.Choices{}, x, short)
	if err != nil {
		t.Fatal(err)
	}
	ids := m.Tokenizer.Encode(long)
	if want := fmt.Sprintf("%d tokens with the longest choice, the model's context is 16", len(ids)); got[0].Refused != want || got[0].Scores != nil || got[1].Refused != "" || len(got[1].Scores) != 2 {
		t.Errorf("a long prompt gave %+v, a short one %+v", got[0], got[1])
	}
	if got, err = answer(t, m, nil, eval.Choices{Cut: true}, x); err != nil {
		t.Fatal(err)
	}
	kept := append([]int{ids[0]}, ids[len(ids)-15:]...)
	a := m.Tokenizer.Encode(long + " A")
	r, err := m.Forward(model.Prompts(kept), model.Outputs{Targets: model.Targets{{{Position: 15, Token: a[len(a)-1]}}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got[0].Tokens.Cut != len(ids)-16 || got[0].Tokens.Prompt != 16 || math.Abs(got[0].Scores[0]-r.LogProbs[0][0]) > 1e-5 {
		t.Errorf("%d tokens cut, score %g, expected %d and %g", got[0].Tokens.Cut, got[0].Scores[0], len(ids)-16, r.LogProbs[0][0])
	}
}

// TestWhatCannotBeScoredIsFoundBeforeTheFirstPass names the example and the choice.
func TestWhatCannotBeScoredIsFoundBeforeTheFirstPass(t *testing.T) {
	m := textModel(t, 64)
	good := eval.Example{ID: "good", Prompt: "A", Choices: []string{" B", " C"}}
	for name, bad := range map[string]eval.Example{
		"empty choice": {ID: "bad", Prompt: "A", Choices: []string{" B", ""}},
		"merges":       {ID: "bad", Prompt: "Respons", Choices: []string{" B", "e"}},
	} {
		got, err := answer(t, m, nil, eval.Choices{}, good, bad)
		if err == nil || !strings.Contains(err.Error(), "example bad: choice 1") || got[0].Scores != nil {
			t.Errorf("%s: error %v after %+v, expected one that names example and choice, before any score", name, err, got[0])
		}
	}
	m.Tokenizer = nil
	if _, err := answer(t, m, nil, eval.Choices{}, good); err == nil || !strings.Contains(err.Error(), "tokenizer.json") {
		t.Errorf("a model without a tokenizer: %v", err)
	}
}

// TestArmsShareLayoutsAndNotScores: a comparison with a model, from the store the second time.
func TestArmsShareLayoutsAndNotScores(t *testing.T) {
	m := textModel(t, 128)
	task := &eval.Task{Name: "mine", TemplateHash: "0123456789", Metric: eval.Acc, Metrics: []string{eval.Acc}}
	for i, word := range []string{"red", "green", "blue", "grey"} {
		task.Examples = append(task.Examples, eval.Example{ID: word, Domain: "d", Prompt: "Question: which word? " + word + "\nResponse:", Choices: []string{" A", " B", " C and a long answer"}, Answer: i % 3})
	}
	s := store.Fresh()
	defer s.Close()
	r := engine.New(m, engine.Options{})
	opened := 0
	o := eval.Options{Store: s, Job: store.Job{Code: "c", Model: "m", Numerics: r.Numerics()}, Runner: func() (*engine.Runner, error) { opened++; return r, nil }}
	arms := []eval.Arm{{Name: "untouched"}, {Name: "literal", Plan: emulate.Plan{emulate.Literal()}}}
	c, err := eval.Compare(context.Background(), task, arms, o)
	if err != nil {
		t.Fatal(err)
	}
	for a, arm := range arms {
		e, err := apply.Plan(arm.Plan)
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range task.Examples {
			for k, choice := range x.Choices {
				if want := logLikelihood(t, m, e, x.Prompt, choice); math.Abs(c.Outcomes[a][i].Scores[k]-want) > 1e-4 {
					t.Errorf("arm %s, example %s, choice %d: %g, expected %g", arm.Name, x.ID, k, c.Outcomes[a][i].Scores[k], want)
				}
			}
		}
	}
	again, err := eval.Compare(context.Background(), task, arms, o)
	if err != nil || opened != 1 || !reflect.DeepEqual(again.Outcomes, c.Outcomes) {
		t.Errorf("again: %v, the model was opened %d times", err, opened)
	}
}

func TestFactsWarnOfWhatIsCut(t *testing.T) {
	m := textModel(t, 64)
	task := &eval.Task{Name: "mine", Available: 9, Examples: []eval.Example{
		{ID: "1", Prompt: "which word? Response:", Choices: []string{" A", " B"}}, {ID: "2", Prompt: strings.Repeat("which word? ", 40), Choices: []string{" A", " B"}}}}
	f, err := eval.Describe(m, task)
	if err != nil {
		t.Fatal(err)
	}
	text := f.Markdown()
	for _, want := range []string{"3 layers of 4 query and 2 key heads", "2 of the 9 items of mine", "guessing is right on 50.0 %", "1 prompts are longer than the context"} {
		if !strings.Contains(text, want) {
			t.Errorf("the facts do not say %q: %s", want, text)
		}
	}
	if f.Parameters != m.Config.NumParameters() || f.LongerThanContext != 1 {
		t.Errorf("%+v", f)
	}
}
