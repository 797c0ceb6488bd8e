package eval

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/attune-lab/attune/pkg/corpus"
	"github.com/attune-lab/attune/pkg/eval/extract"
)

// Example is one question as a model sees it.
type Example struct {
	ID      string   `json:"id"`
	Domain  string   `json:"domain"`
	Group   string   `json:"group"` // what results are broken down by, e.g. "STEM"; may be empty
	Prompt  string   `json:"prompt"`
	Choices []string `json:"choices"` // continuations; each begins with its separating space
	Answer  int      `json:"answer"`  // index into Choices
	// Cluster names what the example shares with others (SIQA's context, PIQA's goal); empty where it stands alone. Like Text it is not
	// part of Hash.
	Cluster string `json:"-"`
	// Text is the example written out with its analysis, where it has one, and its answer: what a survey of attention reads. It is not part
	// of what is scored, nor of Hash.
	Text string `json:"-"`
	// Open is the form of an answer that is written, and Target the right one, where there are no choices; see [NewOpenTask].
	Open   *extract.Question `json:"open,omitempty"`
	Target string            `json:"target,omitempty"`
	// Options are the texts of the choices, Row is the example's place in its source, and Doc is the document that it was made of, as logs
	// show it. They are not part of Hash.
	Options []string `json:"-"`
	Row     int      `json:"-"`
	Doc     any      `json:"-"`
	// Given is the part of the prompt that was given, a prefix of it, where the model wrote what follows; "" = all of it.
	Given string `json:"given,omitempty"`
	// Highlight is the part of the prompt that an intervention may steer to; it must stand in the prompt, "" = none.
	Highlight string `json:"highlight,omitempty"`
	// Plain prompts are encoded as they stand: they bring their own special tokens, as chat templates do, or are to have none.
	Plain bool `json:"plain,omitempty"`

	shared *shared // layout, made once for all arms of a comparison
}

// Hash identifies everything of the example: SHA-256 of its JSON, in hexadecimal.
func (e Example) Hash() string {
	text, err := json.Marshal(e)
	if err != nil { // strings and ints only: cannot fail
		panic(err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Task is a set of examples made by one template.
type Task struct {
	Name         string    // e.g. "siqa"
	Template     string    // the template as JSON, for the record
	TemplateHash string    // SHA-256, hexadecimal; its head is part of every score's name
	Metric       string    // the primary one
	Metrics      []string  // all that the protocol defines, the primary one first
	Grouping     string    // where the groups come from, e.g. "stem-19"; empty without groups
	Available    int       // examples before a limit was applied
	Examples     []Example // in the order of the source
}

// ScoreName names a number: the task, the head of its template's hash, the metric, and what else tells it apart.
func (t *Task) ScoreName(metric string, parts ...string) string {
	return strings.Join(append([]string{t.Name + "@" + shortHash(t.TemplateHash), metric}, parts...), "/")
}

// Hash identifies the examples and their order: SHA-256, hexadecimal.
func (t *Task) Hash() string {
	h := sha256.New()
	for _, e := range t.Examples {
		fmt.Fprintln(h, e.Hash())
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Validate reports what cannot be scored: no examples, an empty prompt, fewer than two choices, an empty choice, an
// answer that is none of them, an id that is not unique.
func (t *Task) Validate() error {
	if len(t.Examples) == 0 {
		return fmt.Errorf("eval: task %s has no examples", t.Name)
	}
	seen := make(map[string]bool, len(t.Examples))
	for _, e := range t.Examples {
		switch {
		case seen[e.ID]:
			return fmt.Errorf("eval: task %s: the id %q is there twice: ids must differ", t.Name, e.ID)
		case e.Prompt == "":
			return fmt.Errorf("eval: task %s: example %s has an empty prompt", t.Name, e.ID)
		case e.Open != nil && (e.Target == "" || len(e.Choices) > 0):
			return fmt.Errorf("eval: task %s: example %s asks for an open answer, expected a target and no choices", t.Name, e.ID)
		case e.Open != nil:
		case len(e.Choices) < 2:
			return fmt.Errorf("eval: task %s: example %s has %d choices, expected at least 2", t.Name, e.ID, len(e.Choices))
		case slices.Contains(e.Choices, ""):
			return fmt.Errorf("eval: task %s: example %s has an empty choice", t.Name, e.ID)
		case e.Answer < 0 || e.Answer >= len(e.Choices):
			return fmt.Errorf("eval: task %s: example %s has answer %d, expected 0 to %d", t.Name, e.ID, e.Answer, len(e.Choices)-1)
		}
		seen[e.ID] = true
	}
	return nil
}

// Groups of the STEM breakdown.
const (
	GroupSTEM    = "STEM"
	GroupNonSTEM = "non-STEM"
)

// NewTask makes a task of items. `worked` gives the worked examples of a domain and may be nil when the template has no shots.
// `stem` decides an item's group; when it is nil, or all items fall in one group, there are no groups.
func NewTask(name string, template Template, items []corpus.Item, worked map[string][]corpus.Item, stem func(corpus.Item) bool) (*Task, error) {
	if len(template.Metrics) == 0 {
		return nil, fmt.Errorf("eval: template %s names no metric", template.Name)
	}
	text, err := json.Marshal(template)
	if err != nil {
		return nil, fmt.Errorf("eval: template %s: %w", template.Name, err)
	}
	t := &Task{
		Name: name, Template: string(text), TemplateHash: template.Hash(), Metric: template.Metrics[0], Metrics: slices.Clone(template.Metrics),
		Available: len(items), Examples: make([]Example, len(items)),
	}
	groups := make(map[string]int)
	for i, item := range items {
		if err := item.Validate(); err != nil {
			return nil, fmt.Errorf("eval: item %s (%s): %w", item.ID, item.Source, err)
		}
		prompt, choices, err := template.Render(item, worked[item.Domain])
		if err != nil {
			return nil, err
		}
		t.Examples[i] = Example{ID: item.ID, Domain: item.Domain, Prompt: prompt, Choices: choices, Answer: item.Answer, Cluster: item.Passage, Text: prompt + choices[item.Answer],
			Options: item.Options, Row: i, Doc: documentOf(template, item)}
		if item.Analysis != "" {
			t.Examples[i].Text = item.Text()
		}
		if stem != nil {
			t.Examples[i].Group = GroupNonSTEM
			if stem(item) {
				t.Examples[i].Group = GroupSTEM
			}
			groups[t.Examples[i].Group]++
		}
	}
	if len(groups) == 1 {
		for i := range t.Examples {
			t.Examples[i].Group = ""
		}
	}
	return t, t.Validate()
}

// Limit keeps a subset drawn by the seed, in the original order; a limit of 0 or of at least all examples keeps all. The
// subset of a smaller limit is part of that of a larger one.
func (t *Task) Limit(limit int, seed uint64) {
	if limit <= 0 || limit >= len(t.Examples) {
		return
	}
	const stream = 0x6c696d6974 // "limit": keeps this draw apart from others of the same seed
	order := rand.New(rand.NewPCG(seed, stream)).Perm(len(t.Examples))[:limit]
	slices.Sort(order)
	kept := make([]Example, limit)
	for i, from := range order {
		kept[i] = t.Examples[from]
	}
	t.Examples = kept
}

// TextTokens encodes every example's Text, in order.
func (t *Task) TextTokens(encode func(string) []int) [][]int {
	out := make([][]int, len(t.Examples))
	for i, e := range t.Examples {
		out[i] = encode(e.Text)
	}
	return out
}
