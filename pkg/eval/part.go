package eval

import (
	"context"
	"errors"
	"fmt"

	"github.com/attune-lab/attune/pkg/engine"
	"github.com/attune-lab/attune/pkg/store"
)

// Answered says what AnswerPart stored.
type Answered struct {
	Jobs  []store.Key // of the arms, what their answers are stored under
	Items []string    // hashes of the part's examples: each job has a record of each
	Of    int         // examples in all parts
}

// AnswerPart answers the examples of one part under every arm and stores the answers; nothing is compared. Compare, on a store that unites all parts, finds every
// answer there. Arms of one part answer the same examples, so that pairs stay together. What the store knows is not computed again.
func AnswerPart(ctx context.Context, task *Task, arms []Arm, o Options, part store.Part) (Answered, error) {
	if err := checkArms(task, arms, o); err != nil {
		return Answered{}, err
	}
	if o.Store == nil || o.Job.Code == "" {
		return Answered{}, errors.New("eval: a part needs a store and results that can be named: nothing else leaves it")
	}
	a := Answered{Of: len(task.Examples)}
	var examples []Example
	for _, e := range task.Examples {
		if hash := e.Hash(); part.Has(hash) {
			examples, a.Items = append(examples, e), append(a.Items, hash)
		}
	}
	c := newCollection(task, examples, arms, o)
	if err := c.load(); err != nil {
		return Answered{}, err
	}
	for i, job := range c.jobs {
		if job.Code == "" {
			return Answered{}, fmt.Errorf("eval: arm %s is not data, and its answers cannot be stored: it cannot be computed in parts", arms[i].Name)
		}
		a.Jobs = append(a.Jobs, job.Key())
	}
	if err := c.compute(ctx); err != nil {
		return Answered{}, c.stopped(err)
	}
	c.tell(engine.Progress{})
	return a, nil
}

// MissingError is the error of Compare where Options.Known and the store does not have every answer.
type MissingError struct {
	Arm     string
	Example string // id of the first that is missing
	Item    string // its hash
	Missing int    // answers of the arm
	Of      int
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("eval: arm %s: %d of %d answers are not in the store, the first that of example %s (item %.12s), and nothing is to be computed", e.Arm, e.Missing, e.Of, e.Example, e.Item)
}

// known checks that the store has everything, where the options ask for that.
func (c *collection) known() error {
	for a, missing := range c.missing {
		if c.options.Known && len(missing) > 0 {
			e := c.examples[missing[0]]
			return &MissingError{Arm: c.arms[a].Name, Example: e.ID, Item: e.Hash(), Missing: len(missing), Of: len(c.examples)}
		}
	}
	return nil
}
