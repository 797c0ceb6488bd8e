package report

import (
	"fmt"
	"html"
	"html/template"
	"strings"
)

var tableTemplate = template.Must(template.New("table").Parse(
	`<table style="font-variant-numeric:tabular-nums"><thead><tr>{{range .Columns}}<th style="text-align:left">{{.}}</th>{{end}}</tr></thead>
<tbody>{{range .Rows}}
<tr>{{range .}}<td{{if .Exact}} style="text-align:right" title="{{.Exact}}"{{else}} style="text-align:left"{{end}}>{{.Text}}</td>{{end}}</tr>{{end}}
</tbody></table>`))

// HTML is the table as a cell shows it: everything escaped, numbers rounded with their exact value as the tooltip. Ragged rows are an error.
func (t *Table) HTML() (string, error) {
	type shown struct{ Text, Exact string }
	cells := make([][]shown, len(t.Rows))
	for i, row := range t.Rows {
		if len(row) != len(t.Columns) {
			return "", fmt.Errorf("report: table row %d has %d cells for %d columns %q", i, len(row), len(t.Columns), t.Columns)
		}
		for _, v := range row {
			cells[i] = append(cells[i], shown{Clean(Text(v)), Exact(v)})
		}
	}
	var b strings.Builder
	err := tableTemplate.Execute(&b, map[string]any{"Columns": t.Columns, "Rows": cells})
	return b.String(), err
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
