package source

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/attune-lab/attune/pkg/corpus"
)

// mmluFields of a row: question, four options, the letter of the answer.
const mmluFields = 6

// ReadMMLU reads a split ("test": 14,042 items, "dev": 285, five per subject) from dir: one headerless CSV per subject,
// {dir}/{split}/{subject}_{split}.csv, with embedded newlines and doubled quotes. Subjects come in alphabetical order,
// items in the order of their file. An item's domain is its subject; STEM follows [DefaultMMLUSTEM].
// Source: https://github.com/hendrycks/test, arXiv 2009.03300.
func ReadMMLU(dir, split string) ([]corpus.Item, error) {
	suffix := "_" + split + ".csv"
	folder := filepath.Join(dir, split)
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("corpus: reading MMLU's %s split: %w", split, err)
	}
	var items []corpus.Item
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

// readSubject reads a subject's table. A line end inside quotes stays as it is in the file: "\r\n" in the third row of college_mathematics' dev split is
// in the prompts that the common harness makes.
func readSubject(path, subject, split string) ([]corpus.Item, error) {
	file, text, err := openText(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	base := filepath.Base(path)
	stem := DefaultMMLUSTEM.Has(subject)
	rows := newCSV(text, ',')
	var items []corpus.Item
	for {
		row, line, err := rows.read()
		if errors.Is(err, io.EOF) && len(items) == 0 {
			return nil, fmt.Errorf("%s: no items: expected a row for each, question, A, B, C, D, answer", path)
		}
		if errors.Is(err, io.EOF) {
			return items, nil
		}
		item := corpus.Item{ID: fmt.Sprintf("mmlu/%s/%s/%d", split, subject, len(items)+1), Domain: subject, STEM: stem, Source: fmt.Sprintf("%s:%d", base, line)}
		if err == nil {
			err = fillMMLU(&item, row)
		}
		if err != nil {
			return nil, at(path, line, err)
		}
		items = append(items, item)
	}
}

func fillMMLU(item *corpus.Item, row []string) error {
	if len(row) != mmluFields {
		return rowError(corpus.MissingField, "found %d fields, expected %d: question, A, B, C, D, answer", len(row), mmluFields)
	}
	for i, field := range row {
		if err := checkText(field); err != nil {
			return rowError(corpus.InvalidUTF8, "field %d %w", i+1, err)
		}
	}
	item.Question, item.Options = row[0], row[1:mmluFields-1]
	var err error
	if item.Answer, err = optionOf(AnswerLetter, row[mmluFields-1], item.Options); err != nil {
		return err
	}
	return item.Validate()
}

// STEMMap says which MMLU subjects count as STEM. Two are in use, and their scores are not comparable.
type STEMMap struct {
	Name     string
	Subjects []string // sorted
	Items    int      // in the test split
}

// Has reports whether a subject is in the map.
func (m STEMMap) Has(subject string) bool { return slices.Contains(m.Subjects, subject) }

// MMLUSTEM19 is the widely used map: 19 subjects, 3,153 test items. It has `anatomy`.
// Source: the group mmlu_stem of EleutherAI's lm-evaluation-harness.
var MMLUSTEM19 = STEMMap{Name: "stem-19", Subjects: withAnatomy(MMLUSTEM18.Subjects), Items: 3153}

// MMLUSTEM18 is the original map: 18 subjects, 3,018 test items. It counts `anatomy` as health.
// Source: categories.py of https://github.com/hendrycks/test.
var MMLUSTEM18 = STEMMap{Name: "stem-18", Items: 3018, Subjects: []string{
	"abstract_algebra",
	"astronomy",
	"college_biology",
	"college_chemistry",
	"college_computer_science",
	"college_mathematics",
	"college_physics",
	"computer_security",
	"conceptual_physics",
	"electrical_engineering",
	"elementary_mathematics",
	"high_school_biology",
	"high_school_chemistry",
	"high_school_computer_science",
	"high_school_mathematics",
	"high_school_physics",
	"high_school_statistics",
	"machine_learning",
}}

// DefaultMMLUSTEM is the map that [ReadMMLU] sets Item.STEM by.
var DefaultMMLUSTEM = MMLUSTEM19

func withAnatomy(subjects []string) []string {
	all := append([]string{"anatomy"}, subjects...)
	slices.Sort(all)
	return all
}
