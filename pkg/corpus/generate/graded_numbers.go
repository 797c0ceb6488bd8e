package generate

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/attune-lab/attune/pkg/corpus"
)

// DrawGraded: easy, sums and differences up to 20; medium, sums and differences of numbers up to 99, and products; hard, a sum with a product,
// where going from left to right is wrong. Wrong options come from another operation, a slip by one, or a lost or invented carry.
func (arithmetic) DrawGraded(r *rand.Rand, g corpus.Grade) Draft {
	if g == corpus.Hard {
		return sumAndProduct(r)
	}
	low, high := 1, 20 // of a sum's first number and a difference's
	if g == corpus.Medium {
		low, high = 21, 99
	}
	a := low + r.IntN(high-low+1)
	b := 1 + r.IntN(high)
	kinds := 2
	if g == corpus.Medium {
		kinds = 3
	}
	operation := []string{"plus", "minus", "times"}[r.IntN(kinds)]
	var right int
	var candidates []int
	other := func(x int) string { return "" }
	switch operation {
	case "plus":
		right = a + b
		candidates = []int{a - b, b - a}
		other = func(x int) string {
			if x == max(a, b)-min(a, b) {
				return fmt.Sprintf("%d is %d minus %d", x, max(a, b), min(a, b))
			}
			return ""
		}
	case "minus":
		a = max(a, low+1, 2)
		b = 1 + b%(a-1)
		right = a - b
		candidates = []int{a + b}
		other = func(x int) string {
			if x == a+b {
				return fmt.Sprintf("%d is %d plus %d", x, a, b)
			}
			return ""
		}
	case "times":
		const factors = 11 // from 2
		a, b = 2+r.IntN(factors), 2+r.IntN(factors)
		right = a * b
		candidates = []int{a + b, a * (b + 1), a * (b - 1)}
		other = func(x int) string {
			switch x {
			case a + b:
				return fmt.Sprintf("%d is %d plus %d", x, a, b)
			case a * (b + 1), a * (b - 1):
				return fmt.Sprintf("%d is %d times %d", x, a, x/a)
			}
			return ""
		}
	}
	expression := fmt.Sprintf("%d %s %d", a, operation, b)
	d := Draft{Question: "What is " + expression + "?", Key: expression, Right: Choice{strconv.Itoa(right), fmt.Sprintf("%s is %d", expression, right)}}
	if operation != "minus" {
		d.Key = fmt.Sprintf("%d %s %d", min(a, b), operation, max(a, b))
	}
	candidates = append(candidates, right+1, right-1, right+2, right-2, right+10, right-10)
	d.Wrong = mistakes(r, right, candidates, func(x int) string {
		if why := other(x); why != "" {
			return why
		}
		return offBy(x, right)
	})
	return d
}

func sumAndProduct(r *rand.Rand) Draft {
	a, b, c := 2+r.IntN(29), 2+r.IntN(8), 2+r.IntN(8)
	right := a + b*c
	d := Draft{
		Question: fmt.Sprintf("What is %d plus %d times %d?", a, b, c),
		Key:      fmt.Sprintf("%d plus %d times %d", a, min(b, c), max(b, c)),
		Right:    Choice{strconv.Itoa(right), fmt.Sprintf("%d times %d is %d and %d plus %d is %d", b, c, b*c, a, b*c, right)},
	}
	d.Wrong = mistakes(r, right, []int{(a + b) * c, a*b + c, a + b + c, b * c, right + 1, right - 1, right + 10, right - 10}, func(x int) string {
		switch x {
		case (a + b) * c:
			return fmt.Sprintf("%d adds first and the product comes first", x)
		case a*b + c:
			return fmt.Sprintf("%d is %d times %d plus %d", x, a, b, c)
		case a + b + c:
			return fmt.Sprintf("%d adds all three", x)
		case b * c:
			return fmt.Sprintf("%d leaves out the %d", x, a)
		}
		return offBy(x, right)
	})
	return d
}

