package eval

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/attune-lab/attune/pkg/corpus"
)

// Metrics of multiple-choice tasks.
const (
	Acc     = "acc"      // the choice of largest log-likelihood
	AccNorm = "acc_norm" // the choice of largest log-likelihood per character
)

// Template says how an item becomes a prompt. Placeholders: {subject} in Header; {question} and {options} ("A. text" lines) in Question.
type Template struct {
	Name     string   `json:"name"`
	Header   string   `json:"header"`   // once, before everything
	Question string   `json:"question"` // per item, up to where the continuation begins
	Trim     bool     `json:"trim"`     // white space around the question is dropped, as MMLU's protocol does
	Between  string   `json:"between"`  // between a worked example and what follows it
	Choices  string   `json:"choices"`  // what the continuations are: "letters" or "texts"
	Shots    int      `json:"shots"`    // worked examples before the question
	Metrics  []string `json:"metrics"`  // that the protocol defines, the primary one first
}

// Kinds of continuations.
const (
	choiceLetters = "letters" // " A", " B", ...
	choiceTexts   = "texts"   // " " and the option's text
)

// The templates of the public protocols as EleutherAI's lm-evaluation-harness defines them, and this project's own.
var (
	// TemplateItems is the prompt of generated items and of your own: [corpus.PromptTemplate].
	TemplateItems = Template{Name: "items", Question: corpus.PromptTemplate, Choices: choiceLetters, Metrics: []string{Acc}}
	// TemplateMMLU is that of Hendrycks et al. (arXiv 2009.03300).
	TemplateMMLU = Template{
		Name:     "mmlu",
		Header:   "The following are multiple choice questions (with answers) about {subject}.\n\n",
		Question: "{question}\n{options}\nAnswer:", Trim: true, Between: "\n\n", Choices: choiceLetters, Metrics: []string{Acc},
	}
	TemplatePIQA = Template{Name: "piqa", Question: "Question: {question}\nAnswer:", Choices: choiceTexts, Metrics: []string{Acc, AccNorm}}
	TemplateSIQA = Template{Name: "siqa", Question: "Q: {question}\nA:", Choices: choiceTexts, Metrics: []string{Acc}}
	TemplateARC  = Template{Name: "arc", Question: "Question: {question}\nAnswer:", Choices: choiceTexts, Metrics: []string{Acc, AccNorm}}
	// TemplateHellaSwag: the question is the whole prompt, as corpus/source makes it.
	TemplateHellaSwag = Template{Name: "hellaswag", Question: "{question}", Choices: choiceTexts, Metrics: []string{Acc, AccNorm}}
)

// Hash is the SHA-256 of the template as JSON, in hexadecimal.
func (t Template) Hash() string {
	text, err := json.Marshal(t)
	if err != nil { // strings and ints only: cannot fail
		panic(err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// shortHash is as much of a hash as a score's name carries.
func shortHash(hash string) string { return hash[:min(8, len(hash))] }

// Render fills the template with an item after its worked examples, which are taken in order.
func (t Template) Render(item corpus.Item, worked []corpus.Item) (prompt string, choices []string, err error) {
	if len(worked) < t.Shots {
		return "", nil, fmt.Errorf("eval: template %s wants %d worked examples, there are %d for %s", t.Name, t.Shots, len(worked), item.Domain)
	}
	var b strings.Builder
	b.WriteString(strings.ReplaceAll(t.Header, "{subject}", strings.ReplaceAll(item.Domain, "_", " ")))
	for _, example := range worked[:t.Shots] {
		b.WriteString(t.question(example))
		b.WriteString(t.continuations(example)[example.Answer])
		b.WriteString(t.Between)
	}
	b.WriteString(t.question(item))
	return b.String(), t.continuations(item), nil
}

func (t Template) question(item corpus.Item) string {
	lines := make([]string, len(item.Options))
	for i, option := range item.Options {
		lines[i] = corpus.Letter(i) + ". " + option
	}
	question := item.Question
	if t.Trim {
		question = strings.TrimSpace(question)
	}
	// One pass: what an item's text looks like a placeholder stays as it is.
	return strings.NewReplacer("{question}", question, "{options}", strings.Join(lines, "\n")).Replace(t.Question)
}

func (t Template) continuations(item corpus.Item) []string {
	choices := slices.Clone(item.Options)
	for i := range choices {
		if t.Choices == choiceLetters {
			choices[i] = corpus.Letter(i)
		}
		choices[i] = " " + choices[i]
	}
	return choices
}
