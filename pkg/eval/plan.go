package eval

import (
	"context"
	"fmt"
	"slices"

	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/store"
)

// Planned is what one arm of a comparison would compute.
type Planned struct {
	Arm    string
	Key    store.Key // of its results; "" where nothing is stored
	Items  int
	Known  int   // of Items, in the store
	Tokens int   // of the prompts that are left; what an arm writes comes on top
	Widths []int // of the passes that score what is left; nil where the arm writes
}

// Plan says what [Compare] would compute with the same arguments. It computes nothing.
func Plan(ctx context.Context, task *Task, arms []Arm, o Options) ([]Planned, error) {
	if err := checkArms(task, arms, o); err != nil {
		return nil, err
	}
	c := &collection{task: task, examples: slices.Clone(task.Examples), arms: arms, options: o}
	for i := range c.examples {
		c.examples[i].shared = new(shared)
	}
	if err := c.load(); err != nil {
		return nil, err
	}
	var out []Planned
	for a, arm := range arms {
		p := Planned{Arm: arm.Name, Items: len(c.examples), Known: len(c.examples) - len(c.missing[a])}
		if c.jobs[a].Code != "" {
			p.Key = c.jobs[a].Key()
		}
		if err := c.price(ctx, a, &p); err != nil {
			return nil, fmt.Errorf("eval: arm %s: %w", arm.Name, err)
		}
		out = append(out, p)
	}
	return out, nil
}

// price counts an arm's missing tokens, and the widths of its passes.
func (c *collection) price(ctx context.Context, a int, p *Planned) error {
	open := c.arms[a].Runner
	if open == nil {
		open = c.options.Runner
	}
	if len(c.missing[a]) == 0 || open == nil {
		return nil
	}
	r, err := open()
	if err != nil || r == nil {
		return err
	}
	var xs []Example
	for _, i := range c.missing[a] {
		xs = append(xs, c.examples[i])
	}
	how, scores := c.arms[a].answer().(Choices)
	if !scores {
		for _, x := range xs {
			p.Tokens += len(r.Model().Tokenizer.Encode(x.Prompt))
		}
		return nil
	}
	layouts, err := how.layouts(ctx, r.Model(), xs)
	if err != nil {
		return err
	}
	e, err := c.arms[a].experiment()
	if err != nil {
		return err
	}
	trees, err := r.Trees(e)
	if err != nil {
		return err
	}
	var lengths []int
	for _, l := range layouts {
		p.Tokens += l.prompt
		rows := l.rows
		if trees {
			rows = join(rows)
		}
		for _, row := range rows {
			lengths = append(lengths, len(row.tokens))
		}
	}
	p.Widths = widths(r.Geometry().Scoring(lengths))
	return nil
}

// widths of batches, each once, widest first as the batches are.
func widths(batches []engine.Batch) (out []int) {
	for _, b := range batches {
		if len(out) == 0 || out[len(out)-1] != b.Width {
			out = append(out, b.Width)
		}
	}
	return out
}
