package note

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image/png"
	"math"
	"path/filepath"
	"strings"
)

// Result is one number of a run: a row of results.json.
type Result struct {
	Name  string  `json:"name"`  // unique in the run, by convention group/what: "accuracy/released"
	Value float64 `json:"value"` // finite
	Unit  string  `json:"unit"`  // "share", "points", "nats"; "" = a pure number
	N     int     `json:"n"`     // items or prompts behind it; 0 = not a sample
	// CI95 is the 95 % interval; nil = none.
	CI95 *[2]float64 `json:"ci95"`
	// Tolerance is the largest absolute difference a rerun may show, here and at the interval's ends; 0 = none.
	Tolerance float64 `json:"tolerance"`
}

// Table is shown in the note and stored in results.json under its name. Cells are strings, numbers, bools or nil
// (a missing value).
type Table struct {
	Name    string   `json:"name,omitempty"` // unique in the run; the key in results.json
	Title   string   `json:"title"`
	Columns []string `json:"columns"`
	Rows    [][]any  `json:"rows"`
}

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
	if err := res.check(); err != nil {
		return err
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

func (res *Result) check() error {
	if strings.TrimSpace(res.Name) == "" {
		return fmt.Errorf("note: a result of value %v has no name", res.Value)
	}
	if err := finite(res.Value); err != nil {
		return fmt.Errorf("note: result %q: the value is %w: report a number, or leave the row out and say why in prose", res.Name, err)
	}
	if err := finite(res.Tolerance); err != nil || res.Tolerance < 0 {
		return fmt.Errorf("note: result %q: the tolerance is %v: want a number >= 0", res.Name, res.Tolerance)
	}
	if res.N < 0 {
		return fmt.Errorf("note: result %q: n is %d: want the number of items, or 0 where nothing was sampled", res.Name, res.N)
	}
	if ci := res.CI95; ci != nil && (finite(ci[0]) != nil || finite(ci[1]) != nil || ci[0] > ci[1]) {
		return fmt.Errorf("note: result %q: the interval is [%v, %v]: want finite ends in order", res.Name, ci[0], ci[1])
	}
	return nil
}

// Table adds a table to the note and to results.json. Ragged rows, NaN and a name used before are refused.
func (r *Run) Table(t Table) error {
	t, err := t.checked()
	if err != nil {
		return err
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
		t, err := t.checked()
		if err != nil {
			return fmt.Errorf("%w (behind figure %q)", err, f.Name)
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
	value, err := plain(value)
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

func (t Table) checked() (Table, error) {
	if strings.TrimSpace(t.Name) == "" {
		return t, fmt.Errorf("note: table %q has no name", t.Title)
	}
	if len(t.Columns) == 0 {
		return t, fmt.Errorf("note: table %q has no columns", t.Name)
	}
	rows := make([][]any, len(t.Rows))
	for i, row := range t.Rows {
		if len(row) != len(t.Columns) {
			return t, fmt.Errorf("note: table %q: row %d has %d cells for %d columns", t.Name, i, len(row), len(t.Columns))
		}
		rows[i] = make([]any, len(row))
		for j, v := range row {
			c, err := plain(v)
			if err != nil {
				return t, fmt.Errorf("note: table %q: row %d, column %q is %w", t.Name, i, t.Columns[j], err)
			}
			rows[i][j] = c
		}
	}
	t.Rows = rows
	return t, nil
}

func newTable(name string, earlier []part) error {
	for _, p := range earlier {
		if p.table() != nil && p.table().Name == name {
			return fmt.Errorf("note: table %q was added before: every table needs its own name", name)
		}
	}
	return nil
}

func finite(f float64) error {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return fmt.Errorf("%v", f)
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
