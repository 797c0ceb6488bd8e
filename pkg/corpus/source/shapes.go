package source

import (
	"cmp"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/attune-lab/attune/pkg/corpus"
)

// shape is the form of a published set's rows, recognised by the fields that it has.
type shape struct {
	kind   Kind
	fields []string // all of them are there
	// labels are the values of the field label or answer, in the order of the options.
	labels []string
	// question makes the question of the fields.
	question func(row corpus.Row) (string, error)
	options  []string // one list field or a field for each option
	own      string   // list field with the options' own labels, which the answer names
	answer   string   // field of the answer
	domain   string   // field; "" = the kind
	passage  string   // field that items share; "" = none
	clean    func(string) string
}

// The shapes of published rows, as their authors and the hub have them. The first that fits is taken.
var (
	siqaShape = shape{kind: KindSIQA, fields: []string{"context", "question", "answerA", "answerB", "answerC"}, labels: []string{"1", "2", "3"},
		question: joined("context", "question"), options: []string{"answerA", "answerB", "answerC"}, answer: "label", passage: "context"}
	piqaShape = shape{kind: KindPIQA, fields: []string{"goal", "sol1", "sol2"}, labels: []string{"0", "1"},
		question: joined("goal"), options: []string{"sol1", "sol2"}, answer: "label", passage: "goal"}
	shapes = []shape{
		siqaShape, piqaShape,
		// MMLU on the hub (cais/mmlu): the answer is a number.
		{kind: KindMMLU, fields: []string{"question", "subject", "choices", "answer"}, labels: []string{"0", "1", "2", "3"},
			question: joined("question"), options: []string{"choices"}, answer: "answer", domain: "subject"},
		// HellaSwag (arXiv 1905.07830): rows as the common harness formats them.
		{kind: KindHellaSwag, fields: []string{"ctx_a", "ctx_b", "activity_label", "endings", "label"}, labels: []string{"0", "1", "2", "3"},
			question: hellaSwagQuestion, options: []string{"endings"}, answer: "label", domain: "activity_label", clean: hellaSwagText},
		// ARC (arXiv 1803.05457) on the hub and as its authors have it; OpenBookQA and CommonsenseQA have its rows too.
		{kind: KindARC, fields: []string{"question", "choices_text", "choices_label", "answerKey"},
			question: joined("question"), options: []string{"choices_text"}, own: "choices_label", answer: "answerKey"},
		{kind: KindARC, fields: []string{"question_stem", "choices_text", "choices_label", "answerKey"},
			question: joined("question_stem"), options: []string{"choices_text"}, own: "choices_label", answer: "answerKey"},
		{kind: KindARC, fields: []string{"question_stem", "question_choices_text", "question_choices_label", "answerKey"},
			question: joined("question_stem"), options: []string{"question_choices_text"}, own: "question_choices_label", answer: "answerKey"},
	}
)

// shapeOf finds the shape of a row.
func shapeOf(row corpus.Row) (shape, bool) {
	names := row.Names()
	i := slices.IndexFunc(shapes, func(s shape) bool {
		return !slices.ContainsFunc(s.fields, func(field string) bool { return !slices.Contains(names, field) })
	})
	if i < 0 {
		return shape{}, false
	}
	return shapes[i], true
}

// item makes the item of a row, but for its answer, which may stand in another file.
func (s shape) item(row corpus.Row) (corpus.Item, error) {
	base := filepath.Base(row.File)
	item := corpus.Item{
		ID: cmp.Or(row.Text["id"], fmt.Sprintf("%s:%d", base, row.Line)), Domain: string(s.kind), Source: fmt.Sprintf("%s:%d", base, row.Line),
		Passage: row.Text[s.passage],
	}
	if s.domain != "" {
		item.Domain = cmp.Or(row.Text[s.domain], item.Domain)
	}
	if s.kind == KindMMLU {
		item.STEM = DefaultMMLUSTEM.Has(item.Domain)
	}
	var err error
	if item.Question, err = s.question(row); err != nil {
		return item, err
	}
	if item.Options, err = (Columns{Options: s.options}).optionsOf(row); err != nil {
		return item, err
	}
	if s.clean != nil {
		for i, option := range item.Options {
			item.Options[i] = s.clean(option)
		}
	}
	return item, item.Validate()
}

// answered makes the item of a row that has its answer.
func (s shape) answered(row corpus.Row) (corpus.Item, error) {
	item, err := s.item(row)
	if err != nil {
		return item, err
	}
	answer, err := textOf(row, s.answer)
	if err != nil {
		return item, err
	}
	if s.own != "" {
		item.Answer, err = labelled(row, s.own, answer, len(item.Options))
		return item, err
	}
	digits, _ := number(answer)
	if item.Answer = slices.Index(s.labels, digits); item.Answer < 0 || item.Answer >= len(item.Options) {
		return item, rowError(corpus.WrongLabel, "field %q is %s, expected one of %s (test splits are published without answers)", s.answer, excerpt(answer), strings.Join(s.labels[:min(len(s.labels), len(item.Options))], ", "))
	}
	return item, nil
}

// joined takes fields with spaces between them.
func joined(fields ...string) func(corpus.Row) (string, error) {
	return func(row corpus.Row) (string, error) {
		var texts []string
		for _, field := range fields {
			text, err := textOf(row, field)
			if err != nil {
				return "", err
			}
			texts = append(texts, text)
		}
		return strings.Join(texts, " "), nil
	}
}

// hellaSwagQuestion is the query of the common harness: "{activity}: {ctx_a} {ctx_b, its first letter a capital and the others not}".
func hellaSwagQuestion(row corpus.Row) (string, error) {
	activity, err := textOf(row, "activity_label")
	if err != nil {
		return "", err
	}
	begin, err := textOf(row, "ctx_a")
	if err != nil {
		return "", err
	}
	end := []rune(strings.ToLower(row.Text["ctx_b"])) // may be empty
	if len(end) > 0 {
		end[0] = unicode.ToTitle(end[0])
	}
	return hellaSwagText(activity + ": " + begin + " " + string(end)), nil
}

var wikiHowMarks = regexp.MustCompile(`\[.*?\]`)

// hellaSwagText is the harness's cleaning of WikiHow's marks.
func hellaSwagText(text string) string {
	text = strings.ReplaceAll(strings.TrimSpace(text), " [title]", ". ")
	return strings.ReplaceAll(wikiHowMarks.ReplaceAllString(text, ""), "  ", " ")
}
