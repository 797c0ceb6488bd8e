package corpus

import (
	"math/rand/v2"
	"slices"
	"strconv"
)

// ordering asks for the largest or smallest of four numbers. A set of numbers is in one split for both questions.
type ordering struct{}

func (ordering) Name() string { return "ordering" }
func (ordering) STEM() bool   { return true }

func (ordering) Draw(r *rand.Rand) Draft {
	const maxNumber = 99
	var numbers [4]int
	for i := 0; i < len(numbers); {
		if n := 1 + r.IntN(maxNumber); !contains(numbers[:i], n) {
			numbers[i] = n
			i++
		}
	}
	slices.Sort(numbers[:])
	key := ""
	for _, n := range numbers {
		key += strconv.Itoa(n) + " "
	}
	question, comparison := "Which number is the smallest?", "more"
	if r.IntN(2) == 0 {
		question, comparison = "Which number is the largest?", "less"
		slices.Reverse(numbers[:])
	}
	answer := strconv.Itoa(numbers[0])
	d := Draft{
		Question: question,
		Key:      key,
		Right:    Choice{answer, "all others are " + comparison + " than " + answer},
	}
	for i, n := range numbers[1:] {
		d.Wrong[i] = Choice{strconv.Itoa(n), strconv.Itoa(n) + " is " + comparison + " than " + answer}
	}
	return d
}
