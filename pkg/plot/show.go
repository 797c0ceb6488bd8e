package plot

import (
	"errors"
	"fmt"
	"html/template"
	"strings"

	"github.com/janpfeifer/gonb/gonbui"

	"github.com/attune-lab/attune/pkg/plot/cell"
)

// Show displays a PNG as output of the notebook cell that runs, and waits until the kernel has it: a cell's
// process may exit right after. Outside a GoNB kernel it does nothing.
func Show(png []byte) error {
	if len(png) == 0 {
		return errors.New("plot: nothing to show: the PNG is empty")
	}
	return display(func() { gonbui.DisplayPNG(png) })
}

// ShowTable displays a table as output of the notebook cell that runs. Every header and cell is escaped, numbers
// are rounded (their exact value is the cell's tooltip). Outside a GoNB kernel it only checks its arguments.
func ShowTable(columns []string, rows [][]any) error {
	html, err := tableHTML(columns, rows)
	if err != nil {
		return err
	}
	return display(func() { gonbui.DisplayHTML(html) })
}

// ShowHTML displays HTML as output of the notebook cell that runs, as it is: whoever made it has escaped what it quotes. Outside a GoNB kernel
// it does nothing.
func ShowHTML(html string) error {
	if html == "" {
		return errors.New("plot: nothing to show: the HTML is empty")
	}
	return display(func() { gonbui.DisplayHTML(html) })
}

// display runs a gonbui display function if there is a notebook to display in.
func display(show func()) error {
	if !gonbui.IsNotebook {
		return nil
	}
	// Opened here because gonbui.Sync would wait for ever on a pipe that could not be opened.
	if err := gonbui.Open(); err != nil {
		return fmt.Errorf("plot: no connection to the GoNB kernel: %w", err)
	}
	show()
	gonbui.Sync()
	return gonbui.Error()
}

var tableTemplate = template.Must(template.New("table").Parse(
	`<table style="font-variant-numeric:tabular-nums"><thead><tr>{{range .Columns}}<th style="text-align:left">{{.}}</th>{{end}}</tr></thead>
<tbody>{{range .Rows}}
<tr>{{range .}}<td{{if .Exact}} style="text-align:right" title="{{.Exact}}"{{else}} style="text-align:left"{{end}}>{{.Text}}</td>{{end}}</tr>{{end}}
</tbody></table>`))

func tableHTML(columns []string, rows [][]any) (string, error) {
	type shown struct{ Text, Exact string }
	cells := make([][]shown, len(rows))
	for i, row := range rows {
		if len(row) != len(columns) {
			return "", fmt.Errorf("plot: table row %d has %d cells for %d columns %q", i, len(row), len(columns), columns)
		}
		for _, v := range row {
			cells[i] = append(cells[i], shown{cell.Text(v), cell.Exact(v)})
		}
	}
	var b strings.Builder
	err := tableTemplate.Execute(&b, map[string]any{"Columns": columns, "Rows": cells})
	return b.String(), err
}
