package export

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/attune-lab/attune/pkg/corpus"
)

// Licence of generated items: they contain nothing of anyone else's.
const Licence = "CC0-1.0"

// Card says what is in a set.
type Card struct {
	Name         string         `json:"name"`
	About        string         `json:"about,omitempty"`
	Seed         *uint64        `json:"seed,omitempty"`
	Grades       []corpus.Grade `json:"grades,omitempty"`
	Licence      string         `json:"licence"`
	Template     string         `json:"template"`      // [TextTemplate]
	TemplateHash string         `json:"template_hash"` // SHA-256 of the template, hexadecimal
	ContentHash  string         `json:"content_hash"`  // SHA-256 of the splits' hashes, see [Card.Splits]
	Splits       []SplitCard    `json:"splits"`
}

// SplitCard describes one split.
type SplitCard struct {
	Name      string       `json:"name"`
	Items     int          `json:"items"`
	Hash      string       `json:"hash"` // SHA-256 of the split's canonical JSON lines: what sha256sum says of the exported file
	MeanWords float64      `json:"mean_words"`
	MaxWords  int          `json:"max_words"`
	Answers   []int        `json:"answers"` // how often A, B, C, ... is right
	Domains   []DomainCard `json:"domains"`
}

// DomainCard counts the items of a domain in a split.
type DomainCard struct {
	Name  string `json:"name"`
	STEM  bool   `json:"stem"`
	Items int    `json:"items"`
	// Grades counts the items of each grade, if they have one.
	Grades map[corpus.Grade]int `json:"grades,omitempty"`
}

// Set is items in splits, with what a card says of them.
type Set struct {
	Name    string
	About   string         // where the items come from, in a sentence or two; of a generated set "", as its seed says it
	Licence string         // SPDX name; "" = not stated
	Seed    *uint64        // the generator's; nil = not generated
	Grades  []corpus.Grade // the generator's
	Splits  []Split
}

// Split is a named part of a [Set].
type Split struct {
	Name  string
	Items []corpus.Item
}

// Names of the generator's splits.
const (
	Train   = "train"
	HeldOut = "heldout"
)

// Generated is the set of a generated corpus.
func Generated(seed uint64, grades []corpus.Grade, train, heldOut []corpus.Item) Set {
	return Set{Name: "attune-structured", Licence: Licence, Seed: &seed, Grades: grades, Splits: []Split{{Train, train}, {HeldOut, heldOut}}}
}

// Card describes the set.
func (s Set) Card() (Card, error) {
	template := sha256.Sum256([]byte(corpus.TextTemplate))
	card := Card{
		Name:         s.Name,
		About:        s.About,
		Seed:         s.Seed,
		Grades:       s.Grades,
		Licence:      s.Licence,
		Template:     corpus.TextTemplate,
		TemplateHash: hex.EncodeToString(template[:]),
	}
	content := sha256.New()
	for _, split := range s.Splits {
		described, err := describe(split)
		if err != nil {
			return Card{}, err
		}
		fmt.Fprintf(content, "%s %s\n", described.Hash, described.Name)
		card.Splits = append(card.Splits, described)
	}
	card.ContentHash = hex.EncodeToString(content.Sum(nil))
	return card, nil
}

func describe(split Split) (SplitCard, error) {
	described := SplitCard{Name: split.Name, Items: len(split.Items)}
	place := make(map[string]int)
	words := 0
	for _, item := range split.Items {
		if _, met := place[item.Domain]; !met {
			place[item.Domain] = len(described.Domains)
			described.Domains = append(described.Domains, DomainCard{Name: item.Domain, STEM: item.STEM})
		}
		domain := &described.Domains[place[item.Domain]]
		domain.Items++
		if item.Grade != "" {
			if domain.Grades == nil {
				domain.Grades = make(map[corpus.Grade]int)
			}
			domain.Grades[item.Grade]++
		}
		for len(described.Answers) < len(item.Options) {
			described.Answers = append(described.Answers, 0)
		}
		described.Answers[item.Answer]++
		n := countWords(item.Text())
		words += n
		described.MaxWords = max(described.MaxWords, n)
	}
	if len(split.Items) > 0 {
		described.MeanWords = float64(words) / float64(len(split.Items))
	}
	hash := sha256.New()
	if err := WriteJSONL(hash, split.Items); err != nil {
		return SplitCard{}, err
	}
	described.Hash = hex.EncodeToString(hash.Sum(nil))
	return described, nil
}

// countWords counts runs of characters between white space.
func countWords(text string) int {
	n := 0
	for range strings.FieldsSeq(text) {
		n++
	}
	return n
}

// JSON is the card as indented JSON with a final newline.
func (c Card) JSON() ([]byte, error) {
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("corpus: writing the card: %w", err)
	}
	return append(text, '\n'), nil
}

// Markdown is the card for a reader.
func (c Card) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n\n", c.Name, cmp.Or(c.About, "Structured multiple-choice items, made by a seeded generator."))
	if c.Seed != nil {
		fmt.Fprintf(&b, "- seed: %d\n", *c.Seed)
	}
	fmt.Fprintf(&b, "- content: sha256 %s\n- licence: %s\n- template (sha256 %s):\n\n", c.ContentHash, cmp.Or(c.Licence, "not stated"), c.TemplateHash)
	for line := range strings.Lines(c.Template) {
		b.WriteString("      " + line)
	}
	b.WriteString("\n")
	for _, s := range c.Splits {
		fmt.Fprintf(&b, "## %s: %d items\n\nsha256 %s, %.1f words on average, at most %d. Answers:", s.Name, s.Items, s.Hash, s.MeanWords, s.MaxWords)
		for i, n := range s.Answers {
			fmt.Fprintf(&b, " %s %d", corpus.Letter(i), n)
		}
		b.WriteString(".\n\n| domain | STEM | items |\n|---|---|---:|\n")
		for _, d := range s.Domains {
			stem := "no"
			if d.STEM {
				stem = "yes"
			}
			fmt.Fprintf(&b, "| %s | %s | %d |\n", d.Name, stem, d.Items)
		}
		b.WriteString("\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}
