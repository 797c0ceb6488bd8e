package eval

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/attune-lab/attune/pkg/stats"
)

// Scorer gives the log-likelihood of every choice of every example: the sum over the tokens of the continuation, natural
// logarithm. The result is [example][choice], in the order of the input.
type Scorer interface {
	Score(ctx context.Context, examples []Example) ([][]float64, error)
}

// Detailed is a Scorer that also says how it came to its scores, such as what was reasoned: a JSON value for each example, which the journal keeps
// beside the scores and [Comparison].Details gives back.
type Detailed interface {
	Scorer
	ScoreDetailed(ctx context.Context, examples []Example) (scores [][]float64, details []json.RawMessage, err error)
}

// Arm is one thing to compare: the baseline or an intervention.
type Arm struct {
	Name     string
	SpecHash string // of what tells this arm's computation from the others'; may be empty for one arm
	Scorer   Scorer
}

// DefaultBatchSize of [CompareOptions].
const DefaultBatchSize = 16

// CompareOptions of [Compare]. The zero value works: no journal, defaults for the rest.
type CompareOptions struct {
	Journal    string // path; empty means that nothing is kept
	Provenance string // hash of all that the scores depend on besides arm, task and example: weights, tokenizer, backend, dtype, versions; needed with a journal
	BatchSize  int    // examples per batch; 0 means DefaultBatchSize
	Seed       uint64 // of the permutations of clustered interactions
	Groups     Groups // what rows there are beside those for all; "" means GroupsStem
	// Controls name the arm of equal size that an arm is judged against beside the first one: arm to control. Those comparisons are in the family.
	Controls map[string]string
	Margin   float64 // of equivalence, given before looking; 0 means stats.Margin
	// Progress is called after each batch of an arm; total is arms times examples.
	Progress func(done, total int)
}

// Compare scores every arm on the same examples in the same batches and compares each with the first arm. Batches go
// from the longest examples to the shortest, to waste little on padding and to run out of memory early if at all; within a batch
// arms take turns, so that a killed run leaves pairs. After an error, or when ctx ends, a comparison with a journal can be called
// again and goes on where it stopped.
func Compare(ctx context.Context, task *Task, arms []Arm, o CompareOptions) (c *Comparison, err error) {
	if err := checkArms(task, arms, o); err != nil {
		return nil, err
	}
	var journal *Journal
	if o.Journal != "" {
		if journal, err = OpenJournal(o.Journal); err != nil {
			return nil, err
		}
		defer func() {
			if closing := journal.Close(); closing != nil {
				c, err = nil, errors.Join(err, closing)
			}
		}()
	}
	size := o.BatchSize
	if size <= 0 {
		size = DefaultBatchSize
	}
	scores, details := make([][][]float64, len(arms)), make([][]json.RawMessage, len(arms))
	for a := range scores {
		scores[a], details[a] = make([][]float64, len(task.Examples)), make([]json.RawMessage, len(task.Examples))
	}
	done, total := 0, len(arms)*len(task.Examples)
	for _, b := range batches(task.Examples, size) {
		for a, arm := range arms {
			if err := ctx.Err(); err != nil {
				return nil, stopped(err, done, total, o)
			}
			result, err := b.score(ctx, task, arm, o.Provenance, journal)
			if err != nil {
				return nil, stopped(err, done, total, o)
			}
			for i, at := range b.places {
				scores[a][at], details[a][at] = result[i].Scores, result[i].Detail
			}
			done += len(b.places)
			if o.Progress != nil {
				o.Progress(done, total)
			}
		}
	}
	if c, err = summarise(task, arms, scores, o); c != nil {
		c.Details = details
	}
	return c, err
}

func stopped(err error, done, total int, o CompareOptions) error {
	kept := "nothing is kept without a journal"
	if o.Journal != "" {
		kept = "call again with the same journal to go on from there"
	}
	return fmt.Errorf("eval: stopped after %d of %d results (%s): %w", done, total, kept, err)
}

func checkArms(task *Task, arms []Arm, o CompareOptions) error {
	if err := task.Validate(); err != nil {
		return err
	}
	if len(arms) == 0 {
		return errors.New("eval: no arms: expected the baseline and what to compare with it")
	}
	if o.Journal != "" && o.Provenance == "" {
		return errors.New("eval: a journal without provenance would mix the results of different models: give the hash of weights, tokenizer and backend")
	}
	if o.Margin < 0 || o.Margin >= 1 {
		return fmt.Errorf("eval: equivalence margin %v, expected a share above 0 and below 1, or 0 for %v", o.Margin, stats.Margin)
	}
	if _, err := groupsOf(task, o.Groups); err != nil {
		return err
	}
	for i, arm := range arms {
		if arm.Name == "" || arm.Scorer == nil {
			return fmt.Errorf("eval: arm %d (%q) needs a name and a scorer", i, arm.Name)
		}
		same := func(other Arm) bool { return other.Name == arm.Name || other.SpecHash == arm.SpecHash }
		if before := slices.IndexFunc(arms[:i], same); before >= 0 {
			return fmt.Errorf("eval: arms %d (%q) and %d (%q) have the same name or spec hash: both must differ", before, arms[before].Name, i, arm.Name)
		}
	}
	named := func(name string) bool {
		return slices.ContainsFunc(arms, func(arm Arm) bool { return arm.Name == name })
	}
	for arm, control := range o.Controls {
		if !named(arm) || !named(control) || arm == control {
			return fmt.Errorf("eval: %q is the control of %q: expected the names of two arms of the comparison", control, arm)
		}
	}
	for _, metric := range task.Metrics {
		if metric != Acc && metric != AccNorm {
			return fmt.Errorf("eval: task %s: unknown metric %q, expected %s or %s", task.Name, metric, Acc, AccNorm)
		}
	}
	return nil
}
