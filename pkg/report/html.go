package report

import (
	"fmt"
	"html"
	"regexp"
	"strings"
	"unicode"
)

// HTML is the table as a cell shows it: everything escaped, numbers rounded with their exact value as the tooltip. Ragged rows are an error.
func (t *Table) HTML() (string, error) {
	var b strings.Builder
	b.WriteString(`<table style="font-variant-numeric:tabular-nums"><thead><tr>`)
	for _, column := range t.Columns {
		b.WriteString(`<th style="text-align:left">` + html.EscapeString(column) + "</th>")
	}
	b.WriteString("</tr></thead>\n<tbody>")
	for i, row := range t.Rows {
		if len(row) != len(t.Columns) {
			return "", fmt.Errorf("report: table row %d has %d cells for %d columns %q", i, len(row), len(t.Columns), t.Columns)
		}
		b.WriteString("\n<tr>")
		for _, v := range row {
			style := `text-align:left"`
			if exact := Exact(v); exact != "" {
				style = `text-align:right" title="` + html.EscapeString(exact) + `"`
			}
			b.WriteString(`<td style="` + style + ">" + html.EscapeString(Clean(Text(v))) + "</td>")
		}
		b.WriteString("</tr>")
	}
	b.WriteString("\n</tbody></table>")
	return b.String(), nil
}

// paragraph is a sentence or two as HTML, "" for none.
func paragraph(tag, text string) string {
	if strings.TrimSpace(text) == "" {
		return ""
	}
	return fmt.Sprintf("<%s>%s</%[1]s>\n", tag, html.EscapeString(Clean(text)))
}

// titled is a table with its title over it.
func (t *Table) titled() (string, error) {
	body, err := t.HTML()
	if err != nil {
		return "", err
	}
	return paragraph("h4", t.Title) + body + "\n", nil
}

// sampleHTML is a sample with its title over it.
func (s *Sample) html() string {
	return paragraph("h4", s.Title) + `<pre style="white-space:pre-wrap">` + "\n" + html.EscapeString(Clean(s.Text)) + "</pre>\n"
}

// escapes are the sequences by which text acts on a terminal (ECMA-48): CSI, the strings OSC, DCS, SOS, PM and APC, and two-character escapes.
var escapes = regexp.MustCompile("(?:\x1b\\[|\u009b)[0-?]*[ -/]*[@-~]?|(?:\x1b[\\]PX^_]|[\u009d\u0090\u0098\u009e\u009f])[^\x07\x1b\u009c\n]*(?:\x07|\x1b\\\\|\u009c)?|\x1b[ -/]*[0-~]?")

// Clean is text from elsewhere - a model, a file, the network - without what acts on a terminal or reorders a page: escape sequences, control
// characters but newline and tab, and the marks that change the direction of writing (Unicode TR 9; they hide what a text says). Invalid UTF-8
// becomes U+FFFD.
func Clean(s string) string {
	s = escapes.ReplaceAllString(strings.ToValidUTF8(s, "\ufffd"), "")
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, s)
}
