package eval

import (
	"context"
	"fmt"

	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/hf/tokenizer"
	"github.com/attune-lab/attune/pkg/model"
)

// Size is how much one arm of a task computes.
type Size struct {
	Prompts int // tokens of the prompts
	Tokens  int // of the sequences: a prompt counts once for each choice that is scored behind it, unless choices share their row
	Padded  int // the same with padding and dummy rows: what a device computes
}

// SizeOf counts what an arm computes that scores choices, or, where it writes, the tokens of its prompts, without what it writes. It needs no weights.
func SizeOf(ctx context.Context, task *Task, how Answer, c *model.Config, tok *tokenizer.Tokenizer, g engine.Geometry) (s Size, err error) {
	m := &model.Model{Config: c, Tokenizer: tok}
	var lengths []int
	prompts, batches := 0, g.Batches
	if choices, ok := how.(Choices); ok || how == nil {
		layouts, err := choices.layouts(ctx, m, task.Examples)
		if err != nil {
			return s, fmt.Errorf("eval: %w", err)
		}
		batches = g.Scoring
		for _, l := range layouts {
			prompts += l.prompt
			rows := l.rows
			if g.Trees {
				rows = join(rows)
			}
			for _, row := range rows {
				lengths = append(lengths, len(row.tokens))
			}
		}
	} else {
		for _, e := range task.Examples {
			n := min(len(e.Encode(tok, e.Prompt)), c.MaxPositions)
			lengths, prompts = append(lengths, n), prompts+n
		}
	}
	for _, n := range lengths {
		s.Tokens += n
	}
	for _, b := range batches(lengths) {
		s.Padded += b.Tokens()
	}
	s.Prompts = prompts
	return s, nil
}

// SizeOfLengths counts sequences of these lengths, which are prompts as they stand.
func SizeOfLengths(lengths []int, g engine.Geometry) (s Size) {
	for _, n := range lengths {
		s.Tokens += n
	}
	s.Prompts = s.Tokens
	for _, b := range g.Batches(lengths) {
		s.Padded += b.Tokens()
	}
	return s
}
