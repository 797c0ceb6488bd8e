package model_test

import (
	"math"
	"slices"
	"testing"

	"github.com/attune-lab/attune/pkg/model"
)

// Float32 sums in another order: a batch of one and a batch of three take different loops.
const batchTolerance = 1e-4

func TestBatchEqualsItsItemsAlone(t *testing.T) {
	m := tinyModel(t)
	prompts := [][]int{tokens(1, 5, 97), tokens(2, 23, 97), tokens(3, 14, 97)}
	together := logits(t, m, prompts, nil)
	for i, p := range prompts {
		alone := logits(t, m, [][]int{p}, nil)[0]
		if d := maxDiff(together[i], alone); !(d <= batchTolerance) {
			t.Errorf("prompt %d: logits differ by %g between a batch and the prompt alone", i, d)
		}
	}
}

func TestPaddingIsNeverSeen(t *testing.T) {
	m := tinyModel(t)
	p := tokens(4, 11, 97)
	for _, pad := range []int{0, 96} {
		r, err := m.Forward(model.Batch{Tokens: [][]int{p, tokens(5, 40, 97)}, Pad: pad}, model.Outputs{Targets: model.Targets{{{Position: 10, Token: 3}}, nil}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		alone, err := m.Forward(model.Prompts(p), model.Outputs{Targets: model.Targets{{{Position: 10, Token: 3}}}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if d := r.LogProbs[0][0] - alone.LogProbs[0][0]; d > batchTolerance || d < -batchTolerance {
			t.Errorf("pad id %d changes a log-probability by %g", pad, d)
		}
	}
}

// TestTargetsAreLogProbabilities: what Outputs.Targets gives for a few tokens, such as answer letters, is the log-softmax of the logits there.
func TestTargetsAreLogProbabilities(t *testing.T) {
	m := tinyModel(t)
	prompts := [][]int{tokens(1, 5, 97), tokens(2, 13, 97)}
	all := logits(t, m, prompts, nil)
	letters := func(n int) []model.Target {
		return []model.Target{{Position: n - 1, Token: 40}, {Position: n - 1, Token: 41}, {Position: 0, Token: 9}}
	}
	r, err := m.Forward(model.Batch{Tokens: prompts}, model.Outputs{Targets: model.Targets{letters(5), letters(13)}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range prompts {
		for k, target := range letters(len(prompts[i])) {
			row := all[i][target.Position*97:][:97]
			sum := 0.0
			for _, x := range row {
				sum += math.Exp(float64(x))
			}
			if want := float64(row[target.Token]) - math.Log(sum); math.Abs(r.LogProbs[i][k]-want) > batchTolerance {
				t.Errorf("prompt %d, %+v: %g, expected %g", i, target, r.LogProbs[i][k], want)
			}
		}
	}
}

func TestCausality(t *testing.T) {
	m := tinyModel(t)
	p := tokens(6, 20, 97)
	changed := slices.Clone(p)
	changed[12] = (p[12]+5)%90 + 3
	a, b := logits(t, m, [][]int{p}, nil)[0], logits(t, m, [][]int{changed}, nil)[0]
	v := m.Config.VocabSize
	if d := maxDiff(a[:12*v], b[:12*v]); d != 0 {
		t.Errorf("a token at position 12 changes earlier logits by %g", d)
	}
	if d := maxDiff(a[12*v:], b[12*v:]); d < 1e-3 {
		t.Errorf("a token at position 12 changes later logits by only %g", d)
	}
}

func TestForwardRefusesBadBatches(t *testing.T) {
	m := tinyModel(t)
	for name, b := range map[string]model.Batch{
		"no prompt":         {},
		"empty prompt":      {Tokens: [][]int{{1, 2}, {}}},
		"id beyond vocab":   {Tokens: [][]int{{1, 97}}},
		"negative id":       {Tokens: [][]int{{-1}}},
		"too many positons": {Tokens: [][]int{tokens(1, 129, 97)}},
	} {
		if _, err := m.Forward(b, model.Outputs{Logits: true}, nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := m.Forward(model.Prompts([]int{1, 2}), model.Outputs{Targets: model.Targets{{{Position: 2, Token: 0}}}}, nil); err == nil {
		t.Error("a target beyond the prompt: no error")
	}
}

func TestFixtureLogits(t *testing.T) {
	dir, ref := reference(t, "llama-gqa")
	m, err := model.Load(dir, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ids, err := ref.Tensor("input_ids")
	if err != nil {
		t.Fatal(err)
	}
	flat, err := ids.Int32s()
	if err != nil {
		t.Fatal(err)
	}
	prompts := make([][]int, 2)
	for i, id := range flat {
		prompts[i/40] = append(prompts[i/40], int(id))
	}
	got := slices.Concat(logits(t, m, prompts, nil)...)
	if d := maxDiff(got, floats(t, ref, "logits")); !(d <= 2e-4) {
		t.Errorf("logits differ from transformers by %g, expected at most 2e-4", d)
	}
}
