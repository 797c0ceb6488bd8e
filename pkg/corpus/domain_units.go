package corpus

import (
	"fmt"
	"math/rand/v2"
	"strconv"
)

// units converts between units of everyday physics and of time.
type units struct{}

func (units) Name() string { return "units" }
func (units) STEM() bool   { return true }

// unit: one of `one` is factor of `small`.
type unit struct {
	one, many, small string
	factor           int
}

var unitTable = []unit{
	{"minute", "minutes", "seconds", 60}, {"hour", "hours", "minutes", 60}, {"day", "days", "hours", 24}, {"week", "weeks", "days", 7},
	{"year", "years", "months", 12}, {"metre", "metres", "centimetres", 100}, {"centimetre", "centimetres", "millimetres", 10},
	{"kilometre", "kilometres", "metres", 1000}, {"kilogram", "kilograms", "grams", 1000}, {"litre", "litres", "millilitres", 1000},
}

// Draw is the easy grade.
func (u units) Draw(r *rand.Rand) Draft { return u.DrawGraded(r, Easy) }

// DrawGraded: easy, large units in small ones; medium, small units in large ones; hard, large and small ones together. Wrong options use another
// factor, count one unit too many or too few, or leave a part out.
func (units) DrawGraded(r *rand.Rand, g Grade) Draft {
	const maxCount = 60
	u := pick(r, unitTable)
	n := 2 + r.IntN(maxCount-1)
	var d Draft
	switch g {
	case Medium:
		d.Question = fmt.Sprintf("How many %s are %d %s?", u.many, n*u.factor, u.small)
		is := func(x int) string { return fmt.Sprintf("%d %s are %d %s", x, u.many, x*u.factor, u.small) }
		d.Right = Choice{strconv.Itoa(n), is(n)}
		d.Wrong = mistakes(r, n, []int{n + 1, max(n-1, 2), n + 2, max(n-2, 2), n + 10, n * 10, 2 * n}, is)
	case Hard:
		rest := 1 + r.IntN(min(u.factor, 60)-1)
		right := n*u.factor + rest
		d.Question = fmt.Sprintf("How many %s are %d %s and %d %s?", u.small, n, u.many, rest, u.small)
		d.Right = Choice{strconv.Itoa(right), fmt.Sprintf("%d %s are %d %s and %d more are %d", n, u.many, n*u.factor, u.small, rest, right)}
		d.Wrong = mistakes(r, right, []int{n * u.factor, n + rest, right + u.factor, right - u.factor, right + 1, right - 1, right + 10}, func(x int) string {
			switch x {
			case n * u.factor:
				return fmt.Sprintf("%d leaves out the %d %s", x, rest, u.small)
			case n + rest:
				return fmt.Sprintf("%d adds %s to %s", x, u.many, u.small)
			}
			return offBy(x, right)
		})
	default:
		d.Question = fmt.Sprintf("How many %s are %d %s?", u.small, n, u.many)
		right := n * u.factor
		d.Right = Choice{strconv.Itoa(right), fmt.Sprintf("%d %s are %d times %d %s", n, u.many, n, u.factor, u.small)}
		candidates := []int{(n + 1) * u.factor, (n + 2) * u.factor, (n + 10) * u.factor}
		for _, factor := range []int{7, 10, 12, 24, 60, 100, 1000} {
			candidates = append(candidates, n*factor)
		}
		d.Wrong = mistakes(r, right, candidates, func(x int) string {
			if x%u.factor == 0 {
				return fmt.Sprintf("%d %s are %d %s", x, u.small, x/u.factor, u.many)
			}
			return fmt.Sprintf("that takes %d %s to a %s", x/n, u.small, u.one)
		})
	}
	d.Key = d.Question
	return d
}
