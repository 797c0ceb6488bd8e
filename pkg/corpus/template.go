package corpus

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Template turns a [Row] into a text of sections.
//
// A line that begins with a name and a colon opens a section, and the section lasts until the next such line or the end. The name is a
// capital letter and then letters, digits, spaces, - or _; with @ before it, any letter may be first (@name:). {field} stands for a field
// of the row, a list for its entries as lines "A. ...", "B. ..."; {{ and }} are the braces themselves. A question mark after
// the name (Analysis?:) marks a section that is left out where all its fields are empty; the mark is not written.
//
//	@Passage: {passage}
//	Question: {question}
//	Options:
//	{options}
//	Analysis?: {analysis}
//	Response: {letter}
//
// Every section must hold something besides its heading, every name is there once, and at least one field is named.
type Template struct {
	source   string
	sections []section
	fields   []string
}

type section struct {
	name     string // without @ and ?
	heading  string // as it is written: "@Passage:"
	optional bool
	parts    []part
}

// part is literal text or a field.
type part struct{ literal, field string }

var (
	headingForm = regexp.MustCompile(`^(?:@([A-Za-z][A-Za-z0-9_\- ]{0,39})|([A-Z][A-Za-z0-9_\- ]{0,39}))(\?)?:`)
	fieldForm   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// ItemTemplate is [TextTemplate] with the analysis left out where there is none: what [Item.Text] gives.
var ItemTemplate = mustTemplate("Question: {question}\nOptions:\n{options}\nAnalysis?: {analysis}\nResponse: {letter}\n")

func mustTemplate(source string) *Template {
	t, err := ParseTemplate(source)
	if err != nil {
		panic(err) // a constant of this package; its tests load it
	}
	return t
}

// ParseTemplate reads a template. What is wrong with it is told with its line.
func ParseTemplate(source string) (*Template, error) {
	t := &Template{source: source}
	if !utf8.ValidString(source) {
		return nil, fmt.Errorf("corpus: the template is not valid UTF-8")
	}
	lineOf := make(map[string]int)
	line := 0
	for text := range strings.Lines(source) {
		line++
		if m := headingForm.FindStringSubmatch(text); m != nil {
			name := m[1] + m[2]
			if first, met := lineOf[name]; met {
				return nil, fmt.Errorf("corpus: template line %d: section %q is already there at line %d: give it another name", line, name, first)
			}
			lineOf[name] = line
			text = text[len(m[0]):]
			t.sections = append(t.sections, section{name: name, heading: strings.TrimSuffix(strings.TrimSuffix(m[0], ":"), "?") + ":", optional: m[3] != ""})
		}
		if len(t.sections) == 0 {
			return nil, fmt.Errorf("corpus: template line %d: %q stands before the first section: begin with a heading such as %q", line, strings.TrimSpace(text), "Question:")
		}
		s := &t.sections[len(t.sections)-1]
		parts, err := parseParts(text)
		if err != nil {
			return nil, fmt.Errorf("corpus: template line %d: %w", line, err)
		}
		s.parts = append(s.parts, parts...)
	}
	return t, t.check()
}

func (t *Template) check() error {
	for _, s := range t.sections {
		holds, named := false, false
		for _, p := range s.parts {
			holds = holds || p.field != "" || strings.TrimSpace(p.literal) != ""
			if p.field != "" {
				named = true
				if !slices.Contains(t.fields, p.field) {
					t.fields = append(t.fields, p.field)
				}
			}
		}
		if !holds {
			return fmt.Errorf("corpus: template section %q is empty: give it text or a {field}", s.name)
		}
		if s.optional && !named {
			return fmt.Errorf("corpus: template section %q is optional but names no field that could be empty: take its ? away", s.name)
		}
	}
	if len(t.fields) == 0 {
		return fmt.Errorf("corpus: the template names no field: every row would read the same; write {field} where a row's text belongs")
	}
	return nil
}

// parseParts splits a line at its fields.
func parseParts(text string) ([]part, error) {
	var parts []part
	literal := ""
	for text != "" {
		i := strings.IndexAny(text, "{}")
		if i < 0 {
			literal += text
			break
		}
		literal += text[:i]
		brace := text[i : i+1]
		text = text[i+1:]
		if strings.HasPrefix(text, brace) {
			literal, text = literal+brace, text[1:]
			continue
		}
		if brace == "}" {
			return nil, fmt.Errorf("a } without its {: write }} for a brace of the text")
		}
		end := strings.IndexByte(text, '}')
		if end < 0 {
			return nil, fmt.Errorf("a { that never closes: write {field}, or {{ for a brace of the text")
		}
		if !fieldForm.MatchString(text[:end]) {
			return nil, fmt.Errorf("field {%s}: a name is letters, digits and _, not beginning with a digit; write {{ for a brace of the text", text[:end])
		}
		if literal != "" {
			parts = append(parts, part{literal: literal})
		}
		parts = append(parts, part{field: text[:end]})
		literal, text = "", text[end+1:]
	}
	if literal != "" {
		parts = append(parts, part{literal: literal})
	}
	return parts, nil
}

// String is the template's source.
func (t *Template) String() string { return t.source }

// Hash is SHA-256 of the source, hexadecimal.
func (t *Template) Hash() string {
	sum := sha256.Sum256([]byte(t.source))
	return hex.EncodeToString(sum[:])
}

// Sections are the names of the sections in order.
func (t *Template) Sections() []string {
	names := make([]string, len(t.sections))
	for i, s := range t.sections {
		names[i] = s.name
	}
	return names
}

// Fields are the names of the fields in the order of their first use.
func (t *Template) Fields() []string { return slices.Clone(t.fields) }

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
				return Text{}, rowError(MissingField, "section %s: %w", s.name, err)
			}
			if heading := t.opens(value); heading != "" {
				return Text{}, rowError(WrongSection, "section %s: a line of field %q begins with %q and would open a section: rename the section in the template or reword the line", s.name, p.field, heading)
			}
			b.WriteString(value)
		}
		span.End = b.Len()
		out.Spans = append(out.Spans, span)
	}
	if len(out.Spans) == 0 {
		return Text{}, rowError(MissingField, "every section is optional and empty: the row has no text")
	}
	out.Text = b.String()
	return out, nil
}

func (t *Template) allEmpty(s section, row Row) bool {
	return !slices.ContainsFunc(s.parts, func(p part) bool {
		return p.field != "" && (strings.TrimSpace(row.Text[p.field]) != "" || len(row.Lists[p.field]) > 0 || row.Bad[p.field] != nil)
	})
}

func (t *Template) value(row Row, field string) (string, error) {
	if list := row.Lists[field]; len(list) > 0 {
		return lettered(list), nil
	}
	text, has := row.Text[field]
	switch bad := row.Bad[field]; {
	case bad != nil:
		return "", bad
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
