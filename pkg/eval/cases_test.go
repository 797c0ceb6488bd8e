package eval_test

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/eval"
	"github.com/attune-lab/attune/pkg/hf/tokenizer"
	"github.com/attune-lab/attune/pkg/model"
)

// beside is a folder beside the repository; the test is skipped where it is absent.
func beside(t *testing.T, path ...string) string {
	t.Helper()
	dir := filepath.Join(append([]string{"..", "..", "..", "shared"}, path...)...)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("needs shared/%s beside the repository, which is absent", filepath.Join(path...))
	}
	return dir
}

// inputs reads a case's example.
func inputs(t *testing.T, name string) (x eval.Example) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(beside(t, "cases", name), "example.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &x); err != nil {
		t.Fatal(err)
	}
	x.ID = name
	return x
}

func stories(t *testing.T) *model.Model {
	t.Helper()
	m, err := model.Load(beside(t, "data", "models", "stories260k"), model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestCaseBoundaryMerge: a choice that merges with the prompt's last token has no token of its own, which is said before the first pass.
func TestCaseBoundaryMerge(t *testing.T) {
	x := inputs(t, "boundary-merge")
	if _, err := answer(t, stories(t), nil, eval.Choices{}, x); err == nil || !strings.Contains(err.Error(), `boundary-merge: choice 0 ("e")`) {
		t.Errorf("error %v, expected one that names example and choice", err)
	}
}

// TestCasePromptEndsInSpace: the white space goes to the choice, and all its tokens are scored.
func TestCasePromptEndsInSpace(t *testing.T) {
	x := inputs(t, "prompt-ends-in-space")
	tok, err := tokenizer.Load(beside(t, "data", "tokenizers", "gpt2"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.New(&model.Config{ModelType: "llama", VocabSize: tok.VocabSize(), HiddenSize: 16, IntermediateSize: 32, Layers: 1, Heads: 2, KVHeads: 2, HeadDim: 8,
		MaxPositions: 64, NormEps: 1e-5, RopeTheta: 10000, InitializerRange: 0.5}, tok, 7, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	trimmed := x
	trimmed.Prompt = strings.TrimSuffix(x.Prompt, " ")
	trimmed.Choices = []string{" " + x.Choices[0], " " + x.Choices[1]}
	got, err := answer(t, m, nil, eval.Choices{}, x, trimmed)
	if err != nil {
		t.Fatal(err)
	}
	for k := range x.Choices {
		want := logLikelihood(t, m, nil, trimmed.Prompt, trimmed.Choices[k])
		if got[0].Scores[k] != got[1].Scores[k] || math.Abs(got[0].Scores[k]-want) > 1e-4 {
			t.Errorf("choice %q: %g, of %q %g, its logits give %g", x.Choices[k], got[0].Scores[k], trimmed.Choices[k], got[1].Scores[k], want)
		}
	}
}

// TestCaseTruncatedCount: one prompt that is too long is one refusal, however many choices and tokens it has.
func TestCaseTruncatedCount(t *testing.T) {
	x := inputs(t, "truncated-count")
	x.Prompt = strings.Repeat("the little girl saw a big dog ", 130) + "and"
	m := stories(t)
	task := &eval.Task{Name: "case", TemplateHash: "0123456789", Metric: eval.Acc, Metrics: []string{eval.Acc}, Examples: []eval.Example{x, {ID: "short", Prompt: "the little girl", Choices: []string{" ran", " sat"}}}}
	c, err := eval.Compare(context.Background(), task, []eval.Arm{{Name: "untouched"}}, eval.Options{Runner: func() (*engine.Runner, error) { return engine.New(m, engine.Options{}), nil }})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Refused) != 1 || c.Refused[0].ID != "truncated-count" || c.N != 1 {
		t.Errorf("refused %+v, compared %d", c.Refused, c.N)
	}
}

// TestCaseLettersUnknown: letters that are one token for the tokenizer tie, and a tie of all is worth a guess.
func TestCaseLettersUnknown(t *testing.T) {
	dir := beside(t, "cases", "letters-unknown")
	m := stories(t)
	tok, err := tokenizer.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	m.Tokenizer = tok
	task, err := eval.LoadTask(filepath.Join(dir, "items.jsonl"), 0, eval.TaskOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := eval.Compare(context.Background(), task, []eval.Arm{{Name: "untouched"}}, eval.Options{Runner: func() (*engine.Runner, error) { return engine.New(m, engine.Options{}), nil }})
	if err != nil {
		t.Fatal(err)
	}
	row, _ := c.Row(eval.Acc, eval.GroupAll, "untouched")
	if row.Accuracy != 0.25 || row.Undecided != 30 || !row.AtChance() {
		t.Errorf("%s", row)
	}
}
