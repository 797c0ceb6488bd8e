package note

import (
	"fmt"
	"html"
	"strings"

	"github.com/attune-lab/attune/pkg/report"
)

// raw is text that is HTML already. Every other string that a page takes is escaped.
type raw string

// writer writes a page. It stands in for html/template, whose use of reflection keeps every method of every type in a program: a cell that links this package
// takes a third longer to link with it.
type writer struct {
	strings.Builder
	heading int // the number of the last one: every title of a note is counted once, in order
}

// put writes HTML with its arguments: numbers as they are, raw as it is, strings and whatever else escaped, for text and for attributes in double quotes.
func (w *writer) put(format string, arguments ...any) {
	for i, a := range arguments {
		switch a := a.(type) {
		case int, raw:
		case string:
			arguments[i] = escape(a)
		default:
			arguments[i] = escape(fmt.Sprint(a))
		}
	}
	fmt.Fprintf(w, format, arguments...)
}

// escape is text as HTML has it, in elements and in quoted attributes. What is no character is shown as U+FFFD.
func escape(text string) string {
	return html.EscapeString(strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", "\ufffd"), "\ufffd"))
}

// when writes HTML that holds one text, and nothing where there is no text.
func (w *writer) when(format, text string) {
	if text != "" {
		w.put(format, text)
	}
}

func (w *writer) section(title string) {
	w.heading++
	w.put("<section>\n<h2>%d %s</h2>\n", w.heading, title)
}

func (w *writer) arms(arms []report.Arm) {
	w.section("The arms")
	w.put("<dl class=\"arms\">")
	for _, a := range arms {
		w.put("\n<div><dt>%s</dt><dd>%s", a.Name, a.Words)
		if a.Definition != nil {
			w.put("\n<details><summary>as data</summary><pre>\n%s</pre></details>", indented(a.Definition))
		}
		w.put("</dd></div>")
	}
	w.put("\n</dl>\n</section>\n")
}

func (w *writer) shown(s shownSection) {
	w.section(s.Title)
	for _, p := range s.Parts {
		w.when("<p class=\"finding\">%s</p>\n", p.Finding)
		w.when("<p class=\"method\">%s</p>\n", p.Method)
		for _, f := range p.Figures {
			w.figure(f)
		}
		for _, a := range p.Attention {
			w.attention(a)
		}
		for i := range p.Tables {
			t := &p.Tables[i]
			w.put("<div class=\"tabled\">\n")
			w.label(t)
			if t.Folded {
				w.put("<details class=\"behind\"><summary>%d rows</summary>\n", t.All)
				w.table(t.Table)
				w.rest(t)
				w.put("</details>\n")
			} else {
				w.table(t.Table)
			}
			w.put("</div>\n")
		}
		for _, sample := range p.Samples {
			w.put("<div class=\"sample\">\n")
			w.when("<h3>%s</h3>\n", sample.Title)
			w.put("<pre>\n%s</pre>\n</div>\n", sample.Text)
		}
	}
	w.put("</section>\n")
}

func (w *writer) figure(f shownFigure) {
	w.put("<figure>\n<label class=\"zoom\"><input type=\"checkbox\" aria-label=\"%s at full size\"><span class=\"frame\"><img src=\"%s\" width=\"%d\" height=\"%d\" alt=\"%s\"></span></label>\n",
		f.Label, f.Data, f.Width, f.Height, f.Title)
	w.caption(f.Label, f.Title, f.Caption)
	if t := f.Behind; t != nil {
		w.put("<details class=\"behind\"><summary>The numbers behind this figure")
		w.when(": %s", t.Title)
		w.put("</summary>\n")
		w.label(t)
		w.table(t.Table)
		w.rest(t)
		w.put("</details>\n")
	}
	w.put("</figure>\n")
}

func (w *writer) attention(a shownAttention) {
	w.put("<figure class=\"attention\">\n")
	w.caption(a.Label, a.Title, a.Caption)
	if a.Data != nil {
		w.put("<script type=\"application/json\">%s</script>\n<div class=\"look\" hidden></div>\n", a.JSON)
	}
	w.put("<details class=\"behind\"><summary>The same as a table</summary>\n<p class=\"label\">%s ", a.Table.Title)
	w.when("<a href=\"%s\">CSV</a>", a.CSV)
	w.put("</p>\n")
	w.table(a.Table)
	w.put("</details>\n</figure>\n")
}

func (w *writer) caption(label, title, caption string) {
	w.put("<figcaption><b>%s.", label)
	w.when(" %s.", title)
	w.put("</b> %s</figcaption>\n", caption)
}

func (w *writer) label(t *shownTable) {
	w.put("<p class=\"label\"><b>%s.</b> %s ", t.Label, t.Title)
	if t.Name != "" {
		w.put("<a href=\"%s\">CSV</a>", tableFile(t.Name))
	}
	w.put("</p>\n")
}

// rest says how much of a table the page leaves out.
func (w *writer) rest(t *shownTable) {
	if t.All > len(t.Rows) {
		w.put("<p>These are %d of %d rows; <a href=\"%s\">the CSV</a> has all.</p>\n", len(t.Rows), t.All, tableFile(t.Name))
	}
}

// table writes a table: numbers to the right, with their exact value as the tooltip; one that a printed page has no room for is printed as a block a row.
func (w *writer) table(t *report.Table) {
	title, class, cards := t.Title, raw(""), wide(t)
	if title == "" {
		title = "table"
	}
	if cards {
		class = ` class="cards"`
	}
	w.put("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"%s\"><table%s>\n<thead><tr>", title, class)
	numeric := t.Numeric()
	for i, column := range t.Columns {
		w.put("<th%s>%s</th>", classOf(numeric[i], false), column)
	}
	w.put("</tr></thead>\n<tbody>")
	for _, row := range t.Rows {
		w.put("\n<tr>")
		for i, v := range row {
			w.put("<td%s", classOf(numeric[i], long(v)))
			if cards {
				w.put(" data-l=\"%s\"", t.Columns[i])
			}
			w.when(" title=\"%s\"", report.Exact(v))
			w.put(">%s</td>", report.Text(v))
		}
		w.put("</tr>")
	}
	w.put("\n</tbody></table></div>\n")
}

func classOf(numeric, long bool) raw {
	switch {
	case numeric:
		return ` class="num"`
	case long:
		return ` class="long"`
	}
	return ""
}

// results lists every number of results.json.
func (w *writer) results(rows []report.Number) {
	w.section("All results")
	w.put(`<div class="scroll" tabindex="0" role="region" aria-label="All results"><table class="results cards">` +
		"\n<thead><tr><th>result</th><th class=\"num\">value</th><th>unit</th><th class=\"num\">n</th><th class=\"num\">95 %% interval</th></tr></thead>\n<tbody>")
	for _, r := range rows {
		w.put("\n<tr><td>%s</td><td class=\"num\" data-l=\"value\" title=\"%s\">%s</td><td>%s</td>", r.Name, report.Exact(r.Value), report.Text(r.Value), r.Unit)
		if r.N > 0 {
			w.put("<td class=\"num\" data-l=\"n\">%d</td>", r.N)
		} else {
			w.put("<td class=\"num\"></td>")
		}
		if ci := r.CI95; ci != nil {
			w.put("<td class=\"num\" data-l=\"95 %%\">[%s, %s]</td></tr>", report.Text(ci.Low), report.Text(ci.High))
		} else {
			w.put("<td class=\"num\"></td></tr>")
		}
	}
	w.put("\n</tbody></table></div>\n</section>")
}

func (w *writer) facts(title string, facts []fact) {
	w.section(title)
	w.put("<table class=\"pairs\"><tbody>")
	for _, f := range facts {
		w.put("\n<tr><th scope=\"row\">%s</th><td>%s</td></tr>", f.Name, fold(f.Value))
	}
	w.put("\n</tbody></table>\n</section>\n")
}
