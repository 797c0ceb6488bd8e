package reason

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"

	"github.com/attune-lab/attune/pkg/eval"
	"github.com/attune-lab/attune/pkg/model"
)

// Scorer scores examples after an arm's computation: an [eval.Detailed] for an arm of [eval.Compare], whose details are an [Entry] for each example. The experiment
// acts on all of it, reasoning and answer.
type Scorer struct {
	Model      *model.Model
	Experiment model.Experiment // nil: the plain model
	Arm        Arm

	// Truncated counts prompts that were cut on the left, behind their first token, to make room for reasoning. Those of answers are cut alike.
	Truncated int

	answers *eval.ModelScorer
}

// NewScorer needs a model with a tokenizer.
func NewScorer(m *model.Model, exp model.Experiment, a Arm) (*Scorer, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	answers, err := eval.NewModelScorer(m, exp)
	if err != nil {
		return nil, err
	}
	return &Scorer{Model: m, Experiment: exp, Arm: a.withDefaults(), answers: answers}, nil
}

// thought is what was reasoned about an example.
type thought struct {
	text  string
	used  int  // tokens
	ended bool // by itself, within the budget
}

// Score implements [eval.Scorer].
func (s *Scorer) Score(ctx context.Context, examples []eval.Example) ([][]float64, error) {
	scores, _, err := s.ScoreDetailed(ctx, examples)
	return scores, err
}

// ScoreDetailed implements [eval.Detailed]: log-likelihoods of the choices after what the arm computes. Those of self-consistency are
// log((votes + mean probability) / (samples + 1)), so that by acc the majority wins, and among equals the more probable.
func (s *Scorer) ScoreDetailed(ctx context.Context, examples []eval.Example) (scores [][]float64, details []json.RawMessage, err error) {
	entries := make([]Entry, len(examples))
	switch s.Arm.Kind {
	case Direct, Filler:
		asked := slices.Clone(examples)
		for i := range asked {
			if s.Arm.Kind == Filler {
				asked[i].Prompt = s.filled(asked[i].Prompt)
			}
		}
		scores, err = s.answer(ctx, asked, entries)
	case SelfConsistency:
		scores, err = s.vote(ctx, examples, entries)
	default:
		scores, err = s.reasoned(ctx, examples, entries, model.Sampling{}, 0)
	}
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		text, err := json.Marshal(e)
		if err != nil {
			return nil, nil, fmt.Errorf("reason: ledger: %w", err)
		}
		details = append(details, text)
	}
	return scores, details, nil
}

// filled is a prompt with as many fillers behind it as make at most Budget tokens.
func (s *Scorer) filled(prompt string) string {
	most := len(s.Model.Tokenizer.Encode(prompt)) + s.Arm.Budget
	n := sort.Search(s.Arm.Budget, func(n int) bool { return len(s.Model.Tokenizer.Encode(prompt+strings.Repeat(s.Arm.Fill, n+1))) > most })
	return prompt + strings.Repeat(s.Arm.Fill, n)
}

// answer scores the choices after whole prompts and counts prompt and answer.
func (s *Scorer) answer(ctx context.Context, asked []eval.Example, entries []Entry) ([][]float64, error) {
	scores, err := s.answers.Score(ctx, asked)
	if err != nil {
		return nil, err
	}
	for i, e := range asked {
		prompt := len(s.Model.Tokenizer.Encode(e.Prompt))
		best := eval.Predict(eval.Acc, e.Choices, scores[i])
		entries[i].Prompt += prompt
		entries[i].Answer += len(s.Model.Tokenizer.Encode(e.Prompt+e.Choices[best])) - prompt
	}
	return scores, nil
}

// reasoned thinks once about each example and answers.
func (s *Scorer) reasoned(ctx context.Context, examples []eval.Example, entries []Entry, sampling model.Sampling, sample int) ([][]float64, error) {
	asked := slices.Clone(examples)
	opened, cues := make([]string, len(examples)), make([]string, len(examples))
	for i, e := range examples {
		at := strings.LastIndexByte(e.Prompt, '\n')
		if at < 0 || strings.TrimSpace(e.Prompt[at:]) == "" {
			return nil, fmt.Errorf("reason: example %s: the prompt has no last line that asks for the answer, such as \"Response:\": reasoning would have no place before it", e.ID)
		}
		opened[i], cues[i] = s.Arm.Instruction+e.Prompt[:at+1]+s.Arm.Opening, e.Prompt[at:]
	}
	thoughts, err := s.think(ctx, examples, opened, cues, sampling, sample)
	if err != nil {
		return nil, err
	}
	for i, t := range thoughts {
		asked[i].Prompt = opened[i] + strings.TrimRight(t.text, " \n") + cues[i]
		entries[i].Prompt -= t.used // answer counts the whole prompt
		entries[i].Reasoning += t.used
		entries[i].Thoughts = append(entries[i].Thoughts, t.text)
		if t.ended {
			entries[i].Ended++
		}
	}
	return s.answer(ctx, asked, entries)
}

