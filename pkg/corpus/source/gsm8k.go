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
		p := corpus.Problem{
			ID:       fmt.Sprintf("gsm8k/%s/%d", split, row.Line),
			Question: strings.TrimSpace(row.Text["question"]),
			Source:   fmt.Sprintf("%s:%d", file, row.Line),
		}
		steps, answer, has := strings.Cut(row.Text["answer"], gsm8kMark)
		if p.Question == "" || row.Text["answer"] == "" {
			return p, rowError(corpus.MissingField, "question or answer is missing: the row has %s", strings.Join(row.Names(), ", "))
		}
		p.Analysis = strings.TrimSpace(calculation.ReplaceAllString(steps, ""))
		p.Answer = strings.ReplaceAll(strings.TrimSpace(answer), ",", "")
		if !has {
			return p, rowError(corpus.OpenSection, "the answer's steps never close: expected %q and the final answer after them", gsm8kMark)
		}
		if strings.Contains(p.Analysis, "<<") {
			return p, rowError(corpus.OpenSection, "a calculation << in the steps never closes: expected >>")
		}
		if p.Answer == "" || p.Analysis == "" {
			return p, rowError(corpus.MissingField, "the steps or the final answer are empty: expected steps, %q and the answer", gsm8kMark)
		}
		return p, nil
	})
}
