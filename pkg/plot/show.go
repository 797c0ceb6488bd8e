package plot

import "github.com/attune-lab/attune/pkg/report"

// Show displays a PNG as output of the notebook cell that runs.
func Show(png []byte) error { return report.DisplayPNG(png) }

// ShowHTML displays HTML as output of the notebook cell that runs, as it is: whoever made it has escaped what it quotes.
func ShowHTML(html string) error { return report.DisplayHTML(html) }

// ShowTable displays a table as output of the notebook cell that runs.
func ShowTable(columns []string, rows [][]any) error {
	html, err := (&report.Table{Columns: columns, Rows: rows}).HTML()
	if err != nil {
		return err
	}
	return report.DisplayHTML(html)
}
