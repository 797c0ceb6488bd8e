package source

import (
	"fmt"
	"path/filepath"

	"github.com/attune-lab/attune/pkg/corpus"
)

// split is a published split of rows and a file of their labels.
type split struct {
	shape         shape
	name          string // dev, valid: what the ids carry
	items, labels string // names of the files
}

// The splits that are published with labels.
var (
	siqaDev   = split{siqaShape, "dev", "dev.jsonl", "dev-labels.lst"}
	piqaValid = split{piqaShape, "valid", "valid.jsonl", "valid-labels.lst"}
)

// ReadSIQA reads SIQA's development split (1,954 items of three options) from dir: dev.jsonl and dev-labels.lst with
// the labels 1, 2, 3. An item's question is "{context} {question}".
// Source: https://allenai.org/data/socialiqa, arXiv 1904.09728.
func ReadSIQA(dir string) ([]corpus.Item, error) { return siqaDev.read(dir) }

// ReadPIQA reads PIQA's validation split (1,838 items of two options) from dir: valid.jsonl and valid-labels.lst with
// the labels 0, 1. An item's question is the goal.
// Source: https://yonatanbisk.com/piqa, arXiv 1911.11641.
func ReadPIQA(dir string) ([]corpus.Item, error) { return piqaValid.read(dir) }

func (s split) read(dir string) ([]corpus.Item, error) {
	itemsPath, labelsPath := filepath.Join(dir, s.items), filepath.Join(dir, s.labels)
	items, _, err := ReadAll(through(jsonRows(itemsPath), func(row corpus.Row) (corpus.Item, error) {
		item, err := s.shape.item(row)
		item.ID = fmt.Sprintf("%s/%s/%d", s.shape.kind, s.name, row.Line)
		return item, err
	}), Stop)
	if err != nil {
		return nil, err
	}
	labels, err := readLabels(labelsPath, s.shape.labels)
	if err != nil {
		return nil, err
	}
	if len(items) != len(labels) {
		return nil, fmt.Errorf("%s has %d items and %s has %d labels: expected one label per item; fetch both files again from one place",
			itemsPath, len(items), labelsPath, len(labels))
	}
	for i := range items {
		items[i].Answer = labels[i]
	}
	return items, nil
}
