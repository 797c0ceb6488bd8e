package export

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/attune-lab/attune/pkg/corpus"
	"github.com/attune-lab/attune/pkg/env"
)

// record is an item as a line of JSON. The field order is the canonical one: the content hash depends on it.
type record struct {
	ID       string       `json:"id"`
	Domain   string       `json:"domain"`
	STEM     bool         `json:"stem"`
	Question string       `json:"question"`
	Options  []string     `json:"options"`
	Answer   string       `json:"answer"` // the letter: "A" is the first option
	Analysis string       `json:"analysis"`
	Source   string       `json:"source"`
	Grade    corpus.Grade `json:"grade,omitempty"`
	Passage  string       `json:"passage,omitempty"`
}

// WriteJSONL writes one item per line as JSON, fields in a fixed order, no HTML escapes. Equal items give equal bytes.
func WriteJSONL(w io.Writer, items []corpus.Item) error {
	buffered := bufio.NewWriterSize(w, 1<<16)
	encoder := json.NewEncoder(buffered)
	encoder.SetEscapeHTML(false)
	for _, item := range items {
		if err := item.Validate(); err != nil {
			return fmt.Errorf("corpus: item %s: %w", item.ID, err)
		}
		err := encoder.Encode(record{item.ID, item.Domain, item.STEM, item.Question, item.Options, corpus.Letter(item.Answer), item.Analysis, item.Source, item.Grade, item.Passage})
		if err != nil {
			return fmt.Errorf("corpus: writing item %s: %w", item.ID, err)
		}
	}
	if err := buffered.Flush(); err != nil {
		return fmt.Errorf("corpus: writing items: %w", err)
	}
	return nil
}

// Write writes a .jsonl file for each split, card.json and card.md into dir, which it makes if need be.
func (s Set) Write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("corpus: %w", err)
	}
	described, err := s.Card()
	if err != nil {
		return err
	}
	for _, split := range s.Splits {
		var lines bytes.Buffer
		if err := WriteJSONL(&lines, split.Items); err != nil {
			return err
		}
		if err := env.WriteBytes(filepath.Join(dir, split.Name+".jsonl"), 0o644, lines.Bytes()); err != nil {
			return fmt.Errorf("corpus: %w", err)
		}
	}
	card, err := described.JSON()
	if err != nil {
		return err
	}
	if err := env.WriteBytes(filepath.Join(dir, "card.json"), 0o644, card); err != nil {
		return fmt.Errorf("corpus: %w", err)
	}
	if err := env.WriteBytes(filepath.Join(dir, "card.md"), 0o644, []byte(described.Markdown())); err != nil {
		return fmt.Errorf("corpus: %w", err)
	}
	return nil
}
