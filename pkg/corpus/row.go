package corpus

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// Row is a row of a source: its fields by name, and where it stands. A field is a text or a list of texts.
type Row struct {
	Text  map[string]string
	Lists map[string][]string
	Bad   map[string]error // fields that hold anything else, such as a list of lists, and what is wrong; an error where one is asked for
	File  string           // as it was given
	Line  int              // of the row's first line, from 1; the row's number in a parquet file
}

// ID is the row's own id if it has a field of that name, else file:line.
func (r Row) ID() string { return cmp.Or(r.Text["id"], fmt.Sprintf("%s:%d", r.File, r.Line)) }

// Names lists the fields in alphabetical order.
func (r Row) Names() []string {
	return slices.Sorted(func(yield func(string) bool) {
		for name := range maps.Keys(r.Text) {
			if !yield(name) {
				return
			}
		}
		for name := range maps.Keys(r.Lists) {
			if !yield(name) {
				return
			}
		}
		for name := range maps.Keys(r.Bad) {
			if !yield(name) {
				return
			}
		}
	})
}

// Row is the item as fields for a template: id, domain, grade, question, options (a list), letter, answer (the text of the right option),
// analysis, source.
func (it Item) Row() Row {
	answer := ""
	if it.Answer >= 0 && it.Answer < len(it.Options) {
		answer = it.Options[it.Answer]
	}
	return Row{
		Text: map[string]string{
			"id": it.ID, "domain": it.Domain, "grade": string(it.Grade), "question": it.Question, "letter": Letter(it.Answer), "answer": answer,
			"analysis": it.Analysis, "source": it.Source,
		},
		Lists: map[string][]string{"options": it.Options},
	}
}

// Problem is a question with an open answer and the steps to it.
type Problem struct {
	ID, Question string
	Domain       string // the published set's name, or its task
	Analysis     string // the steps, as they are read; may be empty
	Answer       string
	Source       string // "file:line"
}

// ErrorKind is a kind of thing that is wrong with a row.
type ErrorKind string

// The kinds that are counted apart.
const (
	MissingField ErrorKind = "missing field"
	WrongLabel   ErrorKind = "wrong label"
	InvalidUTF8  ErrorKind = "invalid UTF-8"
	OpenSection  ErrorKind = "section never closes" // also an open quote or an object that is cut off
	WrongSection ErrorKind = "wrong section"        // unknown, repeated or out of order
	Malformed    ErrorKind = "malformed row"        // anything else
)

// RowError is the error of one row. Rows after it can be read.
type RowError struct {
	File string
	Line int
	Kind ErrorKind
	Err  error
}

// Error begins with file:line.
func (b *RowError) Error() string {
	if b.File == "" {
		return b.Err.Error()
	}
	return fmt.Sprintf("%s:%d: %v", b.File, b.Line, b.Err)
}

// Unwrap gives what was found.
func (b *RowError) Unwrap() error { return b.Err }

// rowError is a bad row whose place the caller fills in.
func rowError(f ErrorKind, format string, args ...any) error {
	return &RowError{Kind: f, Err: fmt.Errorf(format, args...)}
}
