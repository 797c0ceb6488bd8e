package eval

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"

	"github.com/attune-lab/attune/pkg/emulate"
	"github.com/attune-lab/attune/pkg/emulate/apply"
	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/model"
)

// Answer is how an example is answered. It is data: its JSON is part of what an arm's results are stored under.
type Answer interface {
	// Name in one or two words, such as "choices" or "cot 128".
	Name() string
	// JSON names everything that the answer depends on, defaults filled in.
	JSON() json.RawMessage
	// Run answers the examples under an experiment, nil for the plain model, and gives each its outcome, with the example's place, as it is known.
	Run(ctx context.Context, r *engine.Runner, e model.Experiment, xs []Example, each func(i int, o Outcome) error) error
}

// Outcome is the result of one example under one arm.
type Outcome struct {
	Scores  []float64       `json:"scores,omitempty"`  // log-likelihood of each choice, natural logarithm; nil where the answer was read from a text
	Text    string          `json:"text,omitempty"`    // what was generated
	Letter  string          `json:"letter,omitempty"`  // the answer that was read from a text, or that won a vote
	Parsed  bool            `json:"parsed,omitempty"`  // whether there is such an answer; it decides, whatever the scores
	Tokens  Tokens          `json:"tokens"`            // what it took
	Detail  json.RawMessage `json:"detail,omitempty"`  // what else the answer says, such as what was reasoned
	Refused string          `json:"refused,omitempty"` // why the example was not answered, such as that it is longer than the context
}

// Tokens of one example, in those of the model's tokenizer.
type Tokens struct {
	Prompt    int `json:"prompt"`              // without what was cut off it
	Cue       int `json:"cue,omitempty"`       // of the line that asks for the answer, where it is told from the prompt; once, also where the model wrote it itself
	Reasoning int `json:"reasoning,omitempty"` // generated before the cue
	Forced    int `json:"forced,omitempty"`    // put before the cue and not generated: by budget forcing, fillers, repetitions
	Answer    int `json:"answer,omitempty"`    // of the choice that was taken, or of what was generated behind the reasoning
	Cut       int `json:"cut,omitempty"`       // cut off a prompt longer than the context, where that was asked for
}

// Sum is all of them but those that were cut off.
func (t Tokens) Sum() int { return t.Prompt + t.Cue + t.Reasoning + t.Forced + t.Answer }

// check that an answer kept to its contract.
func (o Outcome) check(e Example) error {
	if o.Refused != "" || o.Scores == nil && (o.Text != "" || o.Parsed || o.Detail != nil) {
		return nil
	}
	if len(o.Scores) != len(e.Choices) {
		return fmt.Errorf("example %s: %d scores for %d choices", e.ID, len(o.Scores), len(e.Choices))
	}
	for choice, score := range o.Scores {
		if math.IsNaN(score) || math.IsInf(score, 0) {
			return fmt.Errorf("example %s, choice %d: log-likelihood %v, expected a finite number: the model's output is broken there", e.ID, choice, score)
		}
	}
	return nil
}

// Arm is one thing to compare: an intervention and a way to answer. The zero value but for its name is the untouched model.
type Arm struct {
	Name   string
	Plan   emulate.Plan // the intervention; empty = none
	Answer Answer       // nil = Choices{}
	// Experiment is an intervention that is not data, such as one written in a notebook's cell, in place of Plan: its results are never stored.
	Experiment model.Experiment
	// Runner is of a model of the arm's own, and Model and Tokenizer that model's hashes; nil = those of the comparison.
	Runner           func() (*engine.Runner, error)
	Model, Tokenizer string
}

// answer is the arm's way to answer.
func (a Arm) answer() Answer {
	if a.Answer == nil {
		return Choices{}
	}
	return a.Answer
}

// JSON is what the arm's results are stored under: its plan and its answer, defaults filled in. The name is not part of it.
func (a Arm) JSON() json.RawMessage {
	answer := a.answer()
	text, err := json.Marshal(map[string]any{"plan": json.RawMessage(a.Plan.JSON()), "answer": map[string]any{"name": answer.Name(), "options": answer.JSON()}})
	if err != nil {
		panic(err) // an Answer whose JSON is none: a programming error
	}
	return text
}

// same reports whether two arms compute the same.
func (a Arm) same(b Arm) bool {
	return a.Experiment == nil && b.Experiment == nil && a.Model == b.Model && (a.Runner == nil) == (b.Runner == nil) && bytes.Equal(a.JSON(), b.JSON()) ||
		a.Experiment != nil && b.Experiment != nil && reflect.DeepEqual(a.Experiment, b.Experiment) && a.answer().Name() == b.answer().Name()
}

// experiment attaches the arm's intervention.
func (a Arm) experiment() (model.Experiment, error) {
	if a.Experiment != nil {
		if len(a.Plan) > 0 {
			return nil, errors.New("it has a plan and an experiment: one of them is enough")
		}
		return a.Experiment, nil
	}
	return apply.Plan(a.Plan)
}
