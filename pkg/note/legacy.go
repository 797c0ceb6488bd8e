package note

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/report"
)

// Result is a row of results.json, Table a table in it.
type (
	Result = report.Number
	Table  = report.Table
)

// Figure is a PNG with what it shows and the numbers behind it.
type Figure struct {
	Name    string
	Title   string
	Caption string
	PNG     []byte
	Table   *Table
}

// Begin starts a run from nothing: Open, without what was added before.
func Begin(recipe string, parameters map[string]any) (*Run, error) {
	r, err := Open(recipe, parameters)
	if err != nil {
		return nil, err
	}
	if !r.isNew {
		if err := os.RemoveAll(r.state); err != nil {
			return nil, fmt.Errorf("note: %w", err)
		}
		if r, err = Open(recipe, parameters); err != nil {
			return nil, err
		}
	}
	if os.Getenv(env.RunDir) == "" {
		return r, writeFile(filepath.Join(r.root, "runs", ".current"), []byte(filepath.Base(r.dir)+"\n"))
	}
	return r, nil
}

// Current is the run that Begin started, for the cells after it.
func Current() (*Run, error) {
	recipe := "unknown"
	if os.Getenv(env.RunDir) == "" {
		root, err := Root()
		if err != nil {
			return nil, err
		}
		b, err := os.ReadFile(filepath.Join(root, "runs", ".current"))
		if errors.Is(err, os.ErrNotExist) {
			return nil, errNotBegun
		}
		if err != nil {
			return nil, fmt.Errorf("note: %w", err)
		}
		recipe = strings.TrimSpace(string(b))
		if err := checkName("recipe named by runs/.current", recipe); err != nil {
			return nil, err
		}
	}
	r, err := locate(recipe)
	if err != nil {
		return nil, err
	}
	id := runID()
	current, err := os.ReadFile(filepath.Join(r.notes(), id, "current"))
	if err != nil {
		return nil, errNotBegun
	}
	r.state = filepath.Join(r.notes(), id, strings.TrimSpace(string(current)))
	if _, err := r.begun(); err != nil {
		return nil, err
	}
	return r, nil
}

// add appends a part by itself.
func (r *Run) add(p report.Part) error {
	return r.put(&section{Parts: []*report.Part{&p}}, false)
}

// Summary says in a few sentences of Markdown what was found, in place of the parts' findings.
func (r *Run) Summary(markdown string) error {
	if strings.TrimSpace(markdown) == "" {
		return fmt.Errorf("note: empty summary")
	}
	return r.put(&section{Summary: r.clean(markdown)}, false)
}

// Prose adds a section of Markdown.
func (r *Run) Prose(markdown string) error {
	if strings.TrimSpace(markdown) == "" {
		return fmt.Errorf("note: empty prose")
	}
	return r.put(&section{Prose: r.clean(markdown)}, false)
}

// Result adds a row of results.json.
func (r *Run) Result(res Result) error { return r.add(report.Part{Numbers: []report.Number{res}}) }

// Table adds a table to the note and to results.json.
func (r *Run) Table(t Table) error { return r.add(report.Part{Tables: []report.Table{t}}) }

// Figure adds a figure.
func (r *Run) Figure(f Figure) error {
	return r.add(report.Part{Figures: []report.Figure{{Name: f.Name, Title: f.Title, Caption: f.Caption, Chart: report.PNG(f.PNG), Table: f.Table}}})
}

// Sample adds text that a model wrote, or was given.
func (r *Run) Sample(title, text string) error {
	return r.add(report.Part{Samples: []report.Sample{{Title: title, Text: text}}})
}

// Provenance adds an entry.
func (r *Run) Provenance(key string, value any) error {
	return r.add(report.Part{Facts: map[string]any{key: value}})
}
