package eval

import (
	"context"
	"fmt"

	"github.com/attune-lab/attune/pkg/corpus"
	"github.com/attune-lab/attune/pkg/corpus/generate"
	"github.com/attune-lab/attune/pkg/corpus/source"
	"github.com/attune-lab/attune/pkg/hf/chat"
)

// Generated is the reference to the generator's held-out split, see [source.Open].
const Generated = source.Generated

// FromGenerator reports whether a task's reference names the generator and not a file.
func FromGenerator(ref string) bool { return source.IsGenerated(ref) }

// TaskOptions of [LoadTask]. The zero value loads a task as its protocol has it, zero-shot.
type TaskOptions struct {
	Seed    uint64           // of the subset when there is a limit
	Shots   int              // worked examples: the first of each subject's dev split for MMLU, of the train split for GSM8K, else the first items, which are then not asked
	STEM    source.STEMMap   // MMLU: which subjects are STEM; zero means source.DefaultMMLUSTEM
	Corpus  generate.Options // of the generated task; its Train is not made
	Columns string           // of your own file, see [source.ParseColumns]
	Chat    *chat.Template   // prompts go through the checkpoint's chat template, see [Task.Chat]; nil = they do not
	NoBOS   bool             // prompts do not begin with the tokenizer's BOS
	// Letters asks for the letter of an option, all options in the prompt ([TemplateItems]), also where a task's own protocol scores the texts
	// (PIQA, SIQA, ARC, HellaSwag): what reasoning and written answers need.
	Letters bool
}

// LoadTask makes a task of what a reference names, see [source.Open]: the generator, a published set, a data set of the hub, a file of your own items. A
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
	switch {
	case o.Chat != nil && o.NoBOS:
		return nil, fmt.Errorf("eval: a chat template and no BOS: the template says what a prompt begins with, choose one of them")
	case o.Chat != nil:
		return t, t.Chat(o.Chat)
	case o.NoBOS:
		t.WithoutBOS()
	}
	return t, nil
}

func load(ref string, o TaskOptions) (*Task, error) {
	set, err := source.Open(context.Background(), ref, source.Options{Columns: o.Columns, Generator: o.Corpus})
	if err != nil {
		return nil, err
	}
	if o.Shots < 0 {
		return nil, fmt.Errorf("eval: %d worked examples asked for, expected 0 or more", o.Shots)
	}
	if len(set.Problems) > 0 {
		template := TemplateProblems
		switch set.Kind {
		case source.KindGSM8K:
			template = TemplateGSM8K
		case source.KindBBH:
			template = TemplateBBH
		}
		worked, problems, err := workedProblems(ref, set, o.Shots)
		if err != nil {
			return nil, err
		}
		template.Shots = o.Shots
		t, err := NewOpenTask(set.Name, template, problems, worked)
		return t.behind(len(set.Problems) - len(problems)), err
	}
	worked, items, err := workedItems(ref, set, o.Shots)
	if err != nil {
		return nil, err
	}
	template, grouping, group := TemplateItems, "declared", func(item corpus.Item) bool { return item.STEM }
	switch {
	case set.Kind == source.KindMMLU:
		if o.STEM.Name == "" {
			o.STEM = source.DefaultMMLUSTEM
		}
		template, grouping, group = TemplateMMLU, o.STEM.Name, func(item corpus.Item) bool { return o.STEM.Has(item.Domain) }
	case o.Letters:
	case set.Kind == source.KindSIQA:
		template, group = TemplateSIQA, nil
	case set.Kind == source.KindPIQA:
		template, group = TemplatePIQA, nil
	case set.Kind == source.KindARC:
		template, group = TemplateARC, nil
	case set.Kind == source.KindHellaSwag:
		template, group = TemplateHellaSwag, nil
	case set.Kind == source.KindGenerated:
		grouping = "generator"
	}
	if template.Shots = o.Shots; o.Shots > 0 && template.Between == "" {
		template.Between = betweenShots
	}
	t, err := NewTask(set.Name, template, items, worked, group)
	if err == nil && t.Examples[0].Group != "" {
		t.Grouping = grouping
	}
	return t.behind(len(set.Items) - len(items)), err
}

// behind is a task whose examples stand behind so many of their source, which were taken out as worked examples.
func (t *Task) behind(n int) *Task {
	if t != nil {
		for i := range t.Examples {
			t.Examples[i].Row += n
		}
	}
	return t
}
