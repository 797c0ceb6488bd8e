// Package logs compares and rescores logs of answers in a notebook: what the recipes compare and rescore are made of. No model is opened. It is apart from package lab, so that only
// cells that need it link the statistics.
package logs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/attune-lab/attune/pkg/eval/extract"
	"github.com/attune-lab/attune/pkg/eval/logs"
	"github.com/attune-lab/attune/pkg/lab"
	"github.com/attune-lab/attune/pkg/report"
	"github.com/attune-lab/attune/pkg/worker/client"
)

// Options say how logs of answers are read; its fields are parameters of the recipes compare and rescore. Zero values take what a log says of itself.
type Options struct {
	Metric  string  // that says what is right, where a log has several; "" = acc or exact_match
	Filter  string  // of the harness, where rows carry several; "" = the first
	Columns string  // of a plain log: "id=item,answer=reply,target=gold,correct=ok,cluster=passage"
	Form    string  // of answers that are read out of texts: letter, number, label, text; "" = from the targets
	Margin  float64 // of equivalence; 0 = 0.01
}

// Compare compares two logs of the same items, paired by id, without a model: b against a. A log is samples_*.jsonl of the common harness or its folder, Inspect's JSON dump,
// or JSONL or CSV with an id and an answer; behind "#" an arm of one of ours is named.
func Compare(s *lab.Session, a, b string, o Options) report.Shower {
	before, after := read(s, "a", a, o), read(s, "b", b, o)
	tellApart(before, a, after, b)
	found, err := logs.Compare(before, after, o.Margin)
	if err != nil {
		lab.Stop(client.Parameter("b", b, "%s", plainLog(err)))
	}
	return found
}

// Rescore reads the answers of a log again, whatever it says of itself, without a model. With another log, which is read again as well, both are compared: the log against that one.
func Rescore(s *lab.Session, log, against string, o Options) report.Shower {
	again := rescored(s, "log", log, o)
	if against == "" {
		return again
	}
	other := rescored(s, "against", against, o)
	tellApart(other.Log, against, again.Log, log)
	found, err := logs.Compare(other.Log, again.Log, o.Margin)
	if err != nil {
		lab.Stop(client.Parameter("against", against, "%s", plainLog(err)))
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

func rescored(s *lab.Session, parameter, path string, o Options) *logs.Rescored {
	found, err := logs.Rescore(read(s, parameter, path, o), extract.Form(o.Form))
	if err != nil {
		lab.Stop(client.Parameter(parameter, path, "%s", plainLog(err)))
	}
	return found
}

// log reads what a parameter names.
func read(s *lab.Session, parameter, value string, o Options) *logs.Log {
	how := logs.Options{Metric: o.Metric, Filter: o.Filter, Form: extract.Form(o.Form)}
	for _, pair := range client.Fields(o.Columns) {
		name, column, _ := strings.Cut(pair, "=")
		to := map[string]*string{"id": &how.ID, "correct": &how.Correct, "answer": &how.Answer, "target": &how.Target, "cluster": &how.Cluster}[name]
		if to == nil || column == "" {
			lab.Stop(client.Parameter("columns", o.Columns, "%q is not id, answer, target, correct or cluster with the name of a column, such as id=item,answer=reply", pair))
		}
		*to = column
	}
	file, arm, named := strings.Cut(value, "#")
	path, err := s.Find(value)
	if err != nil && named {
		path, err = s.Find(file)
		how.Arm = arm
	}
	if err != nil {
		lab.Stop(client.Parameter(parameter, value, "%v", err))
	}
	found, err := logs.Read(path, how)
	if err != nil {
		lab.Stop(client.Parameter(parameter, value, "%s", strings.TrimPrefix(strings.ReplaceAll(plainLog(err), path, filepath.Base(path)), filepath.Base(path)+": ")))
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
