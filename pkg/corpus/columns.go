package corpus

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// AnswerForm is how a source writes which option is right.
type AnswerForm string

// The forms in use. A number is never guessed: "1" is the second option in one set and the first in another.
const (
	AnswerLetter   AnswerForm = "letter" // A, B, ... also a, (A), A. and A)
	AnswerFromZero AnswerForm = "0"      // 0 is the first option; 1.0 is 1, as pandas writes it
	AnswerFromOne  AnswerForm = "1"      // 1 is the first option
	AnswerText     AnswerForm = "text"   // the text of the option
)

// Columns says which fields of a row make an item. The zero value reads question, options (a list; or choices, or the fields A, B, ...), answer, and if
// they are there id, domain, stem, grade, analysis and source.
type Columns struct {
	Question   string     // "" = question
	Options    []string   // nil = options or choices, or A, B, ...; one list field, or a text field for each option
	Labels     string     // list field with the options' own labels, which the answer names; "" = none
	Answer     string     // "" = answer
	AnswerForm AnswerForm // "" = a letter, or the text of exactly one option; where both readings are possible and differ, an error
	Analysis   string     // "" = analysis; may be missing
	Domain     string     // "" = domain; may be missing, then the file's name
	Passage    string     // "" = passage; may be missing: what items share, see [Item]
	STEM       bool       // of all items that have no field stem
}

// columnKeys are what a description of columns can say.
var columnKeys = []string{"question", "options", "labels", "answer", "form", "analysis", "domain", "passage"}

// columnPart is key=value of a description: names in it are separated by spaces, or stand in double quotes.
var (
	columnPart = regexp.MustCompile(`^\s*([a-z]+)\s*=((?:"[^"]*"|[^",])*)(,|$)`)
	columnName = regexp.MustCompile(`"([^"]*)"|(\S+)`)
)

// ParseColumns reads a description such as
//
//	answer=label,options=a b c d,form=0
//
// whose keys are question, options, labels, answer, form (letter, 0, 1 or text), analysis, domain and passage. A name with a space or a comma in it stands in
// double quotes.
func ParseColumns(description string) (Columns, error) {
	var c Columns
	given := make(map[string]bool)
	for rest := description; strings.TrimSpace(rest) != ""; {
		m := columnPart.FindStringSubmatch(rest)
		if m == nil {
			return c, fmt.Errorf("corpus: columns %q: found %.60q, expected key=name, separated by commas: %s", description, rest, `"answer=label,options=a b c d,form=0"`)
		}
		rest = rest[len(m[0]):]
		key := m[1]
		if !slices.Contains(columnKeys, key) || given[key] {
			return c, fmt.Errorf("corpus: columns %q: key %q is unknown or there twice: choose among %s", description, key, strings.Join(columnKeys, ", "))
		}
		given[key] = true
		var names []string
		for _, n := range columnName.FindAllStringSubmatch(m[2], -1) {
			names = append(names, n[1]+n[2])
		}
		if len(names) == 0 || len(names) > 1 && key != "options" {
			return c, fmt.Errorf("corpus: columns %q: %s=%s names %d fields, expected one (a name with a space stands in double quotes)", description, key, strings.TrimSpace(m[2]), len(names))
		}
		switch name := names[0]; key {
		case "question":
			c.Question = name
		case "options":
			c.Options = names
		case "labels":
			c.Labels = name
		case "answer":
			c.Answer = name
		case "analysis":
			c.Analysis = name
		case "domain":
			c.Domain = name
		case "passage":
			c.Passage = name
		case "form":
			c.AnswerForm = AnswerForm(name)
			if !slices.Contains([]AnswerForm{AnswerLetter, AnswerFromZero, AnswerFromOne, AnswerText}, c.AnswerForm) {
				return c, fmt.Errorf("corpus: columns %q: form=%s, expected letter, 0 (0 is the first option), 1 (1 is the first option) or text", description, name)
			}
		}
	}
	return c, nil
}
