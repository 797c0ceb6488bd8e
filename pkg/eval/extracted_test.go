package eval

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/attune-lab/attune/pkg/corpus"
	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/eval/extract"
	"github.com/attune-lab/attune/pkg/eval/logs"
	"github.com/attune-lab/attune/pkg/model"
)

// writer writes what it is told, by id, and reads it as Extracted does.
type writer struct {
	name  string
	texts map[string]string
}

func (w writer) Name() string { return w.name }

func (w writer) JSON() json.RawMessage { return json.RawMessage(`{}`) }

func (w writer) Run(_ context.Context, _ *engine.Runner, _ model.Experiment, xs []Example, each func(int, Outcome) error) error {
	for i, e := range xs {
		o := Outcome{Text: w.texts[e.ID], Detail: json.RawMessage(`{}`)}
		o.Letter, o.Parsed = e.question().Read(o.Text)
		if err := each(i, o); err != nil {
			return err
		}
	}
	return nil
}

func TestWrittenAnswersAreReadAndUnparsedOnesAreWrong(t *testing.T) {
	items := []corpus.Item{}
	for i := range 6 {
		items = append(items, corpus.Item{ID: fmt.Sprint(i), Domain: "d", Question: fmt.Sprintf("Which is number %d?", i), Options: []string{"a dog", "a cat", "a cow"}, Answer: i % 3})
	}
	task, err := NewTask("animals", TemplateItems, items, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	direct := writer{"direct", map[string]string{"0": " A", "1": "B", "2": "C", "3": "A", "4": "B", "5": "C"}}
	cot := writer{"cot", map[string]string{
		"0": "Analysis: it barks.\nResponse: A", "1": "The answer is a cat.", "2": "The answer is (D).", "3": "The answer is (A) or (B).", "4": "", "5": "So the answer is (A).",
	}}
	c := mustCompare(t, task, []Arm{{Name: "direct", Answer: direct}, {Name: "cot", Answer: cot}}, Options{})
	row, _ := c.Row(Acc, GroupAll, "cot")
	if row.Correct != 2 || row.Unparsed != 3 || row.Undecided != 0 || row.Accuracy != 2.0/6 || row.Versus.Lost != 4 || row.Versus.N != 6 {
		t.Errorf("%+v, %+v: expected 2 right, 3 unparsed, 4 lost", row, row.Versus)
	}
	if base, _ := c.Row(Acc, GroupAll, "direct"); base.Correct != 6 || base.Unparsed != 0 || base.FirstMaximum != 1 {
		t.Errorf("%+v", base)
	}
	if text := strings.Join(c.Findings(Acc), "\n"); !strings.Contains(text, "3 answers of cot could not be read and count as wrong") {
		t.Errorf("the findings do not tell of unparsed answers:\n%s", text)
	}
	// The log of the comparison, read again without a model, says the same.
	var out bytes.Buffer
	rows := c.Samples()
	if err := logs.WriteSamples(&out, rows); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "samples_animals.jsonl")
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	a, err := logs.Read(path+"#direct", logs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := logs.Read(path+"#cot", logs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	again, err := logs.Compare(a, b, 0)
	if err != nil || again.Counts != row.Versus.Counts {
		t.Errorf("by the log: %+v, %v", again, err)
	}
	scored, err := logs.Rescore(b, "")
	if err != nil || scored.Correct != 1 || scored.Unread != 3 { // "a cat" is a letter only with the options at hand
		t.Errorf("scored again: %+v, %v", scored, err)
	}
	if results := c.TaskResults(task, rows); len(results) != 2 || results[1].Name != "animals@cot" || results[1].Metrics[0].Value != 2.0/6 || results[1].Filter != "extracted" {
		t.Errorf("%+v", results)
	}
}

func TestOpenProblemsAreAnsweredByWriting(t *testing.T) {
	problems := []corpus.Problem{
		{ID: "1", Domain: "sums", Question: "2 + 3?", Analysis: "2 and 3 are 5.", Answer: "5"}, {ID: "2", Domain: "sums", Question: "1,000 + 1?", Answer: "1,001"},
		{ID: "3", Domain: "sums", Question: "7 - 8?", Answer: "-1"},
	}
	template := TemplateGSM8K
	template.Shots = 1
	task, err := NewOpenTask("sums", template, problems, []corpus.Problem{{Question: "1 + 1?", Analysis: "1 and 1 are 2.", Answer: "2"}})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := task.Examples[0].Prompt, "Question: 1 + 1?\nAnswer: 1 and 1 are 2.\n#### 2\n\nQuestion: 2 + 3?\nAnswer:"; got != want {
		t.Errorf("prompt %q, expected %q", got, want)
	}
	if q := task.Examples[0].question(); q.Form != extract.Number {
		t.Errorf("the form is %q", q.Form)
	}
	right := writer{"right", map[string]string{"1": " It is 5.\n#### 5", "2": "The answer is 1001.", "3": "many words\nand no number"}}
	c := mustCompare(t, task, []Arm{{Name: "right", Answer: right}}, Options{})
	row, _ := c.Row(Acc, GroupAll, "right")
	if row.Correct != 2 || row.Unparsed != 1 || row.Chance != 0 || len(c.Findings(Acc)) != 1 || strings.Contains(c.Findings(Acc)[0], "guessing") {
		t.Errorf("%+v\n%q", row, c.Findings(Acc))
	}
	if _, err := Compare(context.Background(), task, []Arm{{Name: "choices"}}, Options{Runner: tinyRunner(t)}); err == nil || !strings.Contains(err.Error(), "no choices to score: answer it with Extracted") {
		t.Errorf("choices of an open problem: %v", err)
	}
	if _, err := NewOpenTask("sums", TemplateItems, problems, nil); err == nil {
		t.Error("a template of choices was taken for open answers")
	}
	if _, err := NewOpenTask("sums", template, problems, nil); err == nil || !strings.Contains(err.Error(), "wants 1 worked examples") {
		t.Errorf("missing worked examples: %v", err)
	}
}

func tinyRunner(t *testing.T) func() (*engine.Runner, error) {
	t.Helper()
	return func() (*engine.Runner, error) {
		m, err := model.Load(filepath.Join("..", "..", "testdata", "attune-tiny"), model.Options{})
		if err != nil {
			return nil, err
		}
		return engine.New(m, engine.Options{}), nil
	}
}

// TestExtractedWritesAlikeAloneAndInABatch on the embedded model, which was trained to write "Analysis: ... Response: letter".
func TestExtractedWritesAlikeAloneAndInABatch(t *testing.T) {
	r, err := tinyRunner(t)()
	if err != nil {
		t.Fatal(err)
	}
	task := mustLoad(t, Generated+":easy", 4, TaskOptions{})
	answer := Extracted{Tokens: 96, Instruction: AuthorsInstruction}
	run := func(xs []Example) []Outcome {
		out := make([]Outcome, len(xs))
		if err := answer.Run(context.Background(), r, nil, xs, func(i int, o Outcome) error { out[i] = o; return nil }); err != nil {
			t.Fatal(err)
		}
		return out
	}
	together := run(task.Examples)
	for i, o := range together {
		if o.Refused != "" || o.Tokens.Prompt == 0 || o.Tokens.Reasoning == 0 || o.Tokens.Reasoning > 96 {
			t.Errorf("%+v", o)
		}
		letter, ok := task.Examples[i].question().Read(o.Text)
		if letter != o.Letter || ok != o.Parsed {
			t.Errorf("%q is read as %q, %v", o.Text, o.Letter, o.Parsed)
		}
	}
	if alone := run(task.Examples[2:3])[0]; alone.Text != together[2].Text {
		t.Errorf("alone %q, in a batch %q", alone.Text, together[2].Text)
	}
	prompt := answer.prompt(task.Examples[0])
	if !strings.HasPrefix(prompt, AuthorsInstruction+"Question: ") || !strings.HasSuffix(prompt, "\n") || strings.Contains(prompt, "\nResponse:") {
		t.Errorf("prompt %q", prompt)
	}
	long := task.Examples[0]
	long.Prompt = strings.Repeat(long.Prompt, 50)
	if o := run([]Example{long})[0]; !strings.Contains(o.Refused, "no room for an answer") {
		t.Errorf("a prompt longer than the context: %+v", o)
	}
}

// TestSamplesAreTheHarnessRows: keys and hashes of a PIQA row, by the harness' own rules (see logs), and the published row's number.
func TestSamplesAreTheHarnessRows(t *testing.T) {
	items := []corpus.Item{{ID: "piqa/valid/1", Domain: "piqa", Question: "Dry wet shoes", Options: []string{"stuff them with newspaper", "stuff them with ice"}, Answer: 0},
		{ID: "piqa/valid/2", Domain: "piqa", Question: "Keep bread fresh", Options: []string{"leave it in the rain", "keep it in a tin"}, Answer: 1}}
	task, err := NewTask("piqa", TemplatePIQA, items, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	task.Limit(1, 3)
	c := mustCompare(t, task, []Arm{{Name: "untouched", Answer: first}, {Name: "alike", Answer: alike}}, Options{})
	rows := c.Samples()
	if len(rows) != 2 || rows[0].Arm != "baseline" || rows[1].Arm != "alike" || rows[0].DocID != task.Examples[0].Row || len(rows[0].Metrics) != 2 {
		t.Fatalf("%+v", rows)
	}
	var out bytes.Buffer
	if err := logs.WriteSamples(&out, rows); err != nil {
		t.Fatal(err)
	}
	// Of the documents in logs/testdata, whose hashes lm_eval made.
	hash := map[int]string{0: "05cf4f5eceb42e0793af66eb212cc45e26b62a6fd2421c8f58c8d7d6d7efff39", 1: "e902a4dacad9407df77f3c21986dfc8bbb6d5a84f8c6c2dec3ffbca399bd61a1"}[task.Examples[0].Row]
	if !strings.Contains(out.String(), `"doc_hash": "`+hash+`"`) {
		t.Errorf("the document's hash is not the harness': %s", out.String())
	}
	dir := filepath.Join(t.TempDir(), "model")
	for date := range 2 { // a second run into the folder takes the place of the first
		written := NewLogs(dir, logs.Results{Model: "m", Date: time.Unix(int64(date), 0).UTC()})
		if err := written.Add(task, c); err != nil {
			t.Fatal(err)
		}
		more := mustCompare(t, task, []Arm{{Name: "untouched", Answer: first}, {Name: "more", Answer: scripted{name: "more", score: first.score}}}, Options{})
		if err := written.Add(task, more); err != nil { // another comparison of the task in the same run
			t.Fatal(err)
		}
	}
	samples, results := filepath.Join(dir, "samples_piqa_1970-01-01T00-00-01.000000.jsonl"), filepath.Join(dir, "results_1970-01-01T00-00-01.000000.json")
	if files, err := logs.Written(dir, "piqa"); err != nil || !slices.Equal(files, []string{results, samples}) {
		t.Errorf("%v, %v", files, err)
	}
	for _, arm := range []string{"baseline", "alike", "more"} {
		if l, err := logs.Read(samples+"#"+arm, logs.Options{}); err != nil || len(l.Samples) != 1 {
			t.Errorf("%s: %+v, %v", arm, l, err)
		}
	}
	if text, err := os.ReadFile(results); err != nil || !strings.Contains(string(text), `"piqa@alike": {`) || !strings.Contains(string(text), `"piqa@more": {`) || !strings.Contains(string(text), `"piqa": {`) {
		t.Errorf("%s, %v", text, err)
	}
	if results := c.TaskResults(task, rows); results[0].Name != "piqa" || results[0].Original != 2 || results[0].N != 1 || len(results[0].Metrics) != 2 {
		t.Errorf("%+v", results[0])
	}
}
