package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"reflect"
	"sync"
	"syscall"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/note"
	"github.com/attune-lab/attune/pkg/report"
	"github.com/attune-lab/attune/pkg/worker/client"
)

// Options say what a notebook works with. Field names are those of its parameters: errors and results.json name them. Zero values are defaults.
type Options = client.Options

// Session is a notebook's model, items and note.
type Session struct {
	options Options
	recipe  string
	dirs    []string // that relative paths are looked for in
	run     *note.Run
	label   string // how the session is called beside another one
	tag     string // the same in the names of tables and figures, where several sessions write into one note; see Each
	model   string // the same in the names of numbers, where they are of several models
}

// Open checks the values and resolves nothing that takes time. A package-level variable made by it is made again in every later cell, which costs milliseconds: weights, tokenizer
// and items are opened by the worker when something first needs them, once a session.
func Open(recipe string, o Options) *Session {
	return open(recipe, o, o)
}

// open opens a session whose note has the parameters given.
func open(recipe string, o, given Options) *Session {
	s := &Session{options: o, recipe: recipe, dirs: searchDirs()}
	if err := s.options.Check(s.dirs); err != nil {
		fail(err)
	}
	s.run = check(note.Open(recipe, parameters(given)))
	return s
}

// searchDirs are where the command was run, and the repository.
func searchDirs() []string {
	var dirs []string
	if dir := os.Getenv(env.CallerDir); dir != "" {
		dirs = append(dirs, dir)
	} else if dir := os.Getenv(env.GonbDir); dir != "" {
		dirs = append(dirs, dir)
	} else if dir, err := os.Getwd(); err == nil {
		dirs = append(dirs, dir)
	}
	if root, err := env.Root(); err == nil {
		dirs = append(dirs, root)
	}
	return dirs
}

// parameters of the note: those that the runner passed, which are all of the recipe's; in interactive use the options that are set.
func parameters(o Options) map[string]any {
	if os.Getenv(env.Params) != "" {
		return nil // note reads them
	}
	out := map[string]any{}
	v := reflect.ValueOf(o)
	for i := range v.NumField() {
		name, _, _ := cutTag(v.Type().Field(i).Tag.Get("json"))
		if !v.Field(i).IsZero() && name != "texts" {
			out[name] = v.Field(i).Interface()
		}
	}
	return out
}

// On is the same session on these texts instead of the items' own.
func (s *Session) On(texts ...string) *Session {
	if len(texts) == 0 {
		fail(fmt.Errorf("On: expected one text or more"))
	}
	other := *s
	other.options.Texts = texts
	return &other
}

// Limit is the same session on at most so many items, 0 for all; those of a smaller limit are part of those of a larger one.
func (s *Session) Limit(items int) *Session {
	other := *s
	other.options.Limit = items
	return &other
}

// WithoutBOS is the same session without the token that begins a text.
func (s *Session) WithoutBOS() *Session {
	other := *s
	other.options.NoBOS, other.label = true, "without BOS"
	return &other
}

// About says what is asked of what: the model, the items, one prompt, and where both come from.
func (s *Session) About() *report.Part { return s.part("about", "", nil, nil) }

// Writes shows what the model writes by itself, greedily. On XLA the decoding loop is compiled for it, seconds that a scored comparison does without.
func (s *Session) Writes() *report.Part { return s.part("about", "writes", nil, nil) }

// Tokens lists a text's tokens with their classes.
func (s *Session) Tokens(text string) *report.Part {
	return s.part("tokens", "", nil, map[string]any{"text": text})
}

// Show displays results in the cell and puts them into the note under a title; a section of the same title is replaced, so a cell can be run again.
func (s *Session) Show(title string, what ...report.Shower) {
	if s.tag != "" {
		title += ": " + s.tag
	}
	var parts []*report.Part
	if dry {
		for _, w := range what {
			w.Parts()
		}
		return
	}
	for _, w := range what {
		for _, p := range w.Parts() {
			if p == nil {
				continue
			}
			if err := report.Display(p); err != nil {
				fail(err)
			}
			parts = append(parts, p)
		}
	}
	if err := s.run.Section(title, parts...); err != nil {
		fail(err)
	}
}

// Finish writes note.html, note.md, results.json and provenance.json into the run's directory; the findings of all sections make the summary.
func (s *Session) Finish() {
	if dry {
		return
	}
	if err := s.run.Finish(); err != nil {
		fail(err)
	}
	fmt.Println("note.html, note.md, results.json and figures/ are in the run's directory")
}

// Options are what the session works with.
func (s *Session) Options() Options { return s.options }

// Path resolves what a parameter names: absolute, or relative to where the command is run or to the repository. References to the hub stay as they are.
func (s *Session) Path(parameter, value string) string {
	if client.IsReference(value) {
		return value
	}
	path, err := client.FindPath(value, s.dirs)
	if err != nil {
		fail(client.Parameter(parameter, value, "%v", err))
	}
	return path
}

// Find is [Session.Path] for who looks in more than one place: what is not there is an error.
func (s *Session) Find(value string) (string, error) { return client.FindPath(value, s.dirs) }

// Dir is the run's directory, for your own files.
func (s *Session) Dir() string { return s.run.Dir() }

// worker is dialled once in a process.
var worker = sync.OnceValues(func() (*client.Client, error) { return client.Dial(os.Stdout) })

// request is what every question of the session carries.
func (s *Session) request(kind, view string, arms []Arm, args any) client.Request {
	r := client.Request{Recipe: s.recipe, Options: s.options, Dirs: s.dirs, RunDir: s.run.Dir(), Folder: s.model, RunID: os.Getenv(env.RunID), Kind: kind, View: view}
	for _, a := range arms {
		arm := client.Arm{Name: a.Name, Answer: a.Answer, Controls: a.Controls}
		if len(a.Plan) > 0 { // else the untouched model
			arm.Plan = a.Plan.JSON()
		}
		r.Arms = append(r.Arms, arm)
	}
	if args != nil {
		r.Args = check(json.Marshal(args))
	}
	return r
}

// ask sends a request, shows its progress and collects the answer.
func (s *Session) ask(r client.Request) (parts []*report.Part, data json.RawMessage) {
	if dry {
		s.plan(r)
		return nil, nil
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	c := check(worker())
	p := newProgress()
	err := c.Do(ctx, r, func(e client.Event) error {
		switch {
		case e.Progress != nil:
			p.show(e.Progress)
		case e.Parts != nil:
			parts = append(parts, e.Parts...)
		case e.Data != nil:
			data = e.Data
		}
		return nil
	})
	p.done()
	if err != nil {
		fail(err)
	}
	return parts, data
}

// part asks for one view.
func (s *Session) part(kind, view string, arms []Arm, args any) *report.Part {
	parts, _ := s.ask(s.request(kind, view, arms, args))
	if len(parts) == 0 {
		return &report.Part{}
	}
	return s.tagged(parts[0])
}

// data asks for plain values.
func data[T any](s *Session, kind, view string, arms []Arm, args any) T {
	_, raw := s.ask(s.request(kind, view, arms, args))
	var v T
	if dry {
		return v // the cell goes on with zeros: what it does next is planned, too
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		fail(fmt.Errorf("%s %s: %w", kind, view, err))
	}
	return v
}
