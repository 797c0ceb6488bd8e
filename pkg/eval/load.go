package eval

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/attune-lab/attune/pkg/corpus"
	"github.com/attune-lab/attune/pkg/corpus/generate"
	"github.com/attune-lab/attune/pkg/corpus/source"
)

// Generated is the name of the task made of the generator's held-out split: of its first edition, or with "generated:medium,hard" of those grades.
const Generated = "generated"

// FromGenerator reports whether a task's source names the generator and not a file.
func FromGenerator(ref string) bool {
	name, _, _ := strings.Cut(ref, ":")
	return name == Generated
}

// TaskOptions of [LoadTask]. The zero value loads a task as its protocol has it, zero-shot.
type TaskOptions struct {
	Seed   uint64           // of the subset when there is a limit
	Shots  int              // MMLU: worked examples, the first of each subject's dev split; 0 to 5
	STEM   source.STEMMap   // MMLU: which subjects are STEM; zero means source.DefaultMMLUSTEM
	Corpus generate.Options // of the generated task; its Train is not made
}

// LoadTask makes a task of a source: "generated" or "generated:easy" for the held-out split of the generator, the directory of SIQA, PIQA or
// MMLU as published, an exported corpus, or a .jsonl file of one's own items. A limit above 0 keeps a seeded subset of so many examples.
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
	kind, items, err := source.Kind(Generated), []corpus.Item(nil), error(nil)
	name, grades, graded := strings.Cut(ref, ":")
	if FromGenerator(ref) {
		if graded {
			o.Corpus.Grades = nil
			for g := range strings.SplitSeq(grades, ",") {
				g = strings.TrimSpace(g)
				name += "-" + g
				o.Corpus.Grades = append(o.Corpus.Grades, corpus.Grade(g))
			}
		}
		o.Corpus.Train = -1 // only the held-out split is asked
		var c *generate.Corpus
		if c, err = generate.Generate(o.Corpus); err == nil {
			items = c.HeldOut
		}
	} else {
		kind, items, err = source.ReadAny(ref)
	}
	if err != nil {
		return nil, err
	}
	if o.Shots != 0 && kind != source.KindMMLU {
		return nil, fmt.Errorf("eval: %d worked examples asked for %s: only MMLU has a split for them, use 0", o.Shots, ref)
	}
	declared := func(item corpus.Item) bool { return item.STEM }
	switch kind {
	case source.KindSIQA:
		return NewTask("siqa", TemplateSIQA, items, nil, nil)
	case source.KindPIQA:
		return NewTask("piqa", TemplatePIQA, items, nil, nil)
	case source.KindMMLU:
		return loadMMLU(ref, items, o)
	case source.KindJSONL:
		name := strings.TrimSuffix(filepath.Base(ref), filepath.Ext(ref))
		return withGrouping("declared")(NewTask(name, TemplateItems, items, nil, declared))
	default:
		return withGrouping("generator")(NewTask(name, TemplateItems, items, nil, declared))
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
