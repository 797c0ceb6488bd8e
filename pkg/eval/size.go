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
	Tokens  int // of the sequences: a prompt counts once for each choice that is scored behind it
	Padded  int // the same with padding and dummy rows: what a device computes
}

// SizeOf counts what an arm computes that scores choices, or, where it writes, the tokens of its prompts, without what it writes. It needs no weights.
func SizeOf(ctx context.Context, task *Task, how Answer, c *model.Config, tok *tokenizer.Tokenizer, g engine.Geometry) (s Size, err error) {
	m := &model.Model{Config: c, Tokenizer: tok}
	var lengths []int
	prompts := 0
	if choices, ok := how.(Choices); ok || how == nil {
		layouts, err := choices.layouts(ctx, m, task.Examples)
		if err != nil {
			return s, fmt.Errorf("eval: %w", err)
		}
		for _, l := range layouts {
			prompts += l.prompt
			for _, row := range l.rows {
				lengths = append(lengths, len(row.tokens))
			}
		}
	} else {
		for _, e := range task.Examples {
			n := min(len(e.Encode(tok, e.Prompt)), c.MaxPositions)
			lengths, prompts = append(lengths, n), prompts+n
		}
	}
	s = SizeOfLengths(lengths, g)
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
		s.Padded += b.Width * b.Rows
	}
	return s
}
