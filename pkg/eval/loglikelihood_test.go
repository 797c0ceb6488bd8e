package eval_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/eval"
	"github.com/attune-lab/attune/pkg/hf/tokenizer"
	"github.com/attune-lab/attune/pkg/model"
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
	r, err := m.Forward(model.Prompts(whole), model.Want{Logits: true}, exp)
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

func TestScoresAreLogLikelihoods(t *testing.T) {
	m := textModel(t, 128)
	exp, err := emulate.New(emulate.Literal())
	if err != nil {
		t.Fatal(err)
	}
	examples := []eval.Example{
		{ID: "letters", Prompt: "Question: which word?\nOptions:\nA. red\nB. green\nResponse:", Choices: []string{" A", " B", " C", " D"}},
		{ID: "texts", Prompt: "Question: which word?", Choices: []string{" a long answer", " green", " blue and grey"}},
		{ID: "short", Prompt: "A", Choices: []string{" B", " red"}},
	}
	for name, e := range map[string]model.Experiment{"plain": nil, "literal": exp} {
		s, err := eval.NewModelScorer(m, e)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Score(context.Background(), examples)
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range examples {
			for c, choice := range x.Choices {
				if want := logLikelihood(t, m, e, x.Prompt, choice); math.Abs(got[i][c]-want) > 1e-4 {
					t.Errorf("%s, example %s, choice %q: %g, its logits give %g", name, x.ID, choice, got[i][c], want)
				}
			}
		}
		// The letters are one token each after the same prompt: one sequence scores all four. The others take one for each choice.
		sequences := len(m.Tokenizer.Encode(examples[0].Prompt))
		for _, x := range examples[1:] {
			for _, choice := range x.Choices {
				sequences += len(m.Tokenizer.Encode(x.Prompt+choice)) - 1
			}
		}
		if s.Tokens > sequences {
			t.Errorf("%s: %d tokens computed, expected at most %d", name, s.Tokens, sequences)
		}
	}
}

func TestLongPromptsAreCutOnTheLeftAndCounted(t *testing.T) {
	m := textModel(t, 16)
	s, err := eval.NewModelScorer(m, nil)
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("which word? ", 20) + "Response:"
	got, err := s.Score(context.Background(), []eval.Example{{ID: "long", Prompt: long, Choices: []string{" A", " B"}}})
	if err != nil {
		t.Fatal(err)
	}
	ids := m.Tokenizer.Encode(long)
	kept := append([]int{ids[0]}, ids[len(ids)-15:]...)
	a := m.Tokenizer.Encode(long + " A")
	r, err := m.Forward(model.Prompts(kept), model.Want{Targets: model.Targets{{{Position: 15, Token: a[len(a)-1]}}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.Truncated != 1 || math.Abs(got[0][0]-r.LogProbs[0][0]) > 1e-5 {
		t.Errorf("truncated %d prompts, score %g, expected 1 and %g", s.Truncated, got[0][0], r.LogProbs[0][0])
	}
}

func TestScorerRefusesWhatItCannotScore(t *testing.T) {
	m := textModel(t, 64)
	s, err := eval.NewModelScorer(m, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Score(context.Background(), []eval.Example{{ID: "empty choice", Prompt: "A", Choices: []string{" B", ""}}}); err == nil || !strings.Contains(err.Error(), "empty choice") {
		t.Errorf("a choice without a token: %v, expected an error that names the example", err)
	}
	m.Tokenizer = nil
	if _, err := eval.NewModelScorer(m, nil); err == nil || !strings.Contains(err.Error(), "tokenizer.json") {
		t.Errorf("a model without a tokenizer: %v", err)
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
