package note

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
)

// part is one thing a cell added, a file under work/note: exactly one field is set.
type part struct {
	Summary    *string `json:"summary,omitempty"`
	Prose      *string `json:"prose,omitempty"`
	Result     *Result `json:"result,omitempty"`
	Table      *Table  `json:"table,omitempty"`
	Figure     *figure `json:"figure,omitempty"`
	Sample     *sample `json:"sample,omitempty"`
	Provenance *keyed  `json:"provenance,omitempty"`
}

type figure struct {
	Name    string `json:"name"`
	Title   string `json:"title"`
	Caption string `json:"caption"`
	Table   *Table `json:"table,omitempty"`
}

type sample struct {
	Title string `json:"title"`
	Text  string `json:"text"`
}

type keyed struct {
	Key   string `json:"key"`
	Value any    `json:"value"`
}

// add appends a part under the next free sequence number. accept sees the parts before it and may refuse.
func (r *Run) add(p part, accept func(earlier []part) error) error {
	if _, err := r.begun(); err != nil {
		return err
	}
	if err := r.open(); err != nil {
		return err
	}
	earlier, err := r.parts()
	if err != nil {
		return err
	}
	if accept != nil {
		if err := accept(earlier); err != nil {
			return err
		}
	}
	for seq := len(earlier) + 1; ; seq++ {
		path := filepath.Join(r.stateDir(), fmt.Sprintf("part-%06d.json", seq))
		// The empty file reserves the number; writeJSON replaces it at once.
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("note: %w", err)
		}
		f.Close()
		if err := writeJSON(path, p); err != nil {
			os.Remove(path)
			return err
		}
		return nil
	}
}

// open refuses a run that Finish has closed.
func (r *Run) open() error {
	if _, err := os.Stat(r.endFile()); err == nil {
		return errors.New("note: this run is finished: execute the cell that calls note.Begin to start another")
	}
	return nil
}

// parts reads everything added so far, in order.
func (r *Run) parts() ([]part, error) {
	names, err := filepath.Glob(filepath.Join(escapeGlob(r.stateDir()), "part-*.json"))
	if err != nil {
		return nil, fmt.Errorf("note: %w", err)
	}
	sort.Strings(names)
	var parts []part
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("note: %w", err)
		}
		if len(b) == 0 {
			continue // reserved by a cell that was killed before it wrote
		}
		var p part
		if err := decode(b, &p); err != nil {
			return nil, fmt.Errorf("note: %s: %w: execute the cell that calls note.Begin again", name, err)
		}
		parts = append(parts, p)
	}
	return parts, nil
}

// escapeGlob keeps brackets in a run directory's name from being a pattern.
func escapeGlob(path string) string {
	var out []rune
	for _, r := range path {
		if r == '*' || r == '?' || r == '[' || r == '\\' {
			if filepath.Separator == '\\' { // no escapes there, and none of these in names but brackets
				out = append(out, '?')
				continue
			}
			out = append(out, '\\')
		}
		out = append(out, r)
	}
	return string(out)
}
