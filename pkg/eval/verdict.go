package eval

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/attune-lab/attune/pkg/corpus"
	"github.com/attune-lab/attune/pkg/stats"
)

// Predict is the choice of largest score, the first among equals, as the common harness takes it; by [AccNorm] each score is first divided
// by the number of characters of its choice, the separating space not counted. Samples and parity use it; [Judge] does not depend on the
// order of the options.
func Predict(metric string, choices []string, scores []float64) int {
	if best := largest(metric, choices, scores); len(best) > 0 {
		return best[0]
	}
	return 0
}

// largest lists the choices that share the largest score, in order.
func largest(metric string, choices []string, scores []float64) []int {
	var best []int
	bestScore := 0.0
	for i, score := range scores {
		if metric == AccNorm {
			score /= float64(max(1, utf8.RuneCountInString(strings.TrimPrefix(choices[i], " "))))
		}
		switch {
		case len(best) == 0 || score > bestScore:
			best, bestScore = append(best[:0], i), score
		case score == bestScore:
			best = append(best, i)
		}
	}
	return best
}

// Verdict is what one answer is worth.
type Verdict struct {
	Right     bool
	Tied      bool    // several choices share the largest score
	Undecided bool    // all choices do: nothing was answered, and the example leaves paired tests
	Worth     float64 // what it adds to the accuracy: 1, 0, or 1/choices where undecided
}

// Judge gives the verdict on the scores of an example's choices by a metric. A tie is broken by the example's hash, in the same way in
// every arm, so that the order of the options decides nothing; where all choices tie, the answer is worth what guessing is.
func Judge(metric string, e Example, scores []float64) Verdict {
	choice, tied, decided := Choose(metric, e, scores)
	switch {
	case len(scores) == 0:
		return Verdict{}
	case !decided:
		return Verdict{Tied: true, Undecided: true, Worth: 1 / float64(len(e.Choices))}
	}
	v := Verdict{Tied: tied, Right: choice == e.Answer}
	if v.Right {
		v.Worth = 1
	}
	return v
}

// Choose is the choice of largest score as [Judge] takes it: among equals the one that the example's hash draws. It is not decided where all choices tie.
func Choose(metric string, e Example, scores []float64) (choice int, tied, decided bool) {
	best := largest(metric, e.Choices, scores)
	switch len(best) {
	case 0, len(e.Choices):
		return 0, len(best) > 1, false
	case 1:
		return best[0], false, true
	}
	return drawn(e, best), true, true
}

// Judge gives the verdict on an outcome: on the letter that was read or that won a vote, else on the scores. What could not be read from a text is wrong, not undecided.
func (o Outcome) Judge(metric string, e Example) Verdict {
	switch {
	case e.Open != nil:
		if o.Parsed && e.Open.Right(o.Letter, e.Target) {
			return Verdict{Right: true, Worth: 1}
		}
		return Verdict{}
	case o.Parsed && o.Letter == corpus.Letter(e.Answer):
		return Verdict{Right: true, Worth: 1}
	case o.Parsed || o.Scores == nil:
		return Verdict{}
	}
	return Judge(metric, e, o.Scores)
}

// drawn is the tied choice whose hash, with the example's, is smallest.
func drawn(e Example, tied []int) int {
	hash, best, smallest := e.Hash(), tied[0], ""
	for _, i := range tied {
		if sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d", hash, i)); smallest == "" || string(sum[:]) < smallest {
			best, smallest = i, string(sum[:])
		}
	}
	return best
}

// chanceLevel is the expected accuracy of guessing.
func chanceLevel(examples []Example) float64 {
	choices := make([]int, len(examples))
	for i, e := range examples {
		choices[i] = len(e.Choices)
	}
	return stats.ChanceLevel(choices)
}
