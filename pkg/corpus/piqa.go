package corpus

import (
	"fmt"
	"path/filepath"
)

// Files of PIQA's validation split, as published.
const (
	piqaItems  = "valid.jsonl"
	piqaLabels = "valid-labels.lst"
)

// ReadPIQA reads PIQA's validation split (1,838 items of two options) from dir: valid.jsonl and valid-labels.lst with
// the labels 0, 1. An item's question is the goal.
// Source: https://yonatanbisk.com/piqa, arXiv 1911.11641.
func ReadPIQA(dir string) ([]Item, error) {
	itemsPath, labelsPath := filepath.Join(dir, piqaItems), filepath.Join(dir, piqaLabels)
	var items []Item
	err := eachLine(itemsPath, func(line int, text []byte) error {
		var row struct{ Goal, Sol1, Sol2 string }
		if err := decodeStrict(text, &row, false); err != nil {
			return err
		}
		item := Item{
			ID:       fmt.Sprintf("piqa/valid/%d", line),
			Domain:   "piqa",
			Question: row.Goal,
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
