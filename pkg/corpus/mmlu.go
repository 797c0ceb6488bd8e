package corpus

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// mmluFields of a row: question, four options, the letter of the answer.
const mmluFields = 6

// ReadMMLU reads a split ("test": 14,042 items, "dev": 285, five per subject) from dir: one headerless CSV per subject,
// {dir}/{split}/{subject}_{split}.csv, with embedded newlines and doubled quotes. Subjects come in alphabetical order,
// items in the order of their file. An item's domain is its subject; STEM follows [DefaultMMLUSTEM].
// Source: https://github.com/hendrycks/test, arXiv 2009.03300.
func ReadMMLU(dir, split string) ([]Item, error) {
	suffix := "_" + split + ".csv"
	folder := filepath.Join(dir, split)
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("corpus: reading MMLU's %s split: %w", split, err)
	}
	var items []Item
	for _, entry := range entries { // sorted by name
		subject, ok := strings.CutSuffix(entry.Name(), suffix)
		if !ok {
			continue
		}
		ofSubject, err := readSubject(filepath.Join(folder, entry.Name()), subject, split)
		if err != nil {
			return nil, err
		}
		items = append(items, ofSubject...)
	}
	if len(items) == 0 {
		return nil, fmt.Errorf("corpus: no items in %s: expected files named SUBJECT%s", folder, suffix)
	}
	return items, nil
}

func readSubject(path, subject, split string) ([]Item, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("corpus: %w", err)
	}
	defer file.Close()
	base := filepath.Base(path)
	stem := DefaultMMLUSTEM.Has(subject)
	rows := csv.NewReader(file)
	rows.FieldsPerRecord = -1 // counted here, where the error can say more
	var items []Item
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return items, nil
		}
		if err != nil {
			if parse, ok := errors.AsType[*csv.ParseError](err); ok {
				return nil, fmt.Errorf("%s:%d: %w: the row that starts at line %d is not valid CSV", path, parse.Line, parse.Err, parse.StartLine)
			}
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		line, _ := rows.FieldPos(0)
		if len(row) != mmluFields {
			return nil, fmt.Errorf("%s:%d: found %d fields, expected %d: question, A, B, C, D, answer", path, line, len(row), mmluFields)
		}
		answer := slices.Index([]string{"A", "B", "C", "D"}, strings.TrimSpace(row[mmluFields-1]))
		if answer < 0 {
			return nil, fmt.Errorf("%s:%d: answer %q, expected A, B, C or D", path, line, row[mmluFields-1])
		}
		item := Item{
			ID:       fmt.Sprintf("mmlu/%s/%s/%d", split, subject, len(items)+1),
			Domain:   subject,
			STEM:     stem,
			Question: row[0],
			Options:  row[1 : mmluFields-1],
			Answer:   answer,
			Source:   fmt.Sprintf("%s:%d", base, line),
		}
		if err := item.Validate(); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, line, err)
		}
		items = append(items, item)
	}
}
