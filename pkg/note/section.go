package note

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"strings"

	"github.com/attune-lab/attune/pkg/report"
)

// section is a titled group of parts, a file of the run's state. Pictures and attention are files beside it.
type section struct {
	Title string         `json:"title"`
	Parts []*report.Part `json:"parts,omitempty"`

	file string // its path; "" before it is written
}

// Section adds parts under a title to the note; a section of the same title is replaced and keeps its place, so a cell can be run again. Names of
// numbers, tables, figures and attention are unique in a run: what two sections share must be equal. Absolute paths, escape sequences and marks
// that reorder text are taken out.
func (r *Run) Section(title string, parts ...*report.Part) error {
	if strings.TrimSpace(title) == "" {
		return errors.New("note: a section without a title")
	}
	return r.put(&section{Title: r.clean(title), Parts: parts})
}

// put checks a section and writes it with its files.
func (r *Run) put(s *section) error {
	if _, err := r.begun(); err != nil {
		return err
	}
	drawn, err := r.prepare(s)
	if err != nil {
		return err
	}
	return r.locked(func() error {
		if err := r.owned(); err != nil {
			return err
		}
		sections, err := r.sections()
		if err != nil {
			return err
		}
		path := filepath.Join(r.state, fmt.Sprintf("section-%06d.json", len(sections)+1))
		if n := len(sections); n > 0 { // numbers of removed files are not given again
			var last int
			if _, err := fmt.Sscanf(filepath.Base(sections[n-1].file), "section-%d.json", &last); err == nil {
				path = filepath.Join(r.state, fmt.Sprintf("section-%06d.json", last+1))
			}
		}
		names := newNames(r)
		for _, earlier := range sections {
			if earlier.Title == s.Title {
				path = earlier.file
				continue
			}
			if err := names.add(earlier, nil); err != nil {
				return err
			}
		}
		if err := names.add(s, drawn); err != nil {
			return err
		}
		for name, content := range drawn {
			if err := writeFile(filepath.Join(r.state, name), content); err != nil {
				return err
			}
		}
		return writeJSON(path, s)
	})
}

// prepare checks what a section says, cleans its text and takes pictures and attention out of it: they are files, by name in the run's state.
func (r *Run) prepare(s *section) (map[string][]byte, error) {
	drawn := map[string][]byte{}
	where := func(err error) error { return fmt.Errorf("note: section %q: %w", s.Title, err) }
	parts := make([]*report.Part, 0, len(s.Parts))
	for _, given := range s.Parts {
		if given == nil {
			continue
		}
		p, err := r.cleanPart(given)
		if err != nil {
			return nil, where(err)
		}
		for i := range p.Figures {
			f := &p.Figures[i]
			if err := checkName("figure", f.Name); err != nil {
				return nil, err
			}
			b, err := f.PNG()
			if err != nil {
				return nil, where(err)
			}
			f.Chart = nil
			if err := addFile(drawn, figureFile(f.Name), b); err != nil {
				return nil, where(err)
			}
		}
		for i := range p.Attention {
			a := &p.Attention[i]
			if err := checkName("attention", a.Name); err != nil {
				return nil, err
			}
			packed, err := packAttention(a)
			if err != nil {
				return nil, err
			}
			b, err := json.Marshal(packed)
			if err != nil {
				return nil, where(err)
			}
			a.Probs = report.Array{}
			if err := addFile(drawn, attentionFile(a.Name), b); err != nil {
				return nil, where(err)
			}
		}
		parts = append(parts, p)
	}
	s.Parts = parts
	return drawn, nil
}

func addFile(files map[string][]byte, name string, content []byte) error {
	if before, ok := files[name]; ok && string(before) != string(content) {
		return fmt.Errorf("two pictures of the name %q", name)
	}
	files[name] = content
	return nil
}

func figureFile(name string) string    { return filepath.Join("figures", name+".png") }
func attentionFile(name string) string { return filepath.Join("attention", name+".json") }

// sections reads what was added so far, in order.
func (r *Run) sections() ([]*section, error) {
	entries, err := os.ReadDir(r.state)
	if errors.Is(err, os.ErrNotExist) {
		return nil, errNotBegun
	}
	if err != nil {
		return nil, fmt.Errorf("note: %w", err)
	}
	var names []string
	for _, e := range entries {
		if ok, _ := filepath.Match("section-*.json", e.Name()); ok {
			names = append(names, e.Name())
		}
	}
	sort.Strings(names)
	var out []*section
	for _, name := range names {
		path := filepath.Join(r.state, name)
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("note: %w", err)
		}
		s := &section{file: path}
		if err := decode(b, s); err != nil {
			return nil, fmt.Errorf("note: %s: %w: remove it and execute the notebook's cells again", path, err)
		}
		out = append(out, s)
	}
	return out, nil
}

// names are what a run has named so far, with where: two things of one name must be equal.
type names struct {
	run  *Run
	seen map[string]named
}

type named struct {
	value any
	title string
}

func newNames(r *Run) *names { return &names{run: r, seen: map[string]named{}} }

// add refuses a name that something else has. drawn are the section's files that are not written yet.
func (n *names) add(s *section, drawn map[string][]byte) error {
	content := func(name string) any {
		if b, ok := drawn[name]; ok {
			return string(b)
		}
		b, err := os.ReadFile(filepath.Join(n.run.state, name))
		if err != nil {
			return nil
		}
		return string(b)
	}
	for _, p := range s.Parts {
		for _, row := range p.Numbers {
			if err := n.one("result", row.Name, row, s.Title); err != nil {
				return err
			}
		}
		for _, t := range p.Tables {
			if err := n.one("table", t.Name, t, s.Title); err != nil {
				return err
			}
		}
		for _, f := range p.Figures {
			if err := n.one("figure", strings.ToLower(f.Name), content(figureFile(f.Name)), s.Title); err != nil {
				return err
			}
			if f.Table != nil {
				if err := n.one("table", f.Table.Name, *f.Table, s.Title); err != nil {
					return err
				}
			}
		}
		for _, a := range p.Attention {
			if err := n.one("attention", strings.ToLower(a.Name), content(attentionFile(a.Name)), s.Title); err != nil {
				return err
			}
		}
		for _, a := range p.Arms {
			if err := n.one("arm", a.Name, a, s.Title); err != nil {
				return err
			}
		}
		for key, value := range p.Facts {
			if err := n.one("provenance", key, value, s.Title); err != nil {
				return err
			}
		}
	}
	return nil
}

func (n *names) one(kind, name string, value any, title string) error {
	canonical, err := canonical(value)
	if err != nil {
		return fmt.Errorf("note: %s %q: %w", kind, name, err)
	}
	key := kind + " " + name
	before, ok := n.seen[key]
	if !ok {
		n.seen[key] = named{canonical, title}
		return nil
	}
	if reflect.DeepEqual(before.value, canonical) {
		return nil
	}
	what := ""
	if kind == "result" || kind == "provenance" {
		what = fmt.Sprintf(" (%s, now %s)", shortJSON(before.value), shortJSON(canonical))
	}
	return fmt.Errorf("note: %s %q was added before in section %q%s: give this one another name, or its section that title, which replaces it", kind, name, before.title, what)
}

// canonical is a value as its JSON has it, so that what was read back equals what was given.
func canonical(v any) (any, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var out any
	err = decode(b, &out)
	return out, err
}

// shortJSON is a result's value, or a fact.
func shortJSON(v any) string {
	if m, ok := v.(map[string]any); ok {
		v = m["value"]
	}
	return fmt.Sprint(v)
}
