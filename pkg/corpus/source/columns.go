package source

import (
	"cmp"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/attune-lab/attune/pkg/corpus"
)

// AnswerForm is how a source writes which option is right.
type AnswerForm string

// The forms in use. None is guessed: "1" is the second option in one set and the first in another.
const (
	AnswerLetter   AnswerForm = "letter" // A, B, ...
	AnswerFromZero AnswerForm = "0..."   // 0 is the first option
	AnswerFromOne  AnswerForm = "1..."   // 1 is the first option
	AnswerText     AnswerForm = "text"   // the text of the option
)

// Columns says which fields of a row make an item. The zero value reads question, options (a list), answer (a letter), and if they are there
// id, domain, grade and analysis.
type Columns struct {
	Question   string     // "" = question
	Options    []string   // "" = options; one list field, or a text field for each option
	Answer     string     // "" = answer
	AnswerForm AnswerForm // "" = AnswerLetter
	Analysis   string     // "" = analysis; may be missing
	Domain     string     // "" = domain; may be missing, then the file's name
	STEM       bool       // of all items
}

// Items makes items of rows.
func Items(rows iter.Seq2[corpus.Row, error], c Columns) iter.Seq2[corpus.Item, error] {
	return through(rows, c.withDefaults().item)
}

func (c Columns) withDefaults() Columns {
	c.Question, c.Answer = cmp.Or(c.Question, "question"), cmp.Or(c.Answer, "answer")
	c.Analysis, c.Domain = cmp.Or(c.Analysis, "analysis"), cmp.Or(c.Domain, "domain")
	if len(c.Options) == 0 {
		c.Options = []string{"options"}
	}
	return c
}

func (c Columns) item(row corpus.Row) (corpus.Item, error) {
	base := filepath.Base(row.File)
	item := corpus.Item{
		ID: cmp.Or(row.Text["id"], fmt.Sprintf("%s:%d", base, row.Line)), Domain: cmp.Or(row.Text[c.Domain], strings.TrimSuffix(base, filepath.Ext(base))), STEM: c.STEM,
		Question: row.Text[c.Question], Analysis: row.Text[c.Analysis], Source: fmt.Sprintf("%s:%d", base, row.Line), Grade: corpus.Grade(row.Text["grade"]),
	}
	if strings.TrimSpace(item.Question) == "" {
		return corpus.Item{}, rowError(corpus.MissingField, "field %q is missing or empty: the row has %s", c.Question, strings.Join(row.Names(), ", "))
	}
	for _, name := range c.Options {
		if list, is := row.Lists[name]; is && len(c.Options) == 1 {
			item.Options = slices.Clone(list)
			continue
		}
		option := row.Text[name]
		if strings.TrimSpace(option) == "" {
			return corpus.Item{}, rowError(corpus.MissingField, "option field %q is missing or empty: the row has %s", name, strings.Join(row.Names(), ", "))
		}
		item.Options = append(item.Options, option)
	}
	answer, has := row.Text[c.Answer]
	if !has || strings.TrimSpace(answer) == "" {
		return corpus.Item{}, rowError(corpus.MissingField, "field %q is missing or empty: the row has %s", c.Answer, strings.Join(row.Names(), ", "))
	}
	var err error
	if item.Answer, err = c.AnswerForm.option(strings.TrimSpace(answer), item.Options); err != nil {
		return corpus.Item{}, err
	}
	if i := item.RepeatedOption(); i >= 0 {
		return corpus.Item{}, rowError(corpus.WrongLabel, "option %s %q repeats an earlier one: which is right cannot be told", corpus.Letter(i), item.Options[i])
	}
	return item, item.Validate()
}

// option finds the right option's index.
func (f AnswerForm) option(answer string, options []string) (int, error) {
	index, expected := -1, ""
	switch f {
	case AnswerLetter, "":
		if len(answer) == 1 {
			index = int(answer[0]) - 'A'
		}
		expected = "a letter from A to " + corpus.Letter(len(options)-1)
	case AnswerFromZero, AnswerFromOne:
		first := 0
		if f == AnswerFromOne {
			first = 1
		}
		if n, err := strconv.Atoi(answer); err == nil {
			index = n - first
		}
		expected = fmt.Sprintf("a number from %d to %d", first, len(options)-1+first)
	case AnswerText:
		index = slices.Index(options, answer)
		expected = fmt.Sprintf("one of %q", options)
	default:
		return 0, fmt.Errorf("answer form %q is unknown: choose %q, %q, %q or %q", f, AnswerLetter, AnswerFromZero, AnswerFromOne, AnswerText)
	}
	if index < 0 || index >= len(options) {
		return 0, rowError(corpus.WrongLabel, "answer %q, expected %s", answer, expected)
	}
	return index, nil
}
