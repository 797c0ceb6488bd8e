package eval

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/attune-lab/attune/pkg/corpus"
	"github.com/attune-lab/attune/pkg/eval/extract"
)

// choiceOpen are no continuations: the answer is written, and read by [Extracted].
const choiceOpen = "open"

// Templates of tasks whose answer is written freely.
var (
	// TemplateGSM8K is that of the common harness. Worked examples show the steps and "#### 18".
	TemplateGSM8K = Template{Name: "gsm8k", Question: "Question: {question}\nAnswer:", Between: "\n\n", Choices: choiceOpen, Metrics: []string{Acc}}
	// TemplateBBH is the harness' zero-shot chain of thought for BIG-Bench Hard.
	TemplateBBH = Template{Name: "bbh", Question: "Q: {question}\nA: Let's think step by step.\n", Choices: choiceOpen, Metrics: []string{Acc}}
	// TemplateProblems is for other open questions.
	TemplateProblems = Template{Name: "problems", Question: "Question: {question}\nAnswer:", Between: "\n\n", Choices: choiceOpen, Metrics: []string{Acc}}
)

// NewOpenTask makes a task of problems that have no options; [Extracted] answers it. The form of the answers (number, letter, label, text)
// is inferred from the targets of each domain. The first Shots of worked are worked examples; it may be nil without shots.
func NewOpenTask(name string, template Template, problems, worked []corpus.Problem) (*Task, error) {
	if template.Choices != choiceOpen || len(template.Metrics) == 0 {
		return nil, fmt.Errorf("eval: template %s is none for open answers", template.Name)
	}
	if len(worked) < template.Shots {
		return nil, fmt.Errorf("eval: template %s wants %d worked examples, there are %d", template.Name, template.Shots, len(worked))
	}
	text, err := json.Marshal(template)
	if err != nil {
		return nil, fmt.Errorf("eval: template %s: %w", template.Name, err)
	}
	t := &Task{
		Name: name, Template: string(text), TemplateHash: template.Hash(), Metric: template.Metrics[0], Metrics: slices.Clone(template.Metrics),
		Available: len(problems), Examples: make([]Example, len(problems)),
	}
	ask := func(p corpus.Problem) string {
		return strings.NewReplacer("{question}", p.Question).Replace(template.Question)
	}
	head := template.Header
	for _, w := range worked[:template.Shots] {
		head += ask(w) + " " + solved(w) + template.Between
	}
	targets := make(map[string][]string)
	for _, p := range problems {
		targets[p.Domain] = append(targets[p.Domain], p.Answer)
	}
	forms := make(map[string]*extract.Question)
	for domain, list := range targets {
		q := extract.Infer(list)
		forms[domain] = &q
	}
	for i, p := range problems {
		prompt := head + ask(p)
		t.Examples[i] = Example{
			ID: p.ID, Domain: p.Domain, Prompt: prompt, Open: forms[p.Domain], Target: p.Answer, Text: prompt + " " + solved(p),
			Row: i, Doc: document{{"id", p.ID}, {"question", p.Question}, {"answer", p.Answer}},
		}
	}
	return t, t.Validate()
}

// solved is how a worked example continues.
func solved(p corpus.Problem) string {
	if p.Analysis == "" {
		return p.Answer
	}
	return p.Analysis + "\n#### " + p.Answer
}
