package corpus

import (
	"fmt"
	"html"
	"strings"
)

// sectionColours are told apart by most eyes with a colour vision deficiency, too (Okabe and Ito 2008), made light enough for black text on them.
var sectionColours = []string{"#cfe8f7", "#fbe3b0", "#c9ecdf", "#f6d3e3", "#faf3b8", "#d5d9f2", "#f7d2bd", "#e3e3e3"}

// HTML shows a text in a notebook or a note: each section on its own colour, with its name as a tooltip and in a legend, and bold and
// underlined what the mask counts. Everything of the text is escaped.
func HTML(t Text, m Mask) string {
	var b strings.Builder
	b.WriteString(`<div style="font-family:monospace;line-height:1.5;color:#000;background:#fff;padding:8px;border:1px solid #ccc">`)
	regions := m.Regions(t)
	for i, s := range t.Spans {
		fmt.Fprintf(&b, `<span title="%s" style="white-space:pre-wrap;background:%s">`, html.EscapeString(s.Section), sectionColours[i%len(sectionColours)])
		for _, r := range regions {
			start, end := max(r.Start, s.Start), min(r.End, s.End)
			if start >= end {
				continue
			}
			piece := html.EscapeString(t.Text[start:end])
			if r.Weight == 0 {
				b.WriteString(piece)
			} else {
				fmt.Fprintf(&b, `<b style="text-decoration:underline" title="%s, weight %g">%s</b>`, html.EscapeString(s.Section), r.Weight, piece)
			}
		}
		b.WriteString(`</span>`)
	}
	b.WriteString(`<div style="font-family:sans-serif;font-size:smaller;margin-top:8px">`)
	for i, s := range t.Spans {
		fmt.Fprintf(&b, `<span style="background:%s;padding:0 6px;margin-right:6px">%s</span>`, sectionColours[i%len(sectionColours)], html.EscapeString(s.Section))
	}
	b.WriteString(`<b style="text-decoration:underline">in the loss</b></div></div>`)
	return b.String()
}
