package corpus

import (
	"fmt"
	"slices"
	"strings"
)

// Text is a rendered row: its text and where the sections lie in it.
type Text struct {
	ID   string
	Text string
	// Spans tile the text: each begins where the one before it ends, the last ends with the text.
	Spans []Span
}

// Span is a section in a text, in bytes: its heading is [Start, Body), what stands in it [Body, End). The space after the heading's colon
// and the line end before the next heading belong to the body.
type Span struct {
	Section          string
	Start, Body, End int
}

// Render fills the template in. A field that the row lacks, or that is empty in a section that is not optional, is an error, and so is a
// value with a line that would open a section: it could not be told from one.
func (t *Template) Render(row Row) (Text, error) {
	var b strings.Builder
	out := Text{ID: row.ID(), Spans: make([]Span, 0, len(t.sections))}
	for _, s := range t.sections {
		if s.optional && t.allEmpty(s, row) {
			continue
		}
		span := Span{Section: s.name, Start: b.Len(), Body: b.Len() + len(s.heading)}
		b.WriteString(s.heading)
		for _, p := range s.parts {
			if p.field == "" {
				b.WriteString(p.literal)
				continue
			}
			value, err := t.value(row, p.field)
			if err != nil {
				return Text{}, problem(MissingField, "section %s: %w", s.name, err)
			}
			if heading := t.opens(value); heading != "" {
				return Text{}, problem(WrongSection, "section %s: a line of field %q begins with %q and would open a section: rename the section in the template or reword the line", s.name, p.field, heading)
			}
			b.WriteString(value)
		}
		span.End = b.Len()
		out.Spans = append(out.Spans, span)
	}
	if len(out.Spans) == 0 {
		return Text{}, problem(MissingField, "every section is optional and empty: the row has no text")
	}
	out.Text = b.String()
	return out, nil
}

func (t *Template) allEmpty(s section, row Row) bool {
	return !slices.ContainsFunc(s.parts, func(p part) bool {
		return p.field != "" && (strings.TrimSpace(row.Text[p.field]) != "" || len(row.Lists[p.field]) > 0)
	})
}

func (t *Template) value(row Row, field string) (string, error) {
	if list := row.Lists[field]; len(list) > 0 {
		return lettered(list), nil
	}
	text, has := row.Text[field]
	switch {
	case !has:
		return "", fmt.Errorf("field %q is missing: the row has %s", field, strings.Join(row.Names(), ", "))
	case strings.TrimSpace(text) == "":
		return "", fmt.Errorf("field %q is empty: fill it in or make the section optional (%q)", field, "Name?:")
	}
	return text, nil
}

// opens returns the heading of this template that a line of the text, other than its first, begins with; "" if none does.
func (t *Template) opens(text string) string {
	_, rest, more := strings.Cut(text, "\n")
	for more {
		for _, s := range t.sections {
			if strings.HasPrefix(rest, s.heading) {
				return s.heading
			}
		}
		_, rest, more = strings.Cut(rest, "\n")
	}
	return ""
}

// lettered writes options one per line as "A. text".
func lettered(options []string) string {
	var b strings.Builder
	for i, option := range options {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(Letter(i))
		b.WriteString(". ")
		b.WriteString(option)
	}
	return b.String()
}

// Split finds the sections of a text that is in the template's form, such as what a model wrote or a data set's one column of text. The
// headings must come in the template's order; only optional sections may be missing. A text that ends before its last
// section has come is one whose sections never close.
func (t *Template) Split(text string) ([]Span, error) {
	var spans []Span
	next := 0 // section that may come
	line, at := 0, 0
	for whole := range strings.Lines(text) {
		line++
		if i := slices.IndexFunc(t.sections, func(s section) bool { return strings.HasPrefix(whole, s.heading) }); i >= 0 {
			s := t.sections[i]
			if i < next {
				return nil, problem(WrongSection, "line %d of the text: section %s comes again or too late: expected the order %s, each once", line, s.name, strings.Join(t.Sections(), ", "))
			}
			for _, skipped := range t.sections[next:i] {
				if !skipped.optional {
					return nil, problem(MissingField, "line %d of the text: section %s comes before %s", line, s.name, skipped.name)
				}
			}
			if len(spans) > 0 {
				spans[len(spans)-1].End = at
			}
			spans = append(spans, Span{Section: s.name, Start: at, Body: at + len(s.heading)})
			next = i + 1
		} else if len(spans) == 0 {
			return nil, problem(WrongSection, "line 1 of the text: found %s, expected a section such as %q", excerpt([]byte(whole)), t.sections[0].heading)
		}
		at += len(whole)
	}
	for _, missing := range t.sections[next:] {
		if !missing.optional {
			last := "the start"
			if len(spans) > 0 {
				last = "section " + spans[len(spans)-1].Section
			}
			return nil, problem(OpenSection, "the text ends in %s, which never closes: expected section %s after it", last, missing.name)
		}
	}
	spans[len(spans)-1].End = at
	return spans, nil
}
