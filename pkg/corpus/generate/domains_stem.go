package generate

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/attune-lab/attune/pkg/corpus"
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

// substances asks about a fixed table of invented substances: nothing in it can be known from elsewhere, so what a model
// knows of it, it learned here.
type substances struct{}

func (substances) Name() string { return "substances" }
func (substances) STEM() bool   { return true }

type substance struct{ name, colour, form string }

// forms are nouns, so that "blue gas" names a kind of substance.
var forms = []string{"solid", "liquid", "gas", "powder"}

// substanceTable has one substance for each colour and form.
var substanceTable = []substance{
	{"vellium", "red", "solid"}, {"korbin", "blue", "solid"}, {"tasmite", "green", "solid"}, {"ordane", "white", "solid"},
	{"plexor", "black", "solid"}, {"nimbrel", "yellow", "solid"}, {"gravone", "brown", "solid"}, {"sulphen", "pink", "solid"},
	{"ferrol", "red", "liquid"}, {"quintal", "blue", "liquid"}, {"maridon", "green", "liquid"}, {"lactine", "white", "liquid"},
	{"umbrite", "black", "liquid"}, {"citrane", "yellow", "liquid"}, {"bardol", "brown", "liquid"}, {"rosene", "pink", "liquid"},
	{"halvon", "red", "gas"}, {"zephrine", "blue", "gas"}, {"viridon", "green", "gas"}, {"albane", "white", "gas"},
	{"noctane", "black", "gas"}, {"xanthol", "yellow", "gas"}, {"fuscine", "brown", "gas"}, {"carmel", "pink", "gas"},
	{"cinnor", "red", "powder"}, {"dexite", "blue", "powder"}, {"jadrel", "green", "powder"}, {"kaolen", "white", "powder"},
	{"charine", "black", "powder"}, {"flavite", "yellow", "powder"}, {"terrane", "brown", "powder"}, {"wolmine", "pink", "powder"},
}

func (substances) Draw(r *rand.Rand) Draft {
	asked := pick(r, substanceTable)
	switch r.IntN(4) {
	case 0:
		return askColour(r, asked)
	case 1:
		return askWhich(r, asked, asked.colour, func(s substance) string { return s.colour })
	case 2:
		return askWhich(r, asked, "a "+asked.form, func(s substance) string { return "a " + s.form })
	default:
		return askWhich(r, asked, "a "+asked.colour+" "+asked.form, func(s substance) string { return "a " + s.colour + " " + s.form })
	}
}

// askColour goes from a substance to its colour.
func askColour(r *rand.Rand, asked substance) Draft {
	d := Draft{
		Question: "What is the colour of " + asked.name + "?",
		Right:    Choice{asked.colour, asked.name + " is " + asked.colour},
	}
	others := sample(r, colours, len(d.Wrong), asked.colour)
	for i, colour := range others {
		d.Wrong[i] = Choice{colour, asked.name + " is not " + colour}
	}
	d.Key = d.Question + setKey(others)
	return d
}

// askWhich goes from a property to the only option that has it.
func askWhich(r *rand.Rand, asked substance, property string, propertyOf func(substance) string) Draft {
	d := Draft{
		Question: "Which substance is " + property + "?",
		Right:    Choice{asked.name, asked.name + " is " + property},
	}
	options := []string{asked.name}
	for len(options) <= len(d.Wrong) {
		other := pick(r, substanceTable)
		if propertyOf(other) == property || contains(options, other.name) {
			continue
		}
		d.Wrong[len(options)-1] = Choice{other.name, other.name + " is " + propertyOf(other)}
		options = append(options, other.name)
	}
	d.Key = d.Question + setKey(options)
	return d
}

// setKey names a set of strings whatever their order.
func setKey(set []string) string {
	sorted := slices.Clone(set)
	slices.Sort(sorted)
	return "|" + strings.Join(sorted, "|")
}

// logic states rules about kinds and asks what follows for one individual: two steps, from name to kind to colour.
type logic struct{}

func (logic) Name() string { return "logic" }
func (logic) STEM() bool   { return true }

var kinds = []string{"cat", "dog", "bird", "fish", "horse", "frog", "bear", "fox"}

func (logic) Draw(r *rand.Rand) Draft {
	rules := 2 + r.IntN(2)
	ruled := sample(r, kinds, rules)
	painted := sample(r, colours, rules)
	name := pick(r, names)
	applies := r.IntN(rules)

	facts, question := make([]string, rules), ""
	for i := range rules {
		facts[i] = "every " + ruled[i] + " is " + painted[i]
		question += "Every " + ruled[i] + " is " + painted[i] + ". "
	}
	is := name + " is a " + ruled[applies]
	d := Draft{
		Question: question + is + ". What colour is " + name + "?",
		Key:      setKey(facts) + "|" + is,
		Right:    Choice{painted[applies], is + " and " + facts[applies]},
	}
	wrong := 0
	for i := range rules {
		if i != applies {
			d.Wrong[wrong] = Choice{painted[i], facts[i] + " but " + is}
			wrong++
		}
	}
	for _, colour := range sample(r, colours, len(d.Wrong)-wrong, painted...) {
		d.Wrong[wrong] = Choice{colour, "nothing here is " + colour}
		wrong++
	}
	return d
}

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
func (u units) Draw(r *rand.Rand) Draft { return u.DrawGraded(r, corpus.Easy) }

// DrawGraded: easy, large units in small ones; medium, small units in large ones; hard, large and small ones together. Wrong options use another
// factor, count one unit too many or too few, or leave a part out.
func (units) DrawGraded(r *rand.Rand, g corpus.Grade) Draft {
	const maxCount = 60
	u := pick(r, unitTable)
	n := 2 + r.IntN(maxCount-1)
	var d Draft
	switch g {
	case corpus.Medium:
		d.Question = fmt.Sprintf("How many %s are %d %s?", u.many, n*u.factor, u.small)
		is := func(x int) string { return fmt.Sprintf("%d %s are %d %s", x, u.many, x*u.factor, u.small) }
		d.Right = Choice{strconv.Itoa(n), is(n)}
		d.Wrong = mistakes(r, n, []int{n + 1, max(n-1, 2), n + 2, max(n-2, 2), n + 10, n * 10, 2 * n}, is)
	case corpus.Hard:
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
