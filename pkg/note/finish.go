package note

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/attune-lab/attune/pkg/report"
)

// content is a run as its files tell it.
type content struct {
	start    *start
	results  *Results
	sections []*section
	arms     []report.Arm
	answer   string   // the finding that answers the question; "" = none
	found    []string // the other findings
	method   string   // how the answer was measured
}

// Finish composes note.html, note.md, figures/, tables/, provenance.json and results.json from the sections, each file whole or not at all, results.json
// last: where it is, the run is complete. A finished run may get other sections and be finished again.
func (r *Run) Finish() error {
	return r.locked(func() error {
		if err := r.owned(); err != nil {
			return err
		}
		c, err := r.compose(time.Now())
		if err != nil {
			return err
		}
		if err := r.publish(c); err != nil {
			return err
		}
		page, err := r.page(c)
		if err != nil {
			return err
		}
		text, err := r.markdown(c)
		if err != nil {
			return err
		}
		if err := writeFile(filepath.Join(r.dir, "note.html"), page); err != nil {
			return err
		}
		if err := writeFile(filepath.Join(r.dir, "note.md"), text); err != nil {
			return err
		}
		if err := writeJSON(filepath.Join(r.dir, "provenance.json"), c.results.Provenance); err != nil {
			return err
		}
		return writeJSON(filepath.Join(r.dir, "results.json"), c.results)
	})
}

// compose gathers what the sections say.
func (r *Run) compose(now time.Time) (*content, error) {
	s, err := r.begun()
	if err != nil {
		return nil, err
	}
	sections, err := r.sections()
	if err != nil {
		return nil, err
	}
	c := &content{start: s, sections: sections, results: &Results{Recipe: s.Recipe, Results: []report.Number{}, Tables: map[string]report.Table{}}}
	if err := decode(s.Parameters, &c.results.Parameters); err != nil {
		return nil, fmt.Errorf("note: parameters of %s: %w", r.startFile(), err)
	}
	names := newNames(r)
	facts := map[string]any{}
	rows := map[string]bool{}
	var answers bool
	var details []string
	for _, s := range sections {
		if err := names.add(s, nil); err != nil {
			return nil, err
		}
		for _, p := range s.Parts {
			for _, row := range p.Numbers {
				if !rows[row.Name] {
					rows[row.Name] = true
					c.results.Results = append(c.results.Results, row)
				}
			}
			for _, t := range partTables(p) {
				named := *t
				named.Name = "" // the key says it
				c.results.Tables[t.Name] = named
			}
			for _, a := range p.Arms {
				if !slices.ContainsFunc(c.arms, func(b report.Arm) bool { return a.Name == b.Name }) {
					c.arms = append(c.arms, a)
				}
			}
			for key, value := range p.Facts {
				facts[key] = value
			}
			if p.Finding == "" {
				continue
			}
			details = append(details, p.Details...)
			if p.Answers || !answers { // the last finding, until one is marked
				if c.answer != "" {
					c.found = append(c.found, c.answer)
				}
				c.answer, c.method, answers = p.Finding, p.Method, answers || p.Answers
			} else {
				c.found = append(c.found, p.Finding)
			}
		}
	}
	c.found = append(c.found, details...)
	c.results.Answer = c.answer
	c.results.Provenance = r.gather(s, facts, now)
	return c, nil
}

// partTables are the tables that a part brings, its own and its figures'.
func partTables(p *report.Part) []*report.Table {
	var out []*report.Table
	for i := range p.Tables {
		out = append(out, &p.Tables[i])
	}
	for _, f := range p.Figures {
		if f.Table != nil {
			out = append(out, f.Table)
		}
	}
	return out
}

var notAFileName = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// tableFile is where a table's CSV goes, relative to the run's directory.
func tableFile(name string) string {
	return "tables/" + strings.Trim(notAFileName.ReplaceAllString(name, "-"), ".-") + ".csv"
}

// publish writes figures/NAME.png and tables/NAME.csv, and removes those of an earlier note that this one does not have.
func (r *Run) publish(c *content) error {
	files := map[string]bool{}
	write := func(name string, b []byte) error {
		files[filepath.ToSlash(name)] = true
		return writeFile(filepath.Join(r.dir, filepath.FromSlash(name)), b)
	}
	for _, s := range c.sections {
		for _, p := range s.Parts {
			for _, f := range p.Figures {
				b, err := os.ReadFile(filepath.Join(r.state, figureFile(f.Name)))
				if err != nil {
					return fmt.Errorf("note: figure %q: %w", f.Name, err)
				}
				if err := write(figureFile(f.Name), b); err != nil {
					return err
				}
			}
			for _, t := range partTables(p) {
				b, err := t.CSV()
				if err != nil {
					return fmt.Errorf("note: %w", err)
				}
				if err := write(tableFile(t.Name), b); err != nil {
					return err
				}
			}
			for _, a := range p.Attention {
				packed, err := r.attention(a.Name)
				if err != nil {
					return err
				}
				b, err := packed.csv()
				if err != nil {
					return err
				}
				if b != nil {
					if err := write(tableFile("attention-"+a.Name), b); err != nil {
						return err
					}
				}
			}
		}
	}
	return r.removeOld(files)
}

// removeOld removes files that an earlier Finish published and this one did not, and no others.
func (r *Run) removeOld(files map[string]bool) error {
	list := filepath.Join(r.notes(), "published.json")
	var before []string
	if b, err := os.ReadFile(list); err == nil {
		_ = json.Unmarshal(b, &before) // a list that cannot be read removes nothing
	}
	for _, name := range before {
		if !files[name] && filepath.IsLocal(filepath.FromSlash(name)) {
			if err := os.Remove(filepath.Join(r.dir, filepath.FromSlash(name))); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("note: %w", err)
			}
		}
	}
	now := make([]string, 0, len(files))
	for name := range files {
		now = append(now, name)
	}
	slices.Sort(now)
	return writeJSON(list, now)
}

// attention reads a view that a section brought.
func (r *Run) attention(name string) (*packed, error) {
	b, err := os.ReadFile(filepath.Join(r.state, attentionFile(name)))
	if err != nil {
		return nil, fmt.Errorf("note: attention %q: %w", name, err)
	}
	var p packed
	if err := json.Unmarshal(b, &p); err != nil {
		return nil, fmt.Errorf("note: attention %q: %w", name, err)
	}
	return &p, nil
}
