package corpus

import (
	"fmt"
	"path/filepath"
)

// Files of SIQA's development split, as published.
const (
	siqaItems  = "dev.jsonl"
	siqaLabels = "dev-labels.lst"
)

// ReadSIQA reads SIQA's development split (1,954 items of three options) from dir: dev.jsonl and dev-labels.lst with
// the labels 1, 2, 3. An item's question is "{context} {question}".
// Source: https://allenai.org/data/socialiqa, arXiv 1904.09728.
func ReadSIQA(dir string) ([]Item, error) {
	itemsPath, labelsPath := filepath.Join(dir, siqaItems), filepath.Join(dir, siqaLabels)
	var items []Item
	err := eachLine(itemsPath, func(line int, text []byte) error {
		var row struct{ Context, Question, AnswerA, AnswerB, AnswerC string }
		if err := decodeStrict(text, &row, false); err != nil {
			return err
		}
		const expected = "expected context, question, answerA, answerB, answerC"
		if row.Context == "" || row.Question == "" {
			return fmt.Errorf("context or question is missing (%s in %s)", expected, excerpt(text))
		}
		item := Item{
			ID:       fmt.Sprintf("siqa/dev/%d", line),
			Domain:   "siqa",
			Question: row.Context + " " + row.Question,
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
