package eval

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

// batch is a fixed set of examples that are always scored together.
type batch struct {
	places   []int // in the task
	examples []Example
	hashes   []string
	hash     string // of all of them in order
}

// batches cuts the examples into batches of equal size (the last may be smaller), longest first.
func batches(examples []Example, size int) []batch {
	order := make([]int, len(examples))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(length(examples[b]), length(examples[a])) })
	var all []batch
	for places := range slices.Chunk(order, size) {
		b := batch{places: places}
		for _, at := range places {
			b.examples = append(b.examples, examples[at])
			b.hashes = append(b.hashes, examples[at].Hash())
		}
		b.hash = hashOf(b.hashes...)
		all = append(all, b)
	}
	return all
}

// length of an example in bytes, with its longest choice: a stand-in for tokens that needs no tokenizer.
func length(e Example) int {
	longest := 0
	for _, choice := range e.Choices {
		longest = max(longest, len(choice))
	}
	return len(e.Prompt) + longest
}

func hashOf(parts ...string) string {
	text, err := json.Marshal(parts)
	if err != nil { // strings only: cannot fail
		panic(err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// score gives the arm's scores of the batch: from the journal if it has all of them, computed otherwise.
func (b batch) score(ctx context.Context, task *Task, arm Arm, provenance string, journal *Journal) ([][]float64, error) {
	keys := make([]string, len(b.examples))
	if journal != nil {
		known := make([][]float64, 0, len(keys))
		for i, hash := range b.hashes {
			keys[i] = hashOf(provenance, arm.SpecHash, task.Name, task.TemplateHash, b.hash, hash)
			if scores, ok := journal.Scores(keys[i]); ok && len(scores) == len(b.examples[i].Choices) {
				known = append(known, scores)
			}
		}
		if len(known) == len(keys) {
			return known, nil
		}
	}
	scores, err := arm.Scorer.Score(ctx, slices.Clone(b.examples))
	if err != nil {
		return nil, fmt.Errorf("arm %s: %w", arm.Name, err)
	}
	if err := b.check(scores); err != nil {
		return nil, fmt.Errorf("arm %s: %w", arm.Name, err)
	}
	if journal == nil {
		return scores, nil
	}
	entries := make([]Entry, len(keys))
	for i, e := range b.examples {
		entries[i] = Entry{Key: keys[i], Task: task.Name, Arm: arm.Name, ID: e.ID, Scores: scores[i]}
	}
	return scores, journal.Append(entries)
}

// check that a scorer kept to its contract.
func (b batch) check(scores [][]float64) error {
	if len(scores) != len(b.examples) {
		return fmt.Errorf("the scorer gave %d results for %d examples", len(scores), len(b.examples))
	}
	for i, e := range b.examples {
		if len(scores[i]) != len(e.Choices) {
			return fmt.Errorf("example %s: the scorer gave %d scores for %d choices", e.ID, len(scores[i]), len(e.Choices))
		}
		for choice, score := range scores[i] {
			if math.IsNaN(score) || math.IsInf(score, 0) {
				return fmt.Errorf("example %s, choice %d: log-likelihood %v, expected a finite number: the model's output is broken there", e.ID, choice, score)
			}
		}
	}
	return nil
}
