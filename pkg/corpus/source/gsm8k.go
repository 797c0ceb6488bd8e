package source

import (
	"fmt"
	"iter"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/attune-lab/attune/pkg/corpus"
)

// gsm8kMark comes before the final answer.
const gsm8kMark = "####"

// calculation is GSM8K's annotation for a calculator, "<<48/2=24>>": not part of the text to be read.
var calculation = regexp.MustCompile(`<<[^<>]*>>`)

// ReadGSM8K reads a split ("train": 7,473 problems, "test": 1,319) from dir: {split}.jsonl with question and answer, the steps and then
// "#### answer". The calculator's annotations are taken out of the steps, commas of thousands out of the answer.
// Source: https://github.com/openai/grade-school-math, arXiv 2110.14168.
func ReadGSM8K(dir, split string) ([]corpus.Problem, error) {
	problems, _, err := ReadAll(GSM8K(dir, split), Stop)
	return problems, err
}

// GSM8K is [ReadGSM8K] one by one, for [SkipBad].
func GSM8K(dir, split string) iter.Seq2[corpus.Problem, error] {
	file := split + ".jsonl"
	return through(jsonRows(filepath.Join(dir, file)), func(row corpus.Row) (corpus.Problem, error) {
		p, err := gsm8kProblem(row)
		p.ID = fmt.Sprintf("gsm8k/%s/%d", split, row.Line)
		return p, err
	})
}

// gsm8kProblem makes a problem of a row of GSM8K.
func gsm8kProblem(row corpus.Row) (corpus.Problem, error) {
	where := fmt.Sprintf("%s:%d", filepath.Base(row.File), row.Line)
	p := corpus.Problem{ID: where, Domain: string(KindGSM8K), Source: where}
	question, err := textOf(row, "question")
	if err != nil {
		return p, err
	}
	text, err := textOf(row, "answer")
	if err != nil {
		return p, err
	}
	mark := strings.LastIndex(text, gsm8kMark)
	if mark < 0 {
		return p, rowError(corpus.OpenSection, "the answer's steps never close: expected %q and the final answer after them", gsm8kMark)
	}
	steps, answer := text[:mark], text[mark+len(gsm8kMark):]
	p.Question = strings.TrimSpace(question)
	p.Analysis = strings.TrimSpace(calculation.ReplaceAllString(steps, ""))
	p.Answer = strings.ReplaceAll(strings.TrimSpace(answer), ",", "")
	if strings.Contains(p.Analysis, "<<") {
		return p, rowError(corpus.OpenSection, "a calculation << in the steps never closes: expected >>")
	}
	if p.Answer == "" || p.Analysis == "" {
		return p, rowError(corpus.MissingField, "the steps or the final answer are empty: expected steps, %q and the answer", gsm8kMark)
	}
	return p, nil
}

// bbhProblem makes a problem of a row of BIG-Bench Hard (arXiv 2210.09261, https://github.com/suzgunmirac/BIG-Bench-Hard): input and target. Its domain is the task,
// which the file is named after.
func bbhProblem(row corpus.Row) (corpus.Problem, error) {
	base := filepath.Base(row.File)
	where := fmt.Sprintf("%s:%d", base, row.Line)
	p := corpus.Problem{ID: where, Domain: strings.TrimSuffix(base, filepath.Ext(base)), Source: where}
	var err error
	if p.Question, err = textOf(row, "input"); err != nil {
		return p, err
	}
	p.Answer, err = textOf(row, "target")
	return p, err
}
