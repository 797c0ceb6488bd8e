package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/report"
)

// Request is one question. Paths in Options may be relative: Dirs says to what.
type Request struct {
	Sources string          `json:"sources"`           // of the asker, see [Sources]; set by Do
	Profile env.Profile     `json:"profile,omitempty"` // that the worker must have; set by Do, "" = any
	Recipe  string          `json:"recipe,omitempty"`
	Options Options         `json:"options"`
	Dirs    []string        `json:"dirs,omitempty"`    // folders that relative paths are looked for in, in order
	RunDir  string          `json:"run_dir,omitempty"` // of the run, for files that belong to it: adapters, arrays, logs
	Folder  string          `json:"folder,omitempty"`  // below the run's directory, of the logs of answers; "" = the directory itself
	RunID   string          `json:"run_id,omitempty"`  // who computed a result, in the store
	Store   string          `json:"store,omitempty"`   // "" = the default, "fresh" = a temporary one
	Kind    string          `json:"kind"`              // what is asked: "about", "survey", "compare", ...
	View    string          `json:"view,omitempty"`    // which view of it
	Arms    []Arm           `json:"arms,omitempty"`
	Args    json.RawMessage `json:"args,omitempty"` // of the kind and view
	Dry     bool            `json:"dry,omitempty"`  // compute nothing, and say what would be computed
}

// Planned is one thing that a dry request would compute: the answers of an arm, or a survey.
type Planned struct {
	Kind    string  `json:"kind"`
	View    string  `json:"view,omitempty"` // where the whole request is one thing
	Arm     string  `json:"arm,omitempty"`
	Key     string  `json:"key,omitempty"`     // of its results in the store; "" = they are never stored
	Items   int     `json:"items,omitempty"`   // items or texts
	Known   int     `json:"known,omitempty"`   // of them, in the store
	Tokens  int     `json:"tokens,omitempty"`  // of the prompts that are left; what is written comes on top
	Widths  []int   `json:"widths,omitempty"`  // of the passes: each is compiled once, on XLA
	Seconds float64 `json:"seconds,omitempty"` // about, from the last such work with this model here; 0 = none was timed
	Note    string  `json:"note,omitempty"`    // why it cannot be said
}

// Record appends the request to a file, a JSON object a line: the plan of a recipe that is computed in parts.
func (r Request) Record(path string) error {
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("request %s: %w", r.Kind, err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("the plan: %w", err)
	}
	_, err = file.Write(append(line, '\n'))
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("the plan: %w", err)
	}
	return nil
}

// Arm is one thing to compare, as data.
type Arm struct {
	Name     string          `json:"name"`
	Plan     json.RawMessage `json:"plan,omitempty"`     // an emulate.Plan; empty or [] = the untouched model
	Answer   json.RawMessage `json:"answer,omitempty"`   // how it answers; empty = log-likelihood of the choices
	Controls []string        `json:"controls,omitempty"` // names of the arms of equal size that it is also compared with
}

// Written is the kind of an [Arm]'s answer that is read out of what the model writes, {"kind": "written", "budget": 256, "instructed": true}; other kinds are those of
// package reason.
const Written = "written"

// Event is one line of an answer.
type Event struct {
	Progress *Progress       `json:"progress,omitempty"`
	Parts    []*report.Part  `json:"parts,omitempty"`
	Data     json.RawMessage `json:"data,omitempty"`
	Planned  []Planned       `json:"planned,omitempty"` // the answer to a dry request
	Error    *Error          `json:"error,omitempty"`
	Replaced bool            `json:"replaced,omitempty"` // the worker is of other sources, or of another profile, and ends: start another
	Process  string          `json:"process,omitempty"`  // with Replaced: the worker's, see [ParseProcess]
	End      bool            `json:"end,omitempty"`
}

// Progress says how far a request is.
type Progress struct {
	Stage string `json:"stage"`          // "answers", "survey released", "compiling width 256"
	Done  int    `json:"done,omitempty"` // of Total; both 0 where it cannot be counted
	Total int    `json:"total,omitempty"`
	Note  string `json:"note,omitempty"` // what goes on beside, such as "compiling width 256 (2 of 7)"
	// Point, where it is set, is a measurement on the way, such as a training loss.
	Point *Point `json:"point,omitempty"`
	// Curve is that measurement over the stage as a PNG, drawn again every few seconds.
	Curve []byte `json:"curve,omitempty"`
}

// Point is one value of a quantity that changes over the steps of a run.
type Point struct {
	Step  int     `json:"step"`
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Speed string  `json:"speed,omitempty"`
}

// Error is a refusal or a failure, with the parameter that it is about where there is one.
type Error struct {
	Parameter string `json:"parameter,omitempty"` // name of the field of Options, in lower case as in a notebook
	Value     string `json:"value,omitempty"`
	Message   string `json:"message"`
}

// Error reads `parameter items="x.csv": no column "answer"`.
func (e *Error) Error() string {
	if e.Parameter == "" {
		return e.Message
	}
	return fmt.Sprintf("parameter %s=%s: %s", e.Parameter, quoted(e.Value), e.Message)
}

// Parameter makes an error that names a parameter.
func Parameter(name, value, format string, args ...any) error {
	return &Error{Parameter: name, Value: value, Message: fmt.Sprintf(format, args...)}
}

// asError puts any error into the wire's form.
func asError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Message: err.Error()}
}

// Failure is the event that ends an answer with an error.
func Failure(err error) Event { return Event{Error: asError(err)} }

// quoted leaves numbers and booleans bare and quotes the rest.
func quoted(value string) string {
	var number json.Number
	if value == "true" || value == "false" || json.Unmarshal([]byte(value), &number) == nil && number != "" {
		return value
	}
	return fmt.Sprintf("%q", value)
}

// Times of the protocol.
const (
	// CancelGrace is how long a cancelled request may take to end before the worker ends itself.
	CancelGrace = 8 * time.Second
	// IdleLimit is how long a worker waits for a request before it ends.
	IdleLimit = 2 * time.Hour
	// endPatience is how long a worker that ends may hold the device. The next one starts all the same.
	endPatience = 30 * time.Second
	// dialPatience is how long a started worker may take to listen.
	dialPatience = 60 * time.Second
)

// PlanFile is the file in work/ of a dry run's directory that its cells add their plans to, a line of JSON each.
const PlanFile = "plan.jsonl"
