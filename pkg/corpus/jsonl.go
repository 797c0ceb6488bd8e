package corpus

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// record is an item as a line of JSON. The field order is the canonical one: the content hash depends on it.
type record struct {
	ID       string   `json:"id"`
	Domain   string   `json:"domain"`
	STEM     bool     `json:"stem"`
	Question string   `json:"question"`
	Options  []string `json:"options"`
	Answer   string   `json:"answer"` // the letter: "A" is the first option
	Analysis string   `json:"analysis"`
	Source   string   `json:"source"`
	Grade    Grade    `json:"grade,omitempty"`
}

// WriteJSONL writes one item per line as JSON, fields in a fixed order, no HTML escapes. Equal items give equal bytes.
func WriteJSONL(w io.Writer, items []Item) error {
	buffered := bufio.NewWriterSize(w, 1<<16)
	encoder := json.NewEncoder(buffered)
	encoder.SetEscapeHTML(false)
	for _, item := range items {
		if err := item.Validate(); err != nil {
			return fmt.Errorf("corpus: item %s: %w", item.ID, err)
		}
		err := encoder.Encode(record{item.ID, item.Domain, item.STEM, item.Question, item.Options, Letter(item.Answer), item.Analysis, item.Source, item.Grade})
		if err != nil {
			return fmt.Errorf("corpus: writing item %s: %w", item.ID, err)
		}
	}
	if err := buffered.Flush(); err != nil {
		return fmt.Errorf("corpus: writing items: %w", err)
	}
	return nil
}

// Export writes train.jsonl, heldout.jsonl, card.json and card.md into dir, which it makes if need be.
func (c *Corpus) Export(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("corpus: %w", err)
	}
	for _, s := range c.splits() {
		var lines bytes.Buffer
		if err := WriteJSONL(&lines, s.items); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, string(s.name)+".jsonl"), lines.Bytes(), 0o644); err != nil {
			return fmt.Errorf("corpus: %w", err)
		}
	}
	card, err := c.Card.JSON()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "card.json"), card, 0o644); err != nil {
		return fmt.Errorf("corpus: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "card.md"), []byte(c.Card.Markdown()), 0o644); err != nil {
		return fmt.Errorf("corpus: %w", err)
	}
	return nil
}

// ReadJSONL reads one's own items: a line each, `question`, `options` and `answer` (a letter) required; `id`, `domain`, `stem`,
// `analysis` and `source` optional. A missing id becomes file:line, a missing domain the file's name. Blank lines are
// skipped. An unknown field is an error, because a misspelt one would be lost in silence; so are equal options and
// an id that was there before.
func ReadJSONL(path string) ([]Item, error) {
	base := filepath.Base(path)
	firstLine := make(map[string]int)
	var items []Item
	err := eachLine(path, func(line int, text []byte) error {
		if len(bytes.TrimSpace(text)) == 0 {
			return nil
		}
		var r record
		if err := decodeStrict(text, &r, true); err != nil {
			return err
		}
		if r.Options == nil {
			return fmt.Errorf("no options: an item needs question, options and answer")
		}
		letter := strings.TrimSpace(r.Answer)
		if len(letter) != 1 || letter[0] < 'A' || letter[0] >= 'A'+maxOptions {
			return fmt.Errorf(`answer is %q, expected the letter of an option, such as "A"`, r.Answer)
		}
		where := fmt.Sprintf("%s:%d", base, line)
		item := Item{
			ID: orElse(r.ID, where), Domain: orElse(r.Domain, strings.TrimSuffix(base, filepath.Ext(base))), STEM: r.STEM,
			Question: r.Question, Options: r.Options, Answer: int(letter[0] - 'A'), Analysis: r.Analysis, Source: orElse(r.Source, where), Grade: r.Grade,
		}
		if err := item.Validate(); err != nil {
			return err
		}
		if i := firstDuplicate(item.Options); i >= 0 {
			return fmt.Errorf("option %s %q repeats an earlier one: options must differ", Letter(i), item.Options[i])
		}
		if before, met := firstLine[item.ID]; met {
			return fmt.Errorf("id %q is already that of line %d: ids must differ", item.ID, before)
		}
		firstLine[item.ID] = line
		items = append(items, item)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return nil, fmt.Errorf("%s: no items: expected one JSON object per line", path)
	}
	return items, nil
}

func orElse(s, byDefault string) string {
	if s == "" {
		return byDefault
	}
	return s
}
