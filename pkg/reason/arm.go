package reason

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/attune-lab/attune/pkg/eval"
)

// Kind of extended computation.
type Kind string

// The kinds.
const (
	Direct          Kind = "direct"           // the answer at once
	Filler          Kind = "filler"           // at most Budget tokens that mean nothing, before the cue that asks for the answer (arXiv 2509.24884)
	Repeat          Kind = "repeat"           // the problem written again, Times times, before the cue
	CoT             Kind = "cot"              // chain of thought: reasoning of at most Budget tokens, greedy
	BudgetForcing   Kind = "budget"           // the same; where it ends before the budget does, Wait is appended, up to Waits times (arXiv 2501.19393)
	SelfConsistency Kind = "self-consistency" // Samples reasonings at Temperature, each with its answer; the majority (arXiv 2203.11171)
)

// Arm is a way of computing before the answer. The zero value of every field but Kind has a default.
type Arm struct {
	Kind   Kind   `json:"kind"`
	Budget int    `json:"budget,omitempty"` // tokens: of reasoning at most, in each sample, or of filler; 0 = 128
	Waits  int    `json:"waits,omitempty"`  // of BudgetForcing; 0 = 1
	Wait   string `json:"wait,omitempty"`   // of BudgetForcing; "" = "\nWait"
	Fill   string `json:"fill,omitempty"`   // of Filler, what is repeated; "" = " ."
	// Like makes a Filler the control of equal size of another arm: as many tokens as that arm puts or generates before the cue, example by example. nil = Budget.
	Like *Arm `json:"like,omitempty"`
	// Known are the tokens of Like, by the hash of the example, where they were counted before, see [Arm.Counted]; others are computed. They are no part of what the
	// arm is.
	Known       map[string]int `json:"-"`
	Times       int            `json:"times,omitempty"`       // of Repeat; 0 = 1
	Samples     int            `json:"samples,omitempty"`     // of SelfConsistency; 0 = 5
	Temperature float64        `json:"temperature,omitempty"` // of SelfConsistency; 0 = 0.7
	Seed        uint64         `json:"seed,omitempty"`        // of SelfConsistency
	Opening     string         `json:"opening,omitempty"`     // begins the reasoning; "" = "Analysis:"
	Instruction string         `json:"instruction,omitempty"` // stands before the prompt of an arm that reasons; "" for models that are trained to do so, else see [Instruction]
	// Cut shortens prompts that do not fit into the context on the left, and counts what was cut. By default such an example is refused.
	Cut bool `json:"cut,omitempty"`
}

// Instruction asks a model that follows instructions for what an arm that reasons reads.
const Instruction = eval.AuthorsInstruction

// withDefaults fills in what the kind needs and empties what it does not read, so that equal computations have equal hashes.
func (a Arm) withDefaults() Arm {
	full := Arm{Kind: a.Kind, Cut: a.Cut}
	switch a.Kind {
	case Direct:
		return full
	case Repeat:
		full.Times = or(a.Times, 1)
		return full
	}
	if a.Kind == Filler {
		full.Fill = or(a.Fill, " .")
		if a.Like == nil {
			full.Budget = or(a.Budget, 128)
			return full
		}
		like := a.Like.withDefaults()
		full.Like, full.Known = &like, a.Known
		return full
	}
	full.Budget = or(a.Budget, 128)
	full.Opening, full.Instruction = or(a.Opening, "Analysis:"), a.Instruction
	switch a.Kind {
	case BudgetForcing:
		full.Waits, full.Wait = or(a.Waits, 1), or(a.Wait, "\nWait")
	case SelfConsistency:
		full.Samples, full.Temperature, full.Seed = or(a.Samples, 5), or(a.Temperature, 0.7), a.Seed
	}
	return full
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// Validate says what cannot be.
func (a Arm) Validate() error {
	switch a.Kind {
	case Direct, Filler, Repeat, CoT, BudgetForcing, SelfConsistency:
	default:
		return fmt.Errorf("reason: no arm is of kind %q, expected %q, %q, %q, %q, %q or %q", a.Kind, Direct, Filler, Repeat, CoT, BudgetForcing, SelfConsistency)
	}
	for name, n := range map[string]int{"budget": a.Budget, "waits": a.Waits, "samples": a.Samples, "times": a.Times} {
		if n < 0 {
			return fmt.Errorf("reason: %s of arm %q is %d, expected 1 or more, or 0 for the default", name, a.Kind, n)
		}
	}
	if a.Like != nil {
		switch {
		case a.Kind != Filler:
			return fmt.Errorf("reason: arm %q is to be like another one, which only %q can be", a.Kind, Filler)
		case a.Like.Kind == Filler || a.Like.Kind == Direct || a.Like.Kind == SelfConsistency:
			return fmt.Errorf("reason: fillers like arm %q: expected an arm that reasons once or repeats", a.Like.Kind)
		}
		if err := a.Like.Validate(); err != nil {
			return err
		}
	}
	if a.Temperature < 0 {
		return fmt.Errorf("reason: temperature of arm %q is %v, expected more than 0", a.Kind, a.Temperature)
	}
	return nil
}

// JSON implements [eval.Answer]: the arm with its defaults filled in.
func (a Arm) JSON() json.RawMessage {
	text, err := json.Marshal(a.withDefaults())
	if err != nil { // strings and numbers only: cannot fail
		panic(err)
	}
	return text
}

// Name implements [eval.Answer].
func (a Arm) Name() string { return a.String() }

// Hash identifies what the arm computes: SHA-256 of its JSON, hexadecimal.
func (a Arm) Hash() string {
	sum := sha256.Sum256(a.JSON())
	return hex.EncodeToString(sum[:])
}

// String names the arm: "cot 128", "self-consistency 5 x 128".
func (a Arm) String() string {
	a = a.withDefaults()
	switch a.Kind {
	case Direct:
		return string(a.Kind)
	case Repeat:
		return fmt.Sprintf("%s %d", a.Kind, a.Times)
	case BudgetForcing:
		return fmt.Sprintf("%s %d, waits %d", a.Kind, a.Budget, a.Waits)
	case SelfConsistency:
		return fmt.Sprintf("%s %d x %d", a.Kind, a.Samples, a.Budget)
	case Filler:
		if a.Like != nil {
			return fmt.Sprintf("%s like %s", a.Kind, a.Like)
		}
	}
	return fmt.Sprintf("%s %d", a.Kind, a.Budget)
}
