package source

import (
	"cmp"
	"fmt"
	"iter"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/attune-lab/attune/pkg/corpus"
)

// AnswerForm is how a source writes which option is right.
type AnswerForm = corpus.AnswerForm

// The forms in use, see [corpus.AnswerForm].
const (
	AnswerLetter   = corpus.AnswerLetter
	AnswerFromZero = corpus.AnswerFromZero
	AnswerFromOne  = corpus.AnswerFromOne
	AnswerText     = corpus.AnswerText
)

// Columns says which fields of a row make an item, see [corpus.Columns].
type Columns corpus.Columns

// ParseColumns reads a description such as "answer=label,options=a b c d,form=0", see [corpus.ParseColumns].
func ParseColumns(description string) (Columns, error) {
	c, err := corpus.ParseColumns(description)
	return Columns(c), err
}

// Items makes items of rows.
func Items(rows iter.Seq2[corpus.Row, error], c Columns) iter.Seq2[corpus.Item, error] {
	return through(rows, c.withDefaults().item)
}

func (c Columns) withDefaults() Columns {
	c.Question, c.Answer = cmp.Or(c.Question, "question"), cmp.Or(c.Answer, "answer")
	c.Analysis, c.Domain, c.Passage = cmp.Or(c.Analysis, "analysis"), cmp.Or(c.Domain, "domain"), cmp.Or(c.Passage, "passage")
	return c
}

// optionFields are the fields of the options: those that were named, or options, or choices, or A, B, ... as far as they go, also within options or choices.
func (c Columns) optionFields(row corpus.Row) []string {
	if len(c.Options) > 0 {
		return c.Options
	}
	names := row.Names()
	for _, name := range []string{"options", "choices"} {
		if slices.Contains(names, name) {
			return []string{name}
		}
	}
	for _, prefix := range []string{"", "options_", "choices_"} { // the latter are of {"options": {"A": ..., "B": ...}}
		var letters []string
		for i := 0; i < corpus.MaxOptions && slices.Contains(names, prefix+corpus.Letter(i)); i++ {
			letters = append(letters, prefix+corpus.Letter(i))
		}
		if len(letters) > 1 {
			return letters
		}
	}
	return []string{"options"}
}

// textOf is a field that must have a text.
func textOf(row corpus.Row, name string) (string, error) {
	text, has := row.Text[name]
	switch bad := row.Bad[name]; {
	case bad != nil:
		return "", bad
	case !has && row.Lists[name] != nil:
		return "", rowError(corpus.Malformed, "field %q is a list of %d, expected one text", name, len(row.Lists[name]))
	case !has:
		return "", rowError(corpus.MissingField, "field %q is missing or null: %s", name, hasNamed(row, name))
	case strings.TrimSpace(text) == "":
		return "", rowError(corpus.MissingField, "field %q is empty", name)
	}
	return text, nil
}

func (c Columns) item(row corpus.Row) (corpus.Item, error) {
	base := filepath.Base(row.File)
	where := fmt.Sprintf("%s:%d", base, row.Line)
	item := corpus.Item{
		ID: cmp.Or(row.Text["id"], where), Domain: cmp.Or(row.Text[c.Domain], strings.TrimSuffix(base, filepath.Ext(base))),
		Analysis: row.Text[c.Analysis], Passage: row.Text[c.Passage], Source: cmp.Or(row.Text["source"], where), Grade: corpus.Grade(row.Text["grade"]), STEM: stemOf(row, c.STEM),
	}
	var err error
	if item.Question, err = textOf(row, c.Question); err != nil {
		return item, err
	}
	if item.Options, err = c.optionsOf(row); err != nil {
		return item, err
	}
	answer, err := textOf(row, c.Answer)
	if err != nil {
		return item, err
	}
	if c.Labels != "" {
		item.Answer, err = labelled(row, c.Labels, answer, len(item.Options))
	} else {
		item.Answer, err = optionOf(c.AnswerForm, answer, item.Options)
	}
	if err != nil {
		return item, err
	}
	if i := item.RepeatedOption(); i >= 0 {
		return item, rowError(corpus.WrongLabel, "option %s %s repeats an earlier one: which is right is not known", corpus.Letter(i), excerpt(item.Options[i]))
	}
	return item, item.Validate()
}

// stemOf reads the field stem where it is a truth value: others have the question itself under that name.
func stemOf(row corpus.Row, byDefault bool) bool {
	if stem, err := strconv.ParseBool(strings.ToLower(row.Text["stem"])); err == nil {
		return stem
	}
	return byDefault
}

