package report

import (
	"errors"
	"fmt"
	"html"
	"strings"

	"github.com/janpfeifer/gonb/gonbui"
)

// Display shows parts as output of the notebook cell that runs: what was found, how it was measured, tables, figures and samples. Every display
// of this package returns when the kernel has it, because a cell's process may exit right after. Outside a GoNB kernel it checks its arguments only.
func Display(parts ...*Part) error {
	for _, p := range parts {
		blocks, err := p.blocks()
		if err != nil {
			return err
		}
		for _, b := range blocks {
			switch {
			case b.png != nil:
				err = DisplayPNG(b.png)
			case b.html != "":
				err = DisplayHTML(b.html)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// block is one output of a cell.
type block struct {
	html string
	png  []byte
}

// blocks are a part's outputs in order; text between two pictures is one output.
func (p *Part) blocks() ([]block, error) {
	var out []block
	var b strings.Builder
	flush := func() {
		if b.Len() > 0 {
			out = append(out, block{html: b.String()})
			b.Reset()
		}
	}
	if f := Clean(p.Finding); strings.TrimSpace(f) != "" {
		b.WriteString("<p><b>" + html.EscapeString(f) + "</b></p>\n")
	}
	b.WriteString(paragraph("p", p.Method))
	tables := p.Tables
	if len(tables) == 0 {
		tables = p.plainTables()
	}
	for i := range tables {
		t, err := tables[i].titled()
		if err != nil {
			return nil, err
		}
		b.WriteString(t)
	}
	for i := range p.Figures {
		f := &p.Figures[i]
		png, err := f.PNG()
		if err != nil {
			return nil, err
		}
		flush()
		out = append(out, block{png: png})
		b.WriteString(paragraph("small", f.Caption))
	}
	for i := range p.Samples {
		b.WriteString(p.Samples[i].html())
	}
	flush()
	return out, nil
}

// plainTables show the arms and numbers of a part that brings no table of its own.
func (p *Part) plainTables() []Table {
	var out []Table
	if len(p.Arms) > 0 {
		t := Table{Columns: []string{"arm", "what it does"}}
		for _, a := range p.Arms {
			t.Rows = append(t.Rows, []any{a.Name, a.Words})
		}
		out = append(out, t)
	}
	if len(p.Numbers) > 0 && len(p.Figures) == 0 {
		t := Table{Columns: []string{"result", "value", "unit", "n", "95 % interval"}}
		for _, n := range p.Numbers {
			row := []any{n.Name, n.Value, n.Unit, nil, nil}
			if n.N > 0 {
				row[3] = n.N
			}
			if n.CI95 != nil {
				row[4] = fmt.Sprintf("%s to %s", Text(n.CI95.Low), Text(n.CI95.High))
			}
			t.Rows = append(t.Rows, row)
		}
		out = append(out, t)
	}
	return out
}

// DisplayPNG shows a picture.
func DisplayPNG(png []byte) error {
	if len(png) == 0 {
		return errors.New("report: nothing to show: the PNG is empty")
	}
	return display(func() { gonbui.DisplayPNG(png) })
}

// DisplayHTML shows HTML as it is: whoever made it has escaped what it quotes.
func DisplayHTML(html string) error {
	if html == "" {
		return errors.New("report: nothing to show: the HTML is empty")
	}
	return display(func() { gonbui.DisplayHTML(html) })
}

// display runs a gonbui display function if there is a notebook to display in, and waits for the kernel: GoNB closes the pipe undrained at a
// process's end.
func display(show func()) error {
	if !gonbui.IsNotebook {
		return nil
	}
	// Opened here because gonbui.Sync would wait for ever on a pipe that could not be opened.
	if err := gonbui.Open(); err != nil {
		return fmt.Errorf("report: no connection to the GoNB kernel: %w", err)
	}
	show()
	gonbui.Sync()
	return gonbui.Error()
}
