package reason

import (
	"encoding/json"
	"fmt"

	"github.com/attune-lab/attune/pkg/eval"
	"github.com/attune-lab/attune/pkg/stats"
)

// Entry is what an arm computed for one example, in tokens of the model's tokenizer. Self-consistency counts every sample, its prompt included.
type Entry struct {
	eval.Tokens
	Ended    int      // thoughts that ended by themselves within the budget
	Thoughts []string // what was reasoned, one text per sample
	Answers  []int    // of self-consistency: the choice of each sample, -1 where all choices tie
}

// Ledger is an arm's entries in a comparison, one per example in the comparison's order. The arm is its place among the arms that were compared.
func Ledger(c *eval.Comparison, arm int) ([]Entry, error) {
	if arm < 0 || arm >= len(c.Outcomes) {
		return nil, fmt.Errorf("reason: ledger of arm %d: the comparison has %d", arm, len(c.Outcomes))
	}
	entries := make([]Entry, len(c.Outcomes[arm]))
	for i, o := range c.Outcomes[arm] {
		var d detail
		if err := json.Unmarshal(o.Detail, &d); err != nil {
			return nil, fmt.Errorf("reason: ledger of arm %d, example %d: %w: was it answered by this package?", arm, i, err)
		}
		entries[i] = Entry{Tokens: o.Tokens, Ended: d.Ended, Thoughts: d.Thoughts, Answers: d.Answers}
	}
	return entries, nil
}

// Counted is the arm with what a comparison has counted of the arm that it is like, at that place among the arms that were compared: so that it is not computed again.
func (a Arm) Counted(c *eval.Comparison, like int) (Arm, error) {
	entries, err := Ledger(c, like)
	if err != nil {
		return a, err
	}
	a.Known = map[string]int{}
	for i, e := range entries {
		a.Known[c.Examples[i].Hash()] = e.Reasoning + e.Forced
	}
	return a, nil
}

// Variation is how an arm's sampled answers vary, within items and between them; ok is false of an arm that answers each item once.
func Variation(c *eval.Comparison, entries []Entry) (spread stats.Spread, ok bool) {
	samples := make([][]float64, len(entries))
	for i, e := range entries {
		for _, choice := range e.Answers {
			right := 0.0
			if choice == c.Examples[i].Answer {
				right = 1
			}
			samples[i] = append(samples[i], right)
		}
		ok = ok || len(e.Answers) > 1
	}
	return stats.Variation(samples), ok
}

// Usage is what an arm takes: tokens per example, means.
type Usage struct {
	Prompt, Cue, Reasoning, Forced, Answer, Cut float64
	Ended                                       float64 // share of the thoughts that ended by themselves within the budget; 0 without thoughts
}

// Total is all tokens per example that were computed.
func (u Usage) Total() float64 { return u.Prompt + u.Cue + u.Reasoning + u.Forced + u.Answer }

// Sum sums an arm's entries up.
func Sum(entries []Entry) Usage {
	var all eval.Tokens
	ended, thoughts := 0, 0
	for _, e := range entries {
		all = sum(all, e.Tokens)
		ended, thoughts = ended+e.Ended, thoughts+len(e.Thoughts)
	}
	mean := func(tokens int) float64 { return float64(tokens) / float64(max(1, len(entries))) }
	u := Usage{Prompt: mean(all.Prompt), Cue: mean(all.Cue), Reasoning: mean(all.Reasoning), Forced: mean(all.Forced), Answer: mean(all.Answer), Cut: mean(all.Cut)}
	if thoughts > 0 {
		u.Ended = float64(ended) / float64(thoughts)
	}
	return u
}
