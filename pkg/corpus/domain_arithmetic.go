package corpus

import (
	"math/rand/v2"
	"strconv"
)

// arithmetic asks for a sum, a difference or a product of small numbers. A pair of operands of a sum or product is in one split in
// both of its orders.
type arithmetic struct{}

func (arithmetic) Name() string { return "arithmetic" }
func (arithmetic) STEM() bool   { return true }

func (arithmetic) Draw(r *rand.Rand) Draft {
	const (
		maxAddend     = 30
		maxMinuend    = 40
		minFactor     = 2
		maxFactor     = 12
		sums          = 4 // of ten questions
		sumsAndMinus  = 8 // of ten questions
		questionsInDr = 10
	)
	var a, b, result int
	var operation string
	switch kind := r.IntN(questionsInDr); {
	case kind < sums:
		a, b, operation = 1+r.IntN(maxAddend), 1+r.IntN(maxAddend), "plus"
		result = a + b
	case kind < sumsAndMinus:
		a = 2 + r.IntN(maxMinuend-1)
		b, operation = 1+r.IntN(a-1), "minus"
		result = a - b
	default:
		span := maxFactor - minFactor + 1
		a, b, operation = minFactor+r.IntN(span), minFactor+r.IntN(span), "times"
		result = a * b
	}
	expression := func(x, y int) string { return strconv.Itoa(x) + " " + operation + " " + strconv.Itoa(y) }
	d := Draft{
		Question: "What is " + expression(a, b) + "?",
		Key:      expression(a, b),
		Right:    Choice{strconv.Itoa(result), expression(a, b) + " is " + strconv.Itoa(result)},
	}
	if operation != "minus" {
		d.Key = expression(min(a, b), max(a, b))
	}
	for i, miss := range nearMisses(r, result) {
		why := strconv.Itoa(miss-result) + " too many"
		if miss < result {
			why = strconv.Itoa(result-miss) + " too few"
		}
		d.Wrong[i] = Choice{strconv.Itoa(miss), strconv.Itoa(miss) + " is " + why}
	}
	return d
}
