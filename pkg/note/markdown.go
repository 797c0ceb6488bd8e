package note

import (
	"fmt"
	"html"
	"path"
	"strings"

	"github.com/attune-lab/attune/pkg/report"
)

// shownInMarkdown is the number of a table's rows that note.md shows; the CSV has all.
const shownInMarkdown = 60

// markdown renders note.md, which GitHub shows with the pictures beside it.
func (r *Run) markdown(c *content) ([]byte, error) {
	m := &markdownPage{}
	res := c.results
	m.line("# %s", inline(c.start.Title))
	m.text(inline(c.start.Asked))
	if c.answer != "" {
		m.text("**" + inline(c.answer) + "**")
	}
	for _, f := range c.found {
		m.add("* " + inline(f))
	}
	for _, f := range facts(res) {
		m.add(fmt.Sprintf("* %s: %s", inline(f.Name), inline(report.Text(f.Value))))
	}
	m.add("")
	if c.method != "" {
		m.title("How it was measured")
		m.text(inline(strings.TrimSpace(c.method + " " + setup(res))))
	}
	if len(c.arms) > 0 {
		m.title("The arms")
		for _, a := range c.arms {
			m.text("**" + inline(a.Name) + "**: " + inline(a.Words))
			if a.Definition != nil {
				m.fenced("json", indented(a.Definition))
			}
		}
	}
	l := r.layout(c, 0)
	for _, s := range c.sections {
		shown, err := l.section(s)
		if err != nil {
			return nil, err
		}
		m.title(inline(s.Title))
		for _, p := range shown.Parts {
			if p.Finding != "" {
				m.text("**" + inline(p.Finding) + "**")
			}
			m.text(inline(p.Method))
			for _, f := range p.Figures {
				m.line("![%s](%s)", inline(f.Title), path.Join("figures", f.Name+".png"))
				m.line("*%s. %s.* %s", f.Label, inline(f.Title), inline(f.Caption))
				if f.Behind != nil {
					m.line("The numbers behind this figure: [%s](%s)", f.Behind.Label, tableFile(f.Behind.Name))
				}
			}
			for _, a := range p.Attention {
				m.line("*%s. %s.* %s", a.Label, inline(a.Title), inline(a.Caption))
				m.text("note.html shows it token by token." + csvLink(a.CSV))
			}
			for _, t := range p.Tables {
				m.line("*%s. %s.* [CSV](%s)", t.Label, inline(t.Title), tableFile(t.Name))
				m.table(t.Table, t.All)
			}
			for _, sample := range p.Samples {
				if sample.Title != "" {
					m.text("*" + inline(sample.Title) + "*")
				}
				m.fenced("", sample.Text)
			}
		}
	}
	if len(res.Results) > 0 {
		m.title("All results")
		t := &report.Table{Columns: []string{"result", "value", "unit", "n", "95 % interval"}}
		for _, row := range res.Results {
			var n, ci any = "", ""
			if row.N > 0 {
				n = row.N
			}
			if row.CI95 != nil {
				ci = fmt.Sprintf("[%s, %s]", report.Text(row.CI95.Low), report.Text(row.CI95.High))
			}
			t.Rows = append(t.Rows, []any{row.Name, row.Value, row.Unit, n, ci})
		}
		m.table(t, len(t.Rows))
	}
	if r.isRecipe(res.Recipe) {
		m.title("Run it again")
		m.fenced("sh", rerun(res))
	}
	m.title("Provenance")
	t := &report.Table{Columns: []string{"", ""}}
	for _, f := range append(sorted(res.Parameters), sorted(flat(res.Provenance))...) {
		t.Rows = append(t.Rows, []any{f.Name, f.Value})
	}
	m.table(t, len(t.Rows))
	return []byte(strings.TrimRight(m.b.String(), "\n") + "\n"), nil
}

func csvLink(file string) string {
	if file == "" {
		return ""
	}
	return " Its numbers: [CSV](" + file + ")."
}

type markdownPage struct {
	b      strings.Builder
	number int
}

func (m *markdownPage) add(line string) { m.b.WriteString(line + "\n") }

func (m *markdownPage) line(format string, args ...any) { m.text(fmt.Sprintf(format, args...)) }

// text is a paragraph, nothing for none.
func (m *markdownPage) text(s string) {
	if s = strings.TrimSpace(s); s != "" {
		m.b.WriteString(s + "\n\n")
	}
}

func (m *markdownPage) title(s string) {
	m.number++
	if !strings.HasSuffix(m.b.String(), "\n\n") {
		m.add("")
	}
	m.line("## %d %s", m.number, s)
}

// fenced shows a text as it is, in a fence that is longer than any in it.
func (m *markdownPage) fenced(language, s string) {
	fence := "```"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	m.b.WriteString(fence + language + "\n" + strings.TrimRight(s, "\n") + "\n" + fence + "\n\n")
}

func (m *markdownPage) table(t *report.Table, all int) {
	row := func(cells []string) { m.add("| " + strings.Join(cells, " | ") + " |") }
	columns, rule := make([]string, len(t.Columns)), make([]string, len(t.Columns))
	for i, numeric := range t.Numeric() {
		columns[i], rule[i] = cell(t.Columns[i]), "---"
		if numeric {
			rule[i] = "---:"
		}
	}
	row(columns)
	row(rule)
	for i, values := range t.Rows {
		if i == shownInMarkdown {
			fmt.Fprintf(&m.b, "\n%d rows in all: see the CSV.\n", all)
			break
		}
		cells := make([]string, len(values))
		for j, v := range values {
			cells[j] = cell(report.Text(v))
		}
		row(cells)
	}
	m.add("")
}

func cell(s string) string {
	return strings.ReplaceAll(inline(s), "|", `\|`)
}

// inline is text that Markdown leaves as it is: one line, nothing in it markup.
func inline(s string) string {
	s = html.EscapeString(strings.Join(strings.Fields(s), " "))
	return strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "#", `\#`, "~", `\~`).Replace(strings.NewReplacer("&#34;", `"`, "&#39;", "'").Replace(s))
}