// DrawGraded: easy, a constant step up; medium, a constant step down, or doubling; hard, a step that grows, or two steps in turn. Wrong options keep
// or skip a step, or are off by a little.
func (sequence) DrawGraded(r *rand.Rand, g corpus.Grade) Draft {
	terms := make([]int, 5) // the fifth is the answer
	step := 1 + r.IntN(9)
	terms[0] = 1 + r.IntN(99)
	var rule string
	var candidates []int
	steps := func(each ...int) {
		for i, s := range each {
			terms[i+1] = terms[i] + s
		}
	}
	switch form := r.IntN(4); {
	case g == corpus.Easy:
		steps(step, step, step, step)
		rule = fmt.Sprintf("%d plus %d", terms[3], step)
	case g == corpus.Medium && form == 0:
		terms[0] = 1 + r.IntN(30)
		for i := range 4 {
			terms[i+1] = 2 * terms[i]
		}
		rule = fmt.Sprintf("%d doubled", terms[3])
		candidates = []int{terms[3] + terms[2], 3 * terms[3]}
	case g == corpus.Medium:
		terms[0] += 5 * step // so that the one after the answer is not negative
		steps(-step, -step, -step, -step)
		rule = fmt.Sprintf("%d minus %d", terms[3], step)
		candidates = []int{terms[3] + step}
	case form < 2:
		growth := 1 + r.IntN(4)
		steps(step, step+growth, step+2*growth, step+3*growth)
		rule = fmt.Sprintf("the steps grow by %d and %d plus %d", growth, terms[3], step+3*growth)
		candidates = []int{terms[3] + step + 2*growth, terms[3] + step}
	default:
		second := 1 + r.IntN(9)
		if second == step {
			second = step%9 + 1
		}
		steps(step, second, step, second)
		rule = fmt.Sprintf("the steps %d and %d take turns and %d plus %d", step, second, terms[3], second)
		candidates = []int{terms[3] + step, terms[3] + step + second}
	}
	right := terms[4]
	shown := make([]string, 4)
	for i := range shown {
		shown[i] = strconv.Itoa(terms[i])
	}
	d := Draft{
		Question: "Which number comes next: " + strings.Join(shown, ", ") + "?",
		Key:      strings.Join(shown, ", "),
		Right:    Choice{strconv.Itoa(right), fmt.Sprintf("%s is %d", rule, right)},
	}
	candidates = append(candidates, terms[2], right+(right-terms[3]), right+1, right-1, right+2, right+10)
	d.Wrong = mistakes(r, right, candidates, func(x int) string {
		switch x {
		case terms[0], terms[1], terms[2], terms[3]:
			return fmt.Sprintf("%d was there before", x)
		case right + (right - terms[3]):
			return fmt.Sprintf("%d takes the step twice", x)
		case terms[3] + (terms[3] - terms[2]):
			return fmt.Sprintf("%d takes the last step again", x)
		}
		return fmt.Sprintf("%s is not %d", rule, x)
	})
	return d
}

// DrawGraded: easy, the largest or smallest number; medium, the second largest or smallest; hard, who comes first, second, ... of four people that
// are compared two by two, the sentences in any order.
func (o ordering) DrawGraded(r *rand.Rand, g corpus.Grade) Draft {
	switch g {
	case corpus.Easy:
		return o.Draw(r)
	case corpus.Hard:
		return height(r)
	}
	const maxNumber = 999
	var numbers []int
	for len(numbers) < 4 {
		if n := 1 + r.IntN(maxNumber); !slices.Contains(numbers, n) {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	key := fmt.Sprint(numbers)
	best, side := "smallest", "less"
	if r.IntN(2) == 0 {
		best, side = "largest", "more"
		slices.Reverse(numbers)
	}
	text := func(i int) string { return strconv.Itoa(numbers[i]) }
	d := Draft{
		Question: "Which number is the second " + best + "?",
		Key:      key,
		Right:    Choice{text(1), "only " + text(0) + " is " + side + " than " + text(1)},
	}
	d.Wrong[0] = Choice{text(0), text(0) + " is the " + best}
	for i := 1; i < 3; i++ {
		d.Wrong[i] = Choice{text(i + 1), text(0) + " and " + text(1) + " are " + side + " than " + text(i+1)}
	}
	return d
}

// places of people by height, from the tallest.
var heightRanks = []string{"the tallest", "the second tallest", "the second shortest", "the shortest"}

func height(r *rand.Rand) Draft {
	order := sample(r, names, 4)
	facts := make([]string, 3)
	for i := range facts {
		facts[i] = order[i] + " is taller than " + order[i+1] + "."
	}
	r.Shuffle(len(facts), func(i, j int) { facts[i], facts[j] = facts[j], facts[i] })
	asked := r.IntN(len(order))
	d := Draft{Question: strings.Join(facts, " ") + " Who is " + heightRanks[asked] + "?", Key: strings.Join(order, ">")}
	wrong := 0
	for i, who := range order {
		choice := Choice{who, who + " is " + heightRanks[i]}
		if i == asked {
			d.Right = choice
			continue
		}
		d.Wrong[wrong] = choice
		wrong++
	}
	return d
}
