package corpus

import (
	"math/rand/v2"
	"strconv"
)

// sequence shows four terms that grow or shrink by a constant step, or double, and asks for the fifth.
type sequence struct{}

func (sequence) Name() string { return "sequence" }
func (sequence) STEM() bool   { return true }

func (sequence) Draw(r *rand.Rand) Draft {
	const (
		shown       = 4
		maxStep     = 9
		maxStart    = 40
		maxDoubling = 12 // first term of a doubling sequence, so that the fifth is at most 192
	)
	next := func(x, step int) int { return x + step }
	rule := ""
	start, step := 1+r.IntN(maxStart), 1+r.IntN(maxStep)
	switch kind := r.IntN(8); {
	case kind == 0:
		start = 1 + r.IntN(maxDoubling)
		next = func(x, _ int) int { return 2 * x }
		rule = " doubled"
	case kind < 4: // shrinking: start high enough to stay above zero
		start += shown * step
		step = -step
		rule = " minus " + strconv.Itoa(-step)
	default:
		rule = " plus " + strconv.Itoa(step)
	}
	terms, last := strconv.Itoa(start), start
	for range shown - 1 {
		last = next(last, step)
		terms += ", " + strconv.Itoa(last)
	}
	answer := next(last, step)
	ruled := strconv.Itoa(last) + rule
	d := Draft{
		Question: "Which number comes next: " + terms + "?",
		Key:      terms,
		Right:    Choice{strconv.Itoa(answer), ruled + " is " + strconv.Itoa(answer)},
	}
	for i, miss := range nearMisses(r, answer) {
		d.Wrong[i] = Choice{strconv.Itoa(miss), ruled + " is not " + strconv.Itoa(miss)}
	}
	return d
}
