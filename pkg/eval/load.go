package eval

import (
	"context"
	"fmt"

	"github.com/attune-lab/attune/pkg/corpus"
	"github.com/attune-lab/attune/pkg/corpus/generate"
	"github.com/attune-lab/attune/pkg/corpus/source"
)

// Generated is the reference to the generator's held-out split, see [source.Open].
const Generated = source.Generated

// FromGenerator reports whether a task's reference names the generator and not a file.
func FromGenerator(ref string) bool { return source.IsGenerated(ref) }

// TaskOptions of [LoadTask]. The zero value loads a task as its protocol has it, zero-shot.
type TaskOptions struct {
	Seed    uint64           // of the subset when there is a limit
	Shots   int              // MMLU: worked examples, the first of each subject's dev split; 0 to 5
	STEM    source.STEMMap   // MMLU: which subjects are STEM; zero means source.DefaultMMLUSTEM
	Corpus  generate.Options // of the generated task; its Train is not made
	Columns string           // of one's own file, see [source.ParseColumns]
	// Letters asks for the letter of an option, all options in the prompt ([TemplateItems]), also where a task's own protocol scores the texts
	// (PIQA, SIQA, ARC, HellaSwag): what reasoning and written answers need.
	Letters bool
}

// LoadTask makes a task of what a reference names, see [source.Open]: the generator, a published set, a data set of the hub, a file of one's own items. A
// limit above 0 keeps a seeded subset of so many examples.
func LoadTask(ref string, limit int, o TaskOptions) (*Task, error) {
	if limit < 0 {
		return nil, fmt.Errorf("eval: limit %d: expected 0 for all examples, or how many to keep", limit)
	}
	t, err := load(ref, o)
	if err != nil {
		return nil, err
	}
	t.Limit(limit, o.Seed)
	return t, nil
}

func load(ref string, o TaskOptions) (*Task, error) {
	set, err := source.Open(context.Background(), ref, source.Options{Columns: o.Columns, Generator: o.Corpus})
	if err != nil {
		return nil, err
	}
	if o.Shots != 0 && set.Kind != source.KindMMLU {
		return nil, fmt.Errorf("eval: %d worked examples asked for %s: only MMLU has a split for them, use 0", o.Shots, ref)
	}
	if len(set.Problems) > 0 {
		template := TemplateProblems
		switch set.Kind {
		case source.KindGSM8K:
			template = TemplateGSM8K
		case source.KindBBH:
			template = TemplateBBH
		}
		return NewOpenTask(set.Name, template, set.Problems, nil)
	}
	declared := func(item corpus.Item) bool { return item.STEM }
	if o.Letters && set.Kind != source.KindMMLU {
		return withGrouping("declared")(NewTask(set.Name, TemplateItems, set.Items, nil, declared))
	}
	switch set.Kind {
	case source.KindSIQA:
		return NewTask(set.Name, TemplateSIQA, set.Items, nil, nil)
	case source.KindPIQA:
		return NewTask(set.Name, TemplatePIQA, set.Items, nil, nil)
	case source.KindARC:
		return NewTask(set.Name, TemplateARC, set.Items, nil, nil)
	case source.KindHellaSwag:
		return NewTask(set.Name, TemplateHellaSwag, set.Items, nil, nil)
	case source.KindMMLU:
		return loadMMLU(ref, set.Items, o)
	case source.KindGenerated:
		return withGrouping("generator")(NewTask(set.Name, TemplateItems, set.Items, nil, declared))
	default:
		return withGrouping("declared")(NewTask(set.Name, TemplateItems, set.Items, nil, declared))
	}
}

func loadMMLU(dir string, items []corpus.Item, o TaskOptions) (*Task, error) {
	if o.STEM.Name == "" {
		o.STEM = source.DefaultMMLUSTEM
	}
	template := TemplateMMLU
	template.Shots = o.Shots
	worked := make(map[string][]corpus.Item)
	if o.Shots < 0 {
		return nil, fmt.Errorf("eval: %d worked examples asked for, expected 0 or more", o.Shots)
	}
	if o.Shots > 0 {
		dev, err := source.ReadMMLU(dir, "dev")
		if err != nil {
			return nil, fmt.Errorf("eval: %d worked examples asked for: %w", o.Shots, err)
		}
		for _, item := range dev {
			worked[item.Domain] = append(worked[item.Domain], item)
		}
	}
	stem := func(item corpus.Item) bool { return o.STEM.Has(item.Domain) }
	return withGrouping(o.STEM.Name)(NewTask("mmlu", template, items, worked, stem))
}

// withGrouping names where a task's groups come from, if it has any.
func withGrouping(name string) func(*Task, error) (*Task, error) {
	return func(t *Task, err error) (*Task, error) {
		if err == nil && t.Examples[0].Group != "" {
			t.Grouping = name
		}
		return t, err
	}
}
