package note

import (
	"fmt"
	"path/filepath"
	"time"
)

// Finish composes note.html, provenance.json and results.json, each written whole or not at all, results.json
// last: where it is, the run is complete. A run can be finished once.
func (r *Run) Finish() error {
	s, err := r.begun()
	if err != nil {
		return err
	}
	if err := r.open(); err != nil {
		return err
	}
	parts, err := r.parts()
	if err != nil {
		return err
	}
	res := &Results{Recipe: s.Recipe, Results: []Result{}, Tables: map[string]Table{}}
	if err := decode(s.Parameters, &res.Parameters); err != nil {
		return fmt.Errorf("note: parameters of %s: %w", r.startFile(), err)
	}
	for _, p := range parts {
		if p.Result != nil {
			res.Results = append(res.Results, *p.Result)
		}
		if t := p.table(); t != nil {
			named := *t
			named.Name = "" // the key says it
			res.Tables[t.Name] = named
		}
	}
	res.Provenance = r.gather(s, parts, time.Now())

	page, err := r.page(s, res, parts)
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(r.dir, "note.html"), page); err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(r.dir, "provenance.json"), res.Provenance); err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(r.dir, "results.json"), res); err != nil {
		return err
	}
	return writeFile(r.endFile(), nil)
}
