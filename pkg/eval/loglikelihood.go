package eval

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/attune-lab/attune/pkg/model"
)

// ModelScorer scores examples with a model, an intervention attached or none. Arms that share a model share its weights.
//
// Tokens are those of the common harness: the continuation of a choice is what the tokens of prompt+choice have beyond the tokens
// of the prompt alone. Where every choice is one token after the same prompt, one pass over the prompt scores them all.
type ModelScorer struct {
	Model      *model.Model
	Experiment model.Experiment // nil: the plain model

	// Truncated counts prompts that were longer than the model's context; they were cut on the left, behind their first token.
	Truncated int
	// Tokens counts the tokens computed, padding left out.
	Tokens int
	// Plan says how each layer's attention was computed.
	Plan []string
}

// NewModelScorer needs a model with a tokenizer.
func NewModelScorer(m *model.Model, exp model.Experiment) (*ModelScorer, error) {
	if m.Tokenizer == nil {
		return nil, errors.New("eval: the model has no tokenizer.json, and items are text: put one into its directory")
	}
	return &ModelScorer{Model: m, Experiment: exp}, nil
}

// row is one sequence of a forward pass: a prompt with one choice, or with all of them.
type row struct {
	tokens  []int
	targets []model.Target
	choices []int // of each target; targets of one choice are summed
}

// Score implements [Scorer].
func (s *ModelScorer) Score(ctx context.Context, examples []Example) ([][]float64, error) {
	var rows []row
	owner := []int{}
	for i, e := range examples {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		rs, err := s.rows(e)
		if err != nil {
			return nil, fmt.Errorf("example %s: %w", e.ID, err)
		}
		for range rs {
			owner = append(owner, i)
		}
		rows = append(rows, rs...)
	}
	batch, targets := model.Batch{}, model.Targets{}
	for _, r := range rows {
		batch.Tokens, targets = append(batch.Tokens, r.tokens), append(targets, r.targets)
		s.Tokens += len(r.tokens)
	}
	result, err := s.Model.Forward(batch, model.Want{Targets: targets}, s.Experiment)
	if err != nil {
		return nil, err
	}
	s.Plan = result.Plan
	scores := make([][]float64, len(examples))
	for i, e := range examples {
		scores[i] = make([]float64, len(e.Choices))
	}
	for r, row := range rows {
		for t, choice := range row.choices {
			scores[owner[r]][choice] += result.LogProbs[r][t]
		}
	}
	return scores, nil
}

// rows lays an example out as sequences.
func (s *ModelScorer) rows(e Example) ([]row, error) {
	prompt := s.Model.Tokenizer.Encode(e.Prompt)
	if len(prompt) == 0 {
		return nil, errors.New("the prompt has no token")
	}
	wholes := make([][]int, len(e.Choices))
	oneToken := true
	for c, choice := range e.Choices {
		wholes[c] = s.Model.Tokenizer.Encode(e.Prompt + choice)
		if len(wholes[c]) <= len(prompt) {
			return nil, fmt.Errorf("choice %d (%q) adds no token to the prompt: a continuation needs one of its own", c, choice)
		}
		oneToken = oneToken && len(wholes[c]) == len(prompt)+1 && slices.Equal(wholes[c][:len(prompt)], wholes[0][:len(prompt)])
	}
	if oneToken {
		r := row{tokens: s.fit(wholes[0][:len(prompt)])}
		for c, whole := range wholes {
			r.targets = append(r.targets, model.Target{Position: len(r.tokens) - 1, Token: whole[len(prompt)]})
			r.choices = append(r.choices, c)
		}
		return []row{r}, nil
	}
	rows := make([]row, len(wholes))
	for c, whole := range wholes {
		continuation := whole[len(prompt):]
		if len(continuation) >= s.Model.Config.MaxPositions {
			return nil, fmt.Errorf("choice %d has %d tokens, the model's context is %d", c, len(continuation), s.Model.Config.MaxPositions)
		}
		r := row{tokens: s.fit(whole[:len(whole)-1])} // the last token is only predicted
		for k, id := range continuation {
			r.targets = append(r.targets, model.Target{Position: len(r.tokens) - len(continuation) + k, Token: id})
			r.choices = append(r.choices, c)
		}
		rows[c] = r
	}
	return rows, nil
}

// fit cuts a sequence that is longer than the context.
func (s *ModelScorer) fit(tokens []int) []int {
	n := s.Model.Config.MaxPositions
	if len(tokens) > n {
		s.Truncated++
	}
	return Crop(tokens, n)
}

// Crop cuts a sequence to at most n tokens, n at least 1: its first token (BOS, in most models) and its last ones stay.
func Crop(tokens []int, n int) []int {
	if len(tokens) <= n {
		return tokens
	}
	return append([]int{tokens[0]}, tokens[len(tokens)-n+1:]...)
}
