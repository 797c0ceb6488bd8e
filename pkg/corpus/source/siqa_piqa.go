package source

import (
	"fmt"
	"path/filepath"

	"github.com/attune-lab/attune/pkg/corpus"
)

// Files of SIQA's development split, as published.
const (
	siqaItems  = "dev.jsonl"
	siqaLabels = "dev-labels.lst"
)

// ReadSIQA reads SIQA's development split (1,954 items of three options) from dir: dev.jsonl and dev-labels.lst with
// the labels 1, 2, 3. An item's question is "{context} {question}".
// Source: https://allenai.org/data/socialiqa, arXiv 1904.09728.
func ReadSIQA(dir string) ([]corpus.Item, error) {
	itemsPath, labelsPath := filepath.Join(dir, siqaItems), filepath.Join(dir, siqaLabels)
	var items []corpus.Item
	err := eachLine(itemsPath, func(line int, text []byte) error {
		var row struct{ Context, Question, AnswerA, AnswerB, AnswerC string }
		if err := decodeStrict(text, &row, false); err != nil {
			return err
		}
		const expected = "expected context, question, answerA, answerB, answerC"
		if row.Context == "" || row.Question == "" {
			return fmt.Errorf("context or question is missing (%s in %s)", expected, excerpt(text))
		}
		item := corpus.Item{
			ID:       fmt.Sprintf("siqa/dev/%d", line),
			Domain:   "siqa",
			Question: row.Context + " " + row.Question,
			Passage:  row.Context,
			Options:  []string{row.AnswerA, row.AnswerB, row.AnswerC},
			Source:   fmt.Sprintf("%s:%d", siqaItems, line),
		}
		if err := item.Validate(); err != nil {
			return fmt.Errorf("%w (%s in %s)", err, expected, excerpt(text))
		}
		items = append(items, item)
		return nil
	})
	if err != nil {
		return nil, err
	}
	labels, err := readLabels(labelsPath, []string{"1", "2", "3"})
	if err != nil {
		return nil, err
	}
	return labelled(items, itemsPath, labels, labelsPath)
}

// Files of PIQA's validation split, as published.
const (
	piqaItems  = "valid.jsonl"
	piqaLabels = "valid-labels.lst"
)

// ReadPIQA reads PIQA's validation split (1,838 items of two options) from dir: valid.jsonl and valid-labels.lst with
// the labels 0, 1. An item's question is the goal.
// Source: https://yonatanbisk.com/piqa, arXiv 1911.11641.
func ReadPIQA(dir string) ([]corpus.Item, error) {
	itemsPath, labelsPath := filepath.Join(dir, piqaItems), filepath.Join(dir, piqaLabels)
	var items []corpus.Item
	err := eachLine(itemsPath, func(line int, text []byte) error {
		var row struct{ Goal, Sol1, Sol2 string }
		if err := decodeStrict(text, &row, false); err != nil {
			return err
		}
		item := corpus.Item{
			ID:       fmt.Sprintf("piqa/valid/%d", line),
			Domain:   "piqa",
			Question: row.Goal,
			Passage:  row.Goal,
			Options:  []string{row.Sol1, row.Sol2},
			Source:   fmt.Sprintf("%s:%d", piqaItems, line),
		}
		if err := item.Validate(); err != nil {
			return fmt.Errorf("%w (expected goal, sol1, sol2 in %s)", err, excerpt(text))
		}
		items = append(items, item)
		return nil
	})
	if err != nil {
		return nil, err
	}
	labels, err := readLabels(labelsPath, []string{"0", "1"})
	if err != nil {
		return nil, err
	}
	return labelled(items, itemsPath, labels, labelsPath)
}