// think reasons about all examples side by side.
func (s *Scorer) think(ctx context.Context, examples []eval.Example, opened, cues []string, sampling model.Sampling, sample int) ([]thought, error) {
	tok := s.Model.Tokenizer
	thoughts := make([]thought, len(examples))
	active := make([]int, len(examples))
	for i := range active {
		active[i] = i
	}
	for wait := 0; len(active) > 0; wait++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var prompts [][]int
		options := model.GenerateOptions{Sampling: sampling}
		left := make([]int, len(active)) // tokens
		for k, i := range active {
			prompt := tok.Encode(opened[i] + thoughts[i].text)
			left[k] = s.Arm.Budget - thoughts[i].used
			prompt, err := s.fit(prompt, left[k]+len(tok.EncodePlain(cues[i]))+longest(tok.EncodePlain, examples[i].Choices))
			if err != nil {
				return nil, fmt.Errorf("reason: example %s: %w", examples[i].ID, err)
			}
			prompts = append(prompts, prompt)
			options.MaxTokens = max(options.MaxTokens, left[k])
			options.SampleIDs = append(options.SampleIDs, sampleID(examples[i], sample))
			if !slices.Contains(options.Stop, cues[i]) {
				options.Stop = append(options.Stop, cues[i])
			}
		}
		g, err := s.Model.Generate(prompts, options, s.Experiment)
		if err != nil {
			return nil, err
		}
		var again []int
		for k, i := range active {
			t := &thoughts[i]
			tokens := g.Tokens[k][:min(len(g.Tokens[k]), left[k])]
			text, _, closed := strings.Cut(tok.Decode(tokens), cues[i])
			t.text, t.used, t.ended = t.text+text, t.used+len(tokens), closed || len(tokens) < left[k]
			if wait < s.Arm.Waits && t.ended {
				n := len(tok.EncodePlain(s.Arm.Wait))
				if s.Arm.Budget-t.used > n {
					t.text, t.used = strings.TrimRight(t.text, " \n")+s.Arm.Wait, t.used+n
					again = append(again, i)
				}
			}
		}
		active = again
	}
	return thoughts, nil
}

// fit cuts a prompt that leaves too little room in the context for what comes, as answers' are cut.
func (s *Scorer) fit(prompt []int, coming int) ([]int, error) {
	room := s.Model.Config.MaxPositions - coming
	if len(prompt) <= room {
		return prompt, nil
	}
	if room < 2 {
		return nil, fmt.Errorf("a budget of %d tokens and the answer leave no room for the prompt in the model's context of %d: lower it", s.Arm.Budget, s.Model.Config.MaxPositions)
	}
	s.Truncated++
	return eval.Crop(prompt, room), nil
}

// vote reasons several times about each example and counts the answers.
func (s *Scorer) vote(ctx context.Context, examples []eval.Example, entries []Entry) ([][]float64, error) {
	scores := make([][]float64, len(examples))
	for i, e := range examples {
		scores[i] = make([]float64, len(e.Choices))
	}
	for sample := range s.Arm.Samples {
		each, err := s.reasoned(ctx, examples, entries, model.Sampling{Temperature: s.Arm.Temperature, Seed: s.Arm.Seed}, sample)
		if err != nil {
			return nil, err
		}
		for i, e := range examples {
			scores[i][eval.Predict(eval.Acc, e.Choices, each[i])]++
			total := 0.0
			for _, x := range each[i] {
				total += math.Exp(x)
			}
			if total == 0 {
				return nil, errors.New("reason: every choice has probability 0 after example " + e.ID)
			}
			for c, x := range each[i] {
				scores[i][c] += math.Exp(x) / total / float64(s.Arm.Samples)
			}
		}
	}
	for _, row := range scores {
		for c := range row {
			row[c] = math.Log(max(row[c], math.SmallestNonzeroFloat64) / float64(s.Arm.Samples+1))
		}
	}
	return scores, nil
}

// sampleID numbers a random stream by example and sample, so that an example is sampled alike in any batch.
func sampleID(e eval.Example, sample int) uint64 {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", e.Hash(), sample))
	return binary.LittleEndian.Uint64(sum[:])
}

// longest is the most tokens that one of the choices has.
func longest(encode func(string) []int, choices []string) int {
	n := 0
	for _, c := range choices {
		n = max(n, len(encode(c)))
	}
	return n
}
