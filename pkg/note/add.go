package note

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image/png"
	"path/filepath"
	"strings"

	"github.com/attune-lab/attune/pkg/report"
)

// Result is a row of results.json, Table a table in it.
type (
	Result = report.Number
	Table  = report.Table
)

// Figure is a PNG with what it shows and the numbers behind it.
type Figure struct {
	Name    string // of the file: figures/NAME.png; unique in the run
	Title   string
	Caption string // model, layers, head aggregation, pre- or post-softmax, prompts
	PNG     []byte
	Table   *Table // the numbers behind the figure; its name defaults to the figure's. nil = none
}

// Summary says in a few sentences of Markdown what was found. It stands first in the note, whenever it is added; a second one is refused.
func (r *Run) Summary(markdown string) error {
	if strings.TrimSpace(markdown) == "" {
		return fmt.Errorf("note: empty summary")
	}
	return r.add(part{Summary: &markdown}, func(earlier []part) error {
		for _, p := range earlier {
			if p.Summary != nil {
				return fmt.Errorf("note: the summary was added before; to run cells again, start with the one that calls note.Begin")
			}
		}
		return nil
	})
}

// Prose adds a section of Markdown (CommonMark with tables). HTML in it is shown as text, images as their
// description: the page loads nothing.
func (r *Run) Prose(markdown string) error {
	if strings.TrimSpace(markdown) == "" {
		return fmt.Errorf("note: empty prose")
	}
	return r.add(part{Prose: &markdown}, nil)
}

// Result adds a row of results.json. A name that was used before, and NaN or infinite numbers, are refused.
func (r *Run) Result(res Result) error {
	if err := res.Check(); err != nil {
		return fmt.Errorf("note: %w", err)
	}
	return r.add(part{Result: &res}, func(earlier []part) error {
		for _, p := range earlier {
			if p.Result != nil && p.Result.Name == res.Name {
				return fmt.Errorf("note: result %q was added before (value %v, now %v): every row needs its own name; to run "+
					"cells again, start with the one that calls note.Begin", res.Name, p.Result.Value, res.Value)
			}
		}
		return nil
	})
}

// Table adds a table to the note and to results.json. Ragged rows, NaN and a name used before are refused.
func (r *Run) Table(t Table) error {
	t, err := t.Checked()
	if err != nil {
		return fmt.Errorf("note: %w", err)
	}
	return r.add(part{Table: &t}, func(earlier []part) error { return newTable(t.Name, earlier) })
}

// Figure writes figures/NAME.png and adds the figure to the note. Its table goes to results.json as well.
func (r *Run) Figure(f Figure) error {
	if err := checkName("figure", f.Name); err != nil {
		return err
	}
	if _, err := png.DecodeConfig(bytes.NewReader(f.PNG)); err != nil {
		return fmt.Errorf("note: figure %q: not a PNG (%d bytes): %w", f.Name, len(f.PNG), err)
	}
	p := figure{Name: f.Name, Title: f.Title, Caption: f.Caption}
	if f.Table != nil {
		t := *f.Table
		if t.Name == "" {
			t.Name = f.Name
		}
		t, err := t.Checked()
		if err != nil {
			return fmt.Errorf("note: %w (behind figure %q)", err, f.Name)
		}
		p.Table = &t
	}
	return r.add(part{Figure: &p}, func(earlier []part) error {
		for _, e := range earlier {
			if e.Figure != nil && strings.EqualFold(e.Figure.Name, f.Name) {
				return fmt.Errorf("note: figure %q was added before: every figure needs its own name", f.Name)
			}
		}
		if p.Table != nil {
			if err := newTable(p.Table.Name, earlier); err != nil {
				return err
			}
		}
		return writeFile(r.figureFile(f.Name), f.PNG) // before the part that refers to it
	})
}

func (r *Run) figureFile(name string) string { return filepath.Join(r.dir, "figures", name+".png") }

// Sample adds text that a model wrote, or was given. It is shown as it is and never interpreted.
func (r *Run) Sample(title, text string) error {
	return r.add(part{Sample: &sample{Title: title, Text: strings.ToValidUTF8(text, "\ufffd")}}, nil)
}

// Provenance adds an entry: a hash of weights, tokenizer, template, items or spec; the device; a seed. The value
// is a string, number, bool or nil. A key that is gathered by itself, or has another value already, is refused.
func (r *Run) Provenance(key string, value any) error {
	if strings.TrimSpace(key) == "" {
		return fmt.Errorf("note: provenance without a key (value %v)", value)
	}
	if gathered[key] {
		return fmt.Errorf("note: provenance %q is recorded by itself: choose another key", key)
	}
	value, err := report.Plain(value)
	if err != nil {
		return fmt.Errorf("note: provenance %q is %w", key, err)
	}
	if s, ok := value.(string); ok {
		value = r.portable(s)
	}
	return r.add(part{Provenance: &keyed{key, value}}, func(earlier []part) error {
		now, err := json.Marshal(value)
		if err != nil {
			return fmt.Errorf("note: provenance %q: %w", key, err)
		}
		for _, p := range earlier {
			if p.Provenance == nil || p.Provenance.Key != key {
				continue
			}
			if before, _ := json.Marshal(p.Provenance.Value); string(before) != string(now) {
				return fmt.Errorf("note: provenance %q is %s already, now %s: a run has one", key, before, now)
			}
		}
		return nil
	})
}

func newTable(name string, earlier []part) error {
	for _, p := range earlier {
		if p.table() != nil && p.table().Name == name {
			return fmt.Errorf("note: table %q was added before: every table needs its own name", name)
		}
	}
	return nil
}

// table is the table a part brings, its own or a figure's.
func (p *part) table() *Table {
	switch {
	case p.Table != nil:
		return p.Table
	case p.Figure != nil:
		return p.Figure.Table
	}
	return nil
}
