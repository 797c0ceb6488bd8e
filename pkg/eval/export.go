package eval

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/attune-lab/attune/pkg/corpus"
	"github.com/attune-lab/attune/pkg/env"
	"github.com/attune-lab/attune/pkg/eval/logs"
)

// document is what an example was made of, with its fields in the order of the published files: the harness hashes them.
type document []struct {
	Name  string
	Value any
}

// MarshalJSON writes the fields in order.
func (d document) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	for i, f := range d {
		if i > 0 {
			b.WriteByte(',')
		}
		for k, v := range []any{f.Name, f.Value} {
			if k == 1 {
				b.WriteByte(':')
			}
			if err := encoder.Encode(v); err != nil {
				return nil, err
			}
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// documentOf is an item as its published file has it, so that hashes agree with the harness' where its fields are known; others are
// written as id, question, options and answer.
func documentOf(template Template, item corpus.Item) document {
	switch {
	case template.Name == TemplatePIQA.Name && len(item.Options) == 2:
		return document{{"goal", item.Question}, {"sol1", item.Options[0]}, {"sol2", item.Options[1]}, {"label", item.Answer}}
	case template.Name == TemplateSIQA.Name && len(item.Options) == 3 && item.Passage != "":
		question := strings.TrimPrefix(item.Question, item.Passage+" ")
		return document{{"context", item.Passage}, {"question", question}, {"answerA", item.Options[0]}, {"answerB", item.Options[1]},
			{"answerC", item.Options[2]}, {"label", strconv.Itoa(item.Answer + 1)}}
	case template.Name == TemplateMMLU.Name:
		return document{{"question", item.Question}, {"subject", item.Domain}, {"choices", item.Options}, {"answer", item.Answer}}
	}
	return document{{"id", item.ID}, {"question", item.Question}, {"options", item.Options}, {"answer", item.Answer}}
}

// BaselineName is what logs call an untouched model.
const BaselineName = "baseline"

// Samples are the comparison as rows of the harness' samples_*.jsonl: every example under every arm, arm by arm, the arm "untouched" by the
// name [BaselineName]. acc and acc_norm take the first among equal scores, as the harness does; verdicts do not ([Judge]).
func (c *Comparison) Samples() []logs.Row {
	var rows []logs.Row
	for a, arm := range c.Arms() {
		for i, e := range c.Examples {
			o := c.Outcomes[a][i]
			row := logs.Row{DocID: e.Row, Doc: e.Doc, Target: strconv.Itoa(e.Answer), Prompt: e.Prompt, Arm: arm}
			if row.Doc == nil {
				row.Doc = document{{"id", e.ID}}
			}
			switch {
			case o.Scores != nil:
				row.Choices, row.Scores = e.Choices, o.Scores
				for _, metric := range c.metrics() {
					right := Predict(metric, e.Choices, o.Scores) == e.Answer
					if o.Parsed { // a vote
						right = o.Judge(metric, e).Right
					}
					row.Metrics = append(row.Metrics, logs.Metric{Name: metric, Value: worth(right)})
				}
			default:
				row.Text, row.Extracted, row.Filter = o.Text, o.Letter, "extracted"
				if e.Open != nil {
					row.Target = e.Target
				} else {
					row.Target = corpus.Letter(e.Answer)
				}
				row.Metrics = []logs.Metric{{Name: "exact_match", Value: worth(o.Judge(Acc, e).Right)}}
			}
			rows = append(rows, row)
		}
	}
	return rows
}

func worth(right bool) float64 {
	if right {
		return 1
	}
	return 0
}

// Arms are the names of the arms, in order, as logs show them.
func (c *Comparison) Arms() []string {
	var arms []string
	for _, r := range c.Rows {
		if r.Metric != c.Rows[0].Metric || r.Group != GroupAll {
			continue
		}
		name := r.Arm
		if name == "untouched" {
			name = BaselineName
		}
		arms = append(arms, name)
	}
	return arms
}

// metrics of the comparison, the primary one first.
func (c *Comparison) metrics() []string {
	var out []string
	for _, r := range c.Rows {
		if len(out) == 0 || out[len(out)-1] != r.Metric {
			out = append(out, r.Metric)
		}
	}
	return out
}

// TaskResults are the totals of every arm as the harness' results_*.json has them, of the rows that [Comparison.Samples] gave. The first arm's
// task has the task's name; others have theirs behind an "@".
func (c *Comparison) TaskResults(task *Task, rows []logs.Row) []logs.TaskResult {
	var template Template
	_ = json.Unmarshal([]byte(task.Template), &template) // of a task that was made by hand there may be none: then no shots are named
	var out []logs.TaskResult
	for a, arm := range c.Arms() {
		r := logs.TaskResult{
			Name: c.Task, N: len(c.Examples), Original: c.Available, Shots: template.Shots, Version: shortHash(c.TemplateHash), Config: json.RawMessage(task.Template),
		}
		if task.Template == "" {
			r.Config = nil
		}
		if a > 0 {
			r.Name = fmt.Sprintf("%s@%s", c.Task, arm)
		}
		sums := make(map[string]float64)
		for _, row := range rows[a*len(c.Examples) : (a+1)*len(c.Examples)] {
			r.Rows, r.Filter = append(r.Rows, row), row.Filter
			for _, m := range row.Metrics {
				sums[m.Name] += m.Value
			}
		}
		if len(r.Rows) > 0 {
			for _, m := range r.Rows[0].Metrics {
				r.Metrics = append(r.Metrics, logs.Metric{Name: m.Name, Value: sums[m.Name] / float64(r.N)})
			}
		}
		out = append(out, r)
	}
	return out
}

// Logs are the harness' files of a run in a folder: samples_TASK_DATE.jsonl of every task, whose rows carry their arm, and one results_DATE.json of all tasks.
type Logs struct {
	dir     string
	about   logs.Results // its date names the files; its tasks are filled in
	rows    map[string][]logs.Row
	results map[string][]logs.TaskResult
	tasks   []string // in the order of coming
}

// NewLogs begins the files of a run; nothing is written before the first [Logs.Add]. About is the head of the results.
func NewLogs(dir string, about logs.Results) *Logs {
	return &Logs{dir: dir, about: about, rows: map[string][]logs.Row{}, results: map[string][]logs.TaskResult{}}
}

// Add writes a comparison's samples, and the results of all comparisons that were added. Of two comparisons of one task the arms are joined; of an arm that both
// have, the rows of more items stay, of as many the later ones. Files of a task that an earlier run left in the folder are removed, so that there is one for each task.
func (l *Logs) Add(task *Task, c *Comparison) error {
	rows := c.Samples()
	arms := c.Arms()
	totals := c.TaskResults(task, rows)
	if err := os.MkdirAll(l.dir, 0o755); err != nil {
		return fmt.Errorf("eval: %w", err)
	}
	if _, met := l.rows[c.Task]; !met {
		l.tasks = append(l.tasks, c.Task)
		earlier, err := logs.Written(l.dir, c.Task)
		if err != nil {
			return fmt.Errorf("eval: %w", err)
		}
		for _, path := range earlier {
			if err := os.Remove(path); err != nil {
				return fmt.Errorf("eval: %w", err)
			}
		}
	}
	for a, arm := range arms {
		of := func(r logs.Row) bool { return r.Arm == arm }
		own := rows[a*len(c.Examples) : (a+1)*len(c.Examples)]
		before := 0
		for _, r := range l.rows[c.Task] {
			if of(r) {
				before++
			}
		}
		if before > len(own) {
			continue
		}
		l.rows[c.Task] = append(slices.DeleteFunc(l.rows[c.Task], of), own...)
		l.results[c.Task] = append(slices.DeleteFunc(l.results[c.Task], func(r logs.TaskResult) bool { return r.Name == totals[a].Name }), totals[a])
	}
	about := l.about
	for _, name := range l.tasks {
		about.Tasks = append(about.Tasks, l.results[name]...)
	}
	samples, results := logs.FileNames(c.Task, about.Date)
	if err := env.WriteFile(filepath.Join(l.dir, samples), 0o644, func(w io.Writer) error { return logs.WriteSamples(w, l.rows[c.Task]) }); err != nil {
		return fmt.Errorf("eval: %w", err)
	}
	if err := env.WriteFile(filepath.Join(l.dir, results), 0o644, func(w io.Writer) error { return logs.WriteResults(w, about) }); err != nil {
		return fmt.Errorf("eval: %w", err)
	}
	return nil
}
