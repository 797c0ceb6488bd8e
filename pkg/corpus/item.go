package corpus

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// TextTemplate is the training text of an item: four sections, the options one per line as "A. text".
const TextTemplate = "Question: {question}\nOptions:\n{options}\nAnalysis: {analysis}\nResponse: {letter}\n"

// PromptTemplate is the text after which an item is answered at once, without analysis: the continuations are " A", " B", ...
const PromptTemplate = "Question: {question}\nOptions:\n{options}\nResponse:"

// MaxOptions is how many options can be named by one letter.
const MaxOptions = 26

// Item is one multiple-choice question. The zero value is not valid; see [Item.Validate].
type Item struct {
	ID       string   // unique within a set
	Domain   string   // generator domain, MMLU subject, or the name of the published set
	STEM     bool     // science, technology, engineering, mathematics
	Question string   // everything the answer depends on besides the options
	Options  []string // 2 to 26 of them
	Answer   int      // index into Options
	Analysis string   // why each option is right or wrong; empty where none is published
	Source   string   // "file:line" or "generator:seed:index"
	Passage  string   // what it shares with other items, so that their outcomes are not independent: SIQA's context, PIQA's goal; empty where nothing
	Grade    Grade    // how hard it is meant to be; empty where it is not known
}

// Letter names an option: 0 is "A".
func Letter(option int) string {
	if option < 0 || option >= MaxOptions {
		return "?"
	}
	return string(rune('A' + option))
}

// Text is the training text, see [TextTemplate]. An item without an analysis has no such section.
func (it Item) Text() string {
	b := it.opening(len(it.Analysis))
	if it.Analysis != "" {
		b.WriteString("Analysis: ")
		b.WriteString(it.Analysis)
		b.WriteByte('\n')
	}
	b.WriteString("Response: ")
	b.WriteString(Letter(it.Answer))
	b.WriteByte('\n')
	return b.String()
}

// Prompt is [PromptTemplate] filled in. It ends without a space: the continuations begin with theirs.
func (it Item) Prompt() string {
	b := it.opening(0)
	b.WriteString("Response:")
	return b.String()
}

func (it Item) opening(extra int) *strings.Builder {
	size := len(it.Question) + extra + 64
	for _, option := range it.Options {
		size += len(option) + 4
	}
	b := new(strings.Builder)
	b.Grow(size)
	b.WriteString("Question: ")
	b.WriteString(it.Question)
	b.WriteString("\nOptions:\n")
	for i, option := range it.Options {
		b.WriteString(Letter(i))
		b.WriteString(". ")
		b.WriteString(option)
		b.WriteByte('\n')
	}
	return b
}

// Fingerprint identifies the content of an item whatever its ID, the order of its options, letter case and spacing:
// SHA-256 of the normalised question and the sorted normalised options. Two items with one fingerprint are the same item.
type Fingerprint [sha256.Size]byte

// String is the fingerprint in hexadecimal.
func (f Fingerprint) String() string { return hex.EncodeToString(f[:]) }

// Fingerprint of the item.
func (it Item) Fingerprint() Fingerprint {
	options := make([]string, len(it.Options))
	size := len(it.Question)
	for i, option := range it.Options {
		options[i] = normalise(option)
		size += len(option) + 1
	}
	slices.Sort(options)
	text := make([]byte, 0, size)
	text = append(text, normalise(it.Question)...)
	for _, option := range options {
		text = append(text, '\n') // cannot occur inside a normalised string
		text = append(text, option...)
	}
	return sha256.Sum256(text)
}

func normalise(s string) string {
	return strings.Join(strings.Fields(strings.ToLower(s)), " ")
}

// Validate reports what makes the item unusable: no question, fewer than two or more than 26 options, an empty option,
// an answer that is not one of them, or text that is not UTF-8. Two equal options are not an error here, because published sets have them.
func (it Item) Validate() error {
	if strings.TrimSpace(it.Question) == "" {
		return fmt.Errorf("the question is empty: an item needs one")
	}
	if !utf8.ValidString(it.Question) {
		return fmt.Errorf("the question is not valid UTF-8: convert the file to UTF-8")
	}
	if !utf8.ValidString(it.Analysis) {
		return fmt.Errorf("the analysis is not valid UTF-8: convert the file to UTF-8")
	}
	if n := len(it.Options); n < 2 || n > MaxOptions {
		return fmt.Errorf("found %d options, expected 2 to %d", n, MaxOptions)
	}
	for i, option := range it.Options {
		if strings.TrimSpace(option) == "" {
			return fmt.Errorf("option %s is empty: every option needs a text", Letter(i))
		}
		if !utf8.ValidString(option) {
			return fmt.Errorf("option %s is not valid UTF-8: convert the file to UTF-8", Letter(i))
		}
	}
	if it.Answer < 0 || it.Answer >= len(it.Options) {
		return fmt.Errorf("the answer is option number %d, expected 0 to %d", it.Answer, len(it.Options)-1)
	}
	return nil
}

// RepeatedOption is the index of the first option that repeats an earlier one, or -1.
func (it Item) RepeatedOption() int {
	for i := range it.Options {
		if slices.Contains(it.Options[:i], it.Options[i]) {
			return i
		}
	}
	return -1
}

// Grade says how hard an item is meant to be.
type Grade string

// The grades of the generator. What they mean is told at each domain: roughly one step, two steps, and two steps with something in the way.
const (
	Easy   Grade = "easy"
	Medium Grade = "medium"
	Hard   Grade = "hard"
)

// Grades lists them from easy to hard.
func Grades() []Grade { return []Grade{Easy, Medium, Hard} }
