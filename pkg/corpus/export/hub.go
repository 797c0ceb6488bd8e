package export

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/attune-lab/attune/pkg/corpus"
)

// HubOptions of [Set.WriteHub]. The zero value writes JSON lines.
type HubOptions struct {
	Format   Format           // "" = JSONL
	Tokens   func(string) int // counts the tokens of a text, e.g. len of a tokenizer's Encode; nil leaves token lengths out
	Template *corpus.Template // the template that the set is meant for; nil = [ItemTemplate]
	Mask     corpus.Mask      // the loss mask that it is meant for; told in the card
	Notes    string           // Markdown for the end of the card, such as what was found by [Duplicates] and [Decontaminate]
}

// Format of exported rows.
type Format string

// The formats that are written; both are read by [Rows] and by the hub's own loaders.
const (
	JSONL   Format = "jsonl"
	Parquet Format = "parquet"
)

// lengths of texts in some unit.
type lengths struct {
	unit              string
	total, least, max int
	p50, p95          int
}

func measure(unit string, texts []string, count func(string) int) lengths {
	l := lengths{unit: unit}
	counts := make([]int, len(texts))
	for i, text := range texts {
		counts[i] = count(text)
		l.total += counts[i]
	}
	if len(counts) > 0 {
		slices.Sort(counts)
		l.least, l.max = counts[0], counts[len(counts)-1]
		l.p50, l.p95 = counts[len(counts)/2], counts[len(counts)*95/100]
	}
	return l
}

// hubFile is a split as it was written.
type hubFile struct {
	split   SplitCard
	items   []corpus.Item
	path    string
	bytes   int
	hash    string
	lengths []lengths
}

// hubCard writes README.md: YAML front matter as the hub reads it (https://huggingface.co/docs/hub/datasets-cards; our own entries under the key
// attune, which the hub leaves alone), then Markdown for a reader.
func hubCard(card Card, files []hubFile, o HubOptions) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	total := 0
	for _, f := range files {
		total += f.split.Items
	}
	line("---")
	line("license: %s", cmp.Or(strings.ToLower(card.Licence), "unknown"))
	line("pretty_name: %s", strconv.Quote(card.Name))
	if card.Seed != nil {
		line("language:\n- en")
	}
	line("task_categories:\n- multiple-choice\n- question-answering")
	line("size_categories:\n- %s", sizeCategory(total))
	if card.Seed != nil {
		line("tags:\n- synthetic")
	}
	line("configs:\n- config_name: default\n  data_files:")
	for _, f := range files {
		line("  - split: %s\n    path: %s", f.split.Name, f.path)
	}
	line("dataset_info:\n  features:")
	for _, name := range []string{"id", "domain"} {
		line("  - name: %s\n    dtype: string", name)
	}
	line("  - name: stem\n    dtype: bool")
	line("  - name: question\n    dtype: string")
	line("  - name: options\n    sequence: string")
	for _, name := range []string{"answer", "analysis", "source"} {
		line("  - name: %s\n    dtype: string", name)
	}
	for _, name := range optionalFields(files, o.Format) {
		line("  - name: %s\n    dtype: string", name)
	}
	line("  splits:")
	size := 0
	for _, f := range files {
		size += f.bytes
		line("  - name: %s\n    num_bytes: %d\n    num_examples: %d", f.split.Name, f.bytes, f.split.Items)
	}
	line("  dataset_size: %d\n  download_size: %d", size, size)
	line("attune:")
	if card.Seed != nil {
		line("  seed: %d", *card.Seed)
	}
	if len(card.Grades) > 0 {
		line("  grades:")
		for _, g := range card.Grades {
			line("  - %s", g)
		}
	}
	line("  template: %s\n  template_sha256: %s", strconv.Quote(o.Template.String()), o.Template.Hash())
	line("  content_sha256: %s", card.ContentHash)
	line("  files:")
	for _, f := range files {
		line("  - path: %s\n    sha256: %s\n    rows_sha256: %s", f.path, f.hash, f.split.Hash)
	}
	line("---\n\n# %s\n", card.Name)
	if card.Seed != nil {
		line("Structured multiple-choice items, made by a seeded generator: seed %d, content SHA-256 `%s`. The same seed gives the same rows on every machine; an item", *card.Seed, card.ContentHash)
		line("of the held-out split tests a combination that no item of the training split tests, whatever the seeds.\n")
	} else {
		line("%s\n\nContent SHA-256 `%s`.\n", cmp.Or(card.About, "Multiple-choice items."), card.ContentHash)
	}
	line("## Form\n\nTemplate, SHA-256 `%s`:\n", o.Template.Hash())
	for text := range strings.Lines(o.Template.String()) {
		b.WriteString("    " + text)
	}
	sections := "all sections"
	if len(o.Mask.Sections) > 0 {
		sections = strings.Join(o.Mask.Sections, ", ")
	}
	line("\nThe loss counts: %s.\n", sections)
	line("## Counts and lengths\n\n| split | items | unit | total | least | median | 95 %% | most |\n|---|---:|---|---:|---:|---:|---:|---:|")
	for _, f := range files {
		for _, l := range f.lengths {
			line("| %s | %d | %s | %d | %d | %d | %d | %d |", f.split.Name, f.split.Items, l.unit, l.total, l.least, l.p50, l.p95, l.max)
		}
	}
	line("\n| split | domain | STEM | items | by grade |\n|---|---|---|---:|---|")
	for _, f := range files {
		for _, d := range f.split.Domains {
			stem := "no"
			if d.STEM {
				stem = "yes"
			}
			line("| %s | %s | %s | %d | %s |", f.split.Name, d.Name, stem, d.Items, byGrade(d))
		}
	}
	line("\n## Licence\n\n%s.", cmp.Or(card.Licence, "Not stated"))
	if card.Seed != nil {
		line("The generator uses no text of anyone else's.")
	}
	if o.Notes != "" {
		line("\n## Notes\n\n%s", strings.TrimSpace(o.Notes))
	}
	return b.String()
}

// optionalFields are the fields that a JSON line has where an item fills them in, and a parquet file always.
func optionalFields(files []hubFile, format Format) []string {
	var fields []string
	for name, has := range map[string]func(corpus.Item) bool{
		"grade":   func(it corpus.Item) bool { return it.Grade != "" },
		"passage": func(it corpus.Item) bool { return it.Passage != "" },
	} {
		if format == Parquet || slices.ContainsFunc(files, func(f hubFile) bool { return slices.ContainsFunc(f.items, has) }) {
			fields = append(fields, name)
		}
	}
	slices.Sort(fields)
	return fields
}

func byGrade(d DomainCard) string {
	var parts []string
	for _, g := range corpus.Grades() {
		if n := d.Grades[g]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", g, n))
		}
	}
	return strings.Join(parts, ", ")
}

// sizeCategory is the hub's name for a number of rows.
func sizeCategory(rows int) string {
	switch {
	case rows < 1_000:
		return "n<1K"
	case rows < 10_000:
		return "1K<n<10K"
	case rows < 100_000:
		return "10K<n<100K"
	case rows < 1_000_000:
		return "100K<n<1M"
	case rows < 10_000_000:
		return "1M<n<10M"
	}
	return "10M<n<100M"
}
