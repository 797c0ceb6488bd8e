package eval

import (
	"errors"
	"fmt"
	"strings"

	"github.com/attune-lab/attune/pkg/model"
)

// Facts say what is evaluated on what, for the head of a note.
type Facts struct {
	ModelType         string
	Parameters        int
	Layers            int
	Heads, KVHeads    int
	Vocabulary        int
	Context           int
	Task              string
	Examples          int
	Available         int
	Chance            float64
	TokensPerPrompt   float64
	LongerThanContext int // prompts that will be refused
}

var errNoTokenizer = errors.New("eval: the model has no tokenizer.json, and items are text: put one into its directory")

// Describe looks at a model and a task.
func Describe(m *model.Model, task *Task) (Facts, error) {
	if m.Tokenizer == nil {
		return Facts{}, errNoTokenizer
	}
	c := m.Config
	f := Facts{ModelType: c.ModelType, Parameters: c.NumParameters(), Layers: c.Layers, Heads: c.Heads, KVHeads: c.KVHeads, Vocabulary: c.VocabSize, Context: c.MaxPositions,
		Task: task.Name, Examples: len(task.Examples), Available: task.Available, Chance: chanceLevel(task.Examples)}
	for _, e := range task.Examples {
		n := len(e.Encode(m.Tokenizer, e.Prompt))
		f.TokensPerPrompt += float64(n) / float64(len(task.Examples))
		if n > c.MaxPositions {
			f.LongerThanContext++
		}
	}
	return f, nil
}

// writesTokens is how much of its own text a model shows.
const writesTokens = 48

// Writes is how a model continues, greedily, from the token that begins a text, or from a newline where it has none. XLA compiles the whole decoding graph for it.
func Writes(m *model.Model) (string, error) {
	if m.Tokenizer == nil {
		return "", errNoTokenizer
	}
	start := m.Tokenizer.Encode("")
	if len(start) == 0 {
		start = m.Tokenizer.Encode("\n")
	}
	g, err := m.Generate([][]int{start}, model.GenerateOptions{MaxTokens: min(writesTokens, m.Config.MaxPositions-len(start))}, nil)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(m.Tokenizer.Decode(g.Tokens[0])), nil
}

// Markdown is the facts in two sentences and a warning where one is due.
func (f Facts) Markdown() string {
	s := fmt.Sprintf("The model is a %s with %.2f million parameters: %d layers of %d query and %d key heads, a vocabulary of %d, a context of %d tokens. ",
		f.ModelType, float64(f.Parameters)/1e6, f.Layers, f.Heads, f.KVHeads, f.Vocabulary, f.Context)
	s += fmt.Sprintf("It is asked %d of the %d items of %s, %.0f tokens a prompt on average; guessing is right on %s.", f.Examples, f.Available, f.Task, f.TokensPerPrompt, percent(f.Chance))
	if f.LongerThanContext > 0 {
		s += fmt.Sprintf(" **%d prompts are longer than the context and are left out.**", f.LongerThanContext)
	}
	return s
}
