package corpus

import (
	"fmt"
	"os"
	"path/filepath"
)

// Kind of a set, as [ReadAny] recognises it.
type Kind string

// The kinds of sets on disk.
const (
	KindSIQA  Kind = "siqa"
	KindPIQA  Kind = "piqa"
	KindMMLU  Kind = "mmlu"  // its test split
	KindJSONL Kind = "jsonl" // one's own items, or an exported corpus's held-out split
)

// exported is the file that an exported corpus is recognised by.
const exported = string(heldOut) + ".jsonl"

// Detect recognises a set by its files: a directory of SIQA, PIQA, MMLU or of an exported corpus, or a .jsonl file.
func Detect(path string) (Kind, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("corpus: no items there: %w", err)
	}
	if !info.IsDir() {
		if filepath.Ext(path) == ".jsonl" {
			return KindJSONL, nil
		}
		return "", fmt.Errorf("corpus: %s is a file and not named *.jsonl: expected a .jsonl file with an item per line, or the directory of a published set", path)
	}
	has := func(pattern ...string) bool {
		found, err := filepath.Glob(filepath.Join(append([]string{escapeGlob(path)}, pattern...)...))
		return err == nil && len(found) > 0
	}
	switch {
	case has(siqaItems) && has(siqaLabels):
		return KindSIQA, nil
	case has(piqaItems) && has(piqaLabels):
		return KindPIQA, nil
	case has("test", "*_test.csv"):
		return KindMMLU, nil
	case has(exported):
		return KindJSONL, nil
	}
	return "", fmt.Errorf("corpus: %s holds no set that is known here: looked for SIQA (%s and %s), PIQA (%s and %s), MMLU (test/*_test.csv) and an exported corpus (%s); a single .jsonl file is given by its own path",
		path, siqaItems, siqaLabels, piqaItems, piqaLabels, exported)
}

// ReadAny reads whichever set is at path, see [Detect].
func ReadAny(path string) (Kind, []Item, error) {
	kind, err := Detect(path)
	if err != nil {
		return "", nil, err
	}
	var items []Item
	switch kind {
	case KindSIQA:
		items, err = ReadSIQA(path)
	case KindPIQA:
		items, err = ReadPIQA(path)
	case KindMMLU:
		items, err = ReadMMLU(path, "test")
	case KindJSONL:
		if info, statErr := os.Stat(path); statErr == nil && info.IsDir() {
			path = filepath.Join(path, exported)
		}
		items, err = ReadJSONL(path)
	}
	return kind, items, err
}

// escapeGlob takes the special meaning from a path's characters.
func escapeGlob(path string) string {
	escaped := make([]rune, 0, len(path))
	for _, c := range path {
		switch c {
		case '*', '?', '[', '\\':
			escaped = append(escaped, '\\')
		}
		escaped = append(escaped, c)
	}
	return string(escaped)
}
