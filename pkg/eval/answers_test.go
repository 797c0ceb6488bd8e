package eval

import (
	"context"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/model"
)

// scripted answers without a model, by a function of the example.
type scripted struct {
	name  string
	score func(e Example) []float64
	calls *int               // examples answered so far; may be nil
	stop  func(answered int) // called before each; may be nil
}

func (s scripted) Name() string { return s.name }

func (s scripted) JSON() json.RawMessage { return json.RawMessage(`{}`) }

func (s scripted) Run(ctx context.Context, _ *engine.Runner, _ model.Experiment, xs []Example, each func(int, Outcome) error) error {
	for i, e := range xs {
		if s.stop != nil {
			s.stop(*s.calls)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := each(i, Outcome{Scores: s.score(e)}); err != nil {
			return err
		}
		if s.calls != nil {
			*s.calls++
		}
	}
	return nil
}

// noModel is the runner of scripted answers.
func noModel() (*engine.Runner, error) { return nil, nil }

// alike gives every choice the same score.
var alike = scripted{name: "alike", score: func(e Example) []float64 { return make([]float64, len(e.Choices)) }}

// first always prefers the first option.
var first = scripted{name: "first", score: func(e Example) []float64 {
	scores := make([]float64, len(e.Choices))
	scores[0] = 1
	return scores
}}

// told answers examples of two choices rightly as told by id.
func told(name string, right map[string]bool) scripted {
	return scripted{name: name, score: func(e Example) []float64 {
		scores := []float64{-1, -1}
		chosen := 1 - e.Answer
		if right[e.ID] {
			chosen = e.Answer
		}
		scores[chosen] = -0.5
		return scores
	}}
}

// bigrams is a real, tiny language model: P(byte | byte before), add-one smoothed, learned from a text. The gain is an "intervention": log-probabilities are scaled by it.
func bigrams(name, text string, gain float64) scripted {
	var counts [256][256]float64
	var totals [256]float64
	for i := 1; i < len(text); i++ {
		counts[text[i-1]][text[i]]++
		totals[text[i-1]]++
	}
	return scripted{name: name, calls: new(int), score: func(e Example) []float64 {
		var scores []float64
		for _, choice := range e.Choices {
			before, sum := e.Prompt[len(e.Prompt)-1], 0.0
			for _, b := range []byte(choice) {
				sum += gain * math.Log((counts[before][b]+1)/(totals[before]+256))
				before = b
			}
			// Which byte follows the prompt's first letters decides nothing, but varies between examples.
			scores = append(scores, sum+1e-3*float64((len(e.Prompt)*31+int(choice[len(choice)-1])*17)%101))
		}
		return scores
	}}
}

// testTask is a task of the generator with three arms of bigrams; calls counts what each answers.
func testTask(t *testing.T, limit int) (task *Task, arms []Arm, calls []*int) {
	t.Helper()
	task = mustLoad(t, Generated, limit, TaskOptions{})
	var text strings.Builder
	for _, e := range task.Examples {
		text.WriteString(e.Prompt + e.Choices[e.Answer] + "\n")
	}
	for _, arm := range []struct {
		name string
		gain float64
	}{{"baseline", 1}, {"half", 0.5}, {"none", 0}} {
		answer := bigrams(arm.name, text.String(), arm.gain)
		arms, calls = append(arms, Arm{Name: arm.name, Answer: answer}), append(calls, answer.calls)
	}
	return task, arms, calls
}

func mustCompare(t *testing.T, task *Task, arms []Arm, o Options) *Comparison {
	t.Helper()
	o.Runner = noModel
	c, err := Compare(context.Background(), task, arms, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
