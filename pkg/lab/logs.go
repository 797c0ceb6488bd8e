package lab

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/attune-lab/attune/pkg/eval/extract"
	"github.com/attune-lab/attune/pkg/eval/logs"
	"github.com/attune-lab/attune/pkg/report"
	"github.com/attune-lab/attune/pkg/worker/client"
)

// Logs say how logs of answers are read; its fields are parameters of the recipes compare and rescore. Zero values take what a log says of itself.
type Logs struct {
	Metric  string  // that says what is right, where a log has several; "" = acc or exact_match
	Filter  string  // of the harness, where rows carry several; "" = the first
	Columns string  // of a plain log: "id=item,answer=reply,target=gold,correct=ok,cluster=passage"
	Form    string  // of answers that are read out of texts: letter, number, label, text; "" = from the targets
	Margin  float64 // of equivalence; 0 = 0.01
}

// CompareLogs compares two logs of the same items, paired by id, without a model: b against a. A log is samples_*.jsonl of the common harness or its folder, Inspect's JSON dump,
// or JSONL or CSV with an id and an answer; behind "#" an arm of one of ours is named.
func (s *Session) CompareLogs(a, b string, o Logs) report.Shower {
	before, after := s.log("a", a, o), s.log("b", b, o)
	tellApart(before, a, after, b)
	found, err := logs.Compare(before, after, o.Margin)
	if err != nil {
		fail(client.Parameter("b", b, "%s", plainLog(err)))
	}
	return found
}

// Rescore reads the answers of a log again, whatever it says of itself, without a model. With another log, which is read again as well, both are compared: the log against that one.
func (s *Session) Rescore(log, against string, o Logs) report.Shower {
	again := s.rescored("log", log, o)
	if against == "" {
		return again
	}
	other := s.rescored("against", against, o)
	tellApart(other.Log, against, again.Log, log)
	found, err := logs.Compare(other.Log, again.Log, o.Margin)
	if err != nil {
		fail(client.Parameter("against", against, "%s", plainLog(err)))
	}
	part := other.Part()
	part.Answers = false
	for i := range part.Numbers {
		part.Numbers[i].Name += "/against"
	}
	part.Facts = map[string]any{"against": part.Facts["log"]}
	return parts{again.Part(), part, found.Part()}
}

// tellApart names two files of one name with their folders.
func tellApart(a *logs.Log, pathA string, b *logs.Log, pathB string) {
	if a.Name != b.Name || a.Arm != b.Arm {
		return
	}
	a.Name, b.Name = filepath.Join(filepath.Base(filepath.Dir(pathA)), a.Name), filepath.Join(filepath.Base(filepath.Dir(pathB)), b.Name)
}

// parts are shown together.
type parts []*report.Part

// Parts implements [report.Shower].
func (p parts) Parts() []*report.Part { return p }

func (s *Session) rescored(parameter, path string, o Logs) *logs.Rescored {
	found, err := logs.Rescore(s.log(parameter, path, o), extract.Form(o.Form))
	if err != nil {
		fail(client.Parameter(parameter, path, "%s", plainLog(err)))
	}
	return found
}

// log reads what a parameter names.
func (s *Session) log(parameter, value string, o Logs) *logs.Log {
	read := logs.Options{Metric: o.Metric, Filter: o.Filter, Form: extract.Form(o.Form)}
	for _, pair := range client.Fields(o.Columns) {
		name, column, _ := strings.Cut(pair, "=")
		to := map[string]*string{"id": &read.ID, "correct": &read.Correct, "answer": &read.Answer, "target": &read.Target, "cluster": &read.Cluster}[name]
		if to == nil || column == "" {
			fail(client.Parameter("columns", o.Columns, "%q is not id, answer, target, correct or cluster with the name of a column, such as id=item,answer=reply", pair))
		}
		*to = column
	}
	file, arm, named := strings.Cut(value, "#")
	path, err := client.FindPath(value, s.dirs)
	if err != nil && named {
		path, err = client.FindPath(file, s.dirs)
		read.Arm = arm
	}
	if err != nil {
		fail(client.Parameter(parameter, value, "%v", err))
	}
	found, err := logs.Read(path, read)
	if err != nil {
		fail(client.Parameter(parameter, value, "%s", strings.TrimPrefix(strings.ReplaceAll(plainLog(err), path, filepath.Base(path)), filepath.Base(path)+": ")))
	}
	return found
}

// plainLog is an error of package logs without its name, since the parameter is named.
func plainLog(err error) string {
	if errors.Is(err, os.ErrPermission) {
		return "it may not be read"
	}
	return strings.TrimPrefix(err.Error(), "logs: ")
}
