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

// score gives the arm's results on the batch: from the journal if it has all of them, computed otherwise.
func (b batch) score(ctx context.Context, task *Task, arm Arm, provenance string, journal *Journal) ([]Entry, error) {
	entries := make([]Entry, len(b.examples))
	known := 0
	for i, e := range b.examples {
		entries[i] = Entry{Task: task.Name, Arm: arm.Name, ID: e.ID}
		if journal == nil {
			continue
		}
		entries[i].Key = hashOf(provenance, arm.SpecHash, task.Name, task.TemplateHash, b.hash, b.hashes[i])
		if before, ok := journal.Entry(entries[i].Key); ok && len(before.Scores) == len(e.Choices) {
			entries[i] = before
			known++
		}
	}
	if known == len(entries) {
		return entries, nil
	}
	scores, details, err := run(ctx, arm.Scorer, slices.Clone(b.examples))
	if err != nil {
		return nil, fmt.Errorf("arm %s: %w", arm.Name, err)
	}
	if err := b.check(scores); err != nil {
		return nil, fmt.Errorf("arm %s: %w", arm.Name, err)
	}
	for i := range entries {
		entries[i].Scores, entries[i].Detail = scores[i], nil
		if details != nil {
			entries[i].Detail = details[i]
		}
	}
	if journal == nil {
		return entries, nil
	}
	return entries, journal.Append(entries)
}

// run asks a scorer for scores, and for details if it has them.
func run(ctx context.Context, s Scorer, examples []Example) (scores [][]float64, details []json.RawMessage, err error) {
	detailed, ok := s.(Detailed)
	if !ok {
		scores, err = s.Score(ctx, examples)
		return scores, nil, err
	}
	if scores, details, err = detailed.ScoreDetailed(ctx, examples); err == nil && len(details) != len(examples) {
		err = fmt.Errorf("the scorer gave %d details for %d examples", len(details), len(examples))
	}
	return scores, details, err
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