func (c Columns) optionsOf(row corpus.Row) ([]string, error) {
	fields := c.optionFields(row)
	if len(fields) == 1 {
		if list, is := row.Lists[fields[0]]; is {
			return slices.Clone(list), nil
		}
	}
	options := make([]string, len(fields))
	for i, name := range fields {
		var err error
		if options[i], err = textOf(row, name); err != nil {
			return nil, err
		}
	}
	if len(options) == 1 {
		if list, is := listIn(options[0]); is {
			return list, nil
		}
		return nil, rowError(corpus.MissingField, "field %q is one text, expected a list of options: name the fields of the options (options=a b c d), or write the options as a list", fields[0])
	}
	return options, nil
}

// listIn reads a list that a table holds as JSON, ["a", "b"].
func listIn(text string) ([]string, bool) {
	row, err := jsonRow([]byte(`{"list":` + text + `}`))
	list, is := row.Lists["list"]
	return list, err == nil && is
}

// labelled finds the answer among the options' own labels.
func labelled(row corpus.Row, name, answer string, options int) (int, error) {
	if bad := row.Bad[name]; bad != nil {
		return 0, bad
	}
	labels, has := row.Lists[name]
	if !has || len(labels) != options {
		return 0, rowError(corpus.MissingField, "%d options and %d labels in %q: expected one label for each option", options, len(labels), name)
	}
	at := slices.Index(labels, strings.TrimSpace(answer))
	if at < 0 || slices.Contains(labels[at+1:], labels[at]) {
		return 0, rowError(corpus.WrongLabel, "answer %s, expected exactly one of the labels %s", excerpt(answer), someNames(labels))
	}
	return at, nil
}

// letterForm is a letter as people write it.
var letterForm = regexp.MustCompile(`^\(?([A-Za-z])[).:]?$`)

// optionOf finds the right option's index.
func optionOf(f AnswerForm, answer string, options []string) (int, error) {
	index, expected := -1, ""
	switch f {
	case "":
		byLetter, letterErr := optionOf(AnswerLetter, answer, options)
		byText, textErr := optionOf(AnswerText, answer, options)
		switch {
		case letterErr == nil && textErr == nil && byLetter != byText:
			return 0, rowError(corpus.WrongLabel, "answer %s is the letter of option %s and the text of option %s: say which is meant, form=letter or form=text", excerpt(answer), corpus.Letter(byLetter), corpus.Letter(byText))
		case letterErr == nil:
			return byLetter, nil
		case textErr == nil:
			return byText, nil
		}
		expected = "a letter from A to " + corpus.Letter(len(options)-1) + " or the text of an option"
		if _, is := number(answer); is {
			expected += "; for a number say whether the first option is 0 or 1 (form=0 or form=1)"
		}
	case AnswerLetter:
		if m := letterForm.FindStringSubmatch(strings.TrimSpace(answer)); m != nil {
			index = int(strings.ToUpper(m[1])[0]) - 'A'
		}
		expected = "a letter from A to " + corpus.Letter(len(options)-1)
	case AnswerFromZero, AnswerFromOne:
		first := 0
		if f == AnswerFromOne {
			first = 1
		}
		if text, is := number(answer); is {
			if n, err := strconv.Atoi(text); err == nil {
				index = n - first
			}
		}
		expected = fmt.Sprintf("a number from %d to %d", first, len(options)-1+first)
	case AnswerText:
		index, expected = textOption(answer, options), "the text of one of "+someNames(options)
	default:
		return 0, fmt.Errorf("answer form %q is unknown: choose %q, %q, %q or %q", f, AnswerLetter, AnswerFromZero, AnswerFromOne, AnswerText)
	}
	if index < 0 || index >= len(options) {
		return 0, rowError(corpus.WrongLabel, "answer %s, expected %s", excerpt(answer), expected)
	}
	return index, nil
}

// textOption is the one option that is equal to the answer, or equal but for white space around it; -1 if there is none or more than one.
func textOption(answer string, options []string) int {
	if i := slices.Index(options, answer); i >= 0 {
		return i
	}
	found := -1
	for i, option := range options {
		if strings.TrimSpace(option) == strings.TrimSpace(answer) {
			if found >= 0 {
				return -1
			}
			found = i
		}
	}
	return found
}

// number reads a whole number, which other tools may have written as 1.0, and gives its digits.
func number(text string) (digits string, ok bool) {
	const exact = 1 << 53 // of a float64
	value, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || value != math.Trunc(value) || math.Abs(value) > exact {
		return "", false
	}
	return strconv.FormatFloat(value, 'f', -1, 64), true
}
