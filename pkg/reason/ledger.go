package reason

import (
	"encoding/json"
	"fmt"

	"github.com/attune-lab/attune/pkg/eval"
)

// Entry is what an arm computed for one example, in tokens of the model's tokenizer: the detail that a [Scorer] gives, see [eval.Detailed]. Self-consistency counts every
// sample, its prompt included.
type Entry struct {
	Prompt    int      `json:"prompt"` // what the answer is read after, less the reasoning: question, opening, cue, fillers
	Reasoning int      `json:"reasoning"`
	Answer    int      `json:"answer"`             // of the choice that was taken
	Ended     int      `json:"ended"`              // thoughts that ended by themselves within the budget
	Thoughts  []string `json:"thoughts,omitempty"` // what was reasoned, one text per sample
}

// Ledger is an arm's entries in a comparison, one per example in the task's order. The arm is its place among the arms that were compared.
func Ledger(c *eval.Comparison, arm int) ([]Entry, error) {
	if arm < 0 || arm >= len(c.Details) {
		return nil, fmt.Errorf("reason: ledger of arm %d: the comparison has %d", arm, len(c.Details))
	}
	entries := make([]Entry, len(c.Details[arm]))
	for i, detail := range c.Details[arm] {
		if err := json.Unmarshal(detail, &entries[i]); err != nil {
			return nil, fmt.Errorf("reason: ledger of arm %d, example %d: %w: was it scored by this package?", arm, i, err)
		}
	}
	return entries, nil
}

// Usage is what an arm takes.
type Usage struct {
	Prompt, Reasoning, Answer float64 // tokens per example, means
	Ended                     float64 // share of the thoughts that ended by themselves within the budget; 0 without thoughts
}

// Total is all tokens per example.
func (u Usage) Total() float64 { return u.Prompt + u.Reasoning + u.Answer }

// Sum sums an arm's entries up.
func Sum(entries []Entry) Usage {
	var all Entry
	thoughts := 0
	for _, e := range entries {
		all.Prompt, all.Reasoning, all.Answer, all.Ended = all.Prompt+e.Prompt, all.Reasoning+e.Reasoning, all.Answer+e.Answer, all.Ended+e.Ended
		thoughts += len(e.Thoughts)
	}
	n := float64(max(1, len(entries)))
	u := Usage{Prompt: float64(all.Prompt) / n, Reasoning: float64(all.Reasoning) / n, Answer: float64(all.Answer) / n}
	if thoughts > 0 {
		u.Ended = float64(all.Ended) / float64(thoughts)
	}
	return u
}
