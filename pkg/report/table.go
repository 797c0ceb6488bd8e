package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// Table is shown in the note and stored in results.json under its name. Cells are strings, numbers, bools or nil (a missing value).
type Table struct {
	Name    string   `json:"name,omitempty"` // unique in the run; the key in results.json
	Title   string   `json:"title"`
	Columns []string `json:"columns"`
	Rows    [][]any  `json:"rows"`
}

// Checked is the table with every cell as JSON keeps it. A table without name or columns, a ragged row, NaN and infinities are refused.
func (t Table) Checked() (Table, error) {
	if strings.TrimSpace(t.Name) == "" {
		return t, fmt.Errorf("table %q has no name", t.Title)
	}
	if len(t.Columns) == 0 {
		return t, fmt.Errorf("table %q has no columns", t.Name)
	}
	rows := make([][]any, len(t.Rows))
	for i, row := range t.Rows {
		if len(row) != len(t.Columns) {
			return t, fmt.Errorf("table %q: row %d has %d cells for %d columns", t.Name, i, len(row), len(t.Columns))
		}
		rows[i] = make([]any, len(row))
		for j, v := range row {
			c, err := Plain(v)
			if err != nil {
				return t, fmt.Errorf("table %q: row %d, column %q is %w", t.Name, i, t.Columns[j], err)
			}
			rows[i][j] = c
		}
	}
	t.Rows = rows
	return t, nil
}

// Numeric tells which columns hold nothing but numbers and missing values: those are aligned to the right.
func (t *Table) Numeric() []bool {
	out := make([]bool, len(t.Columns))
	for j := range out {
		for _, row := range t.Rows {
			if row[j] != nil && !IsNumber(row[j]) {
				out[j] = false
				break
			}
			out[j] = out[j] || row[j] != nil
		}
	}
	return out
}

// CSV is the table as RFC 4180 has it, numbers without loss and missing values empty.
func (t *Table) CSV() ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	if err := w.Write(t.Columns); err != nil {
		return nil, fmt.Errorf("table %q: %w", t.Name, err)
	}
	for _, row := range t.Rows {
		line := make([]string, len(row))
		for j, v := range row {
			switch {
			case v == nil:
			case IsNumber(v):
				line[j] = Exact(v)
			default:
				line[j] = fmt.Sprint(v)
			}
		}
		if err := w.Write(line); err != nil {
			return nil, fmt.Errorf("table %q: %w", t.Name, err)
		}
	}
	w.Flush()
	return b.Bytes(), w.Error()
}

// Plain turns the value of a table's cell or of a fact into what JSON keeps: nil, bool, string or number. NaN and infinities are refused.
func Plain(v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	if n, ok := v.(json.Number); ok {
		return n, nil
	}
	r := reflect.ValueOf(v)
	switch {
	case r.Kind() == reflect.Pointer && r.IsNil():
		return nil, nil
	case r.Kind() == reflect.Pointer:
		return Plain(r.Elem().Interface())
	case r.Kind() == reflect.Bool, r.Kind() == reflect.String, r.CanInt(), r.CanUint():
		return v, nil
	case r.CanFloat():
		if err := finite(r.Float()); err != nil {
			return nil, fmt.Errorf("%w: use nil for a missing value", err)
		}
		return v, nil
	}
	return nil, fmt.Errorf("a %T: want a string, a number, a bool or nil", v)
}
