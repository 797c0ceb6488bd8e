package generate

import (
	"fmt"
	"slices"
	"strings"
)

// gradedSolvers judge what the plain solvers do not know. Like them they share no code with the generator.
var gradedSolvers = map[string]solver{
	"arithmetic/easy": solveGradedArithmetic, "arithmetic/medium": solveGradedArithmetic, "arithmetic/hard": solveSumAndProduct,
	"sequence/easy": solveGradedSequence, "sequence/medium": solveGradedSequence, "sequence/hard": solveGradedSequence,
	"ordering/easy": solveOrdering, "ordering/medium": solveSecond, "ordering/hard": solveHeight,
	"antonyms/easy": solveAntonyms, "antonyms/medium": solvePairs, "antonyms/hard": solveAnalogy,
	"categories/easy": solveCategories, "categories/medium": solveCategories, "categories/hard": solveKinds,
	"substances/easy": solveSubstances, "substances/medium": solveSubstances, "substances/hard": solveTwoSubstances,
	"kinship/easy": solveOtherSide, "kinship/medium": solveKinship, "kinship/hard": solveGreat,
	"feelings/easy": solveFeelings, "feelings/medium": solveTwoFeelings, "feelings/hard": solveWhoFeels,
	"logic/easy": solveRule, "logic/medium": solveLogic, "logic/hard": solveEither,
	"places/easy": solveTwoPlaces, "places/medium": solvePlaces, "places/hard": solveMoved,
	"units/easy": solveSmallUnits, "units/medium": solveLargeUnits, "units/hard": solveBothUnits,
	"calendar/easy": solveCalendar, "calendar/medium": solveCalendar, "calendar/hard": solveCalendar,
}

// off says how far from the right number one is.
func off(found, right int) string {
	if found < right {
		return fmt.Sprintf("%d is %d too few", found, right-found)
	}
	return fmt.Sprintf("%d is %d too many", found, found-right)
}

func solveGradedArithmetic(question, option string, _ []string) (bool, string, error) {
	m, err := match(`^What is (\d+) (plus|minus|times) (\d+)\?$`, question)
	if err != nil {
		return false, "", err
	}
	a, b, x := number(m[0]), number(m[2]), number(option)
	sum, difference, product := a+b, a-b, a*b
	var right int
	why := ""
	switch m[1] {
	case "plus":
		right = sum
		if x == difference || x == -difference {
			why = fmt.Sprintf("%d is %d minus %d", x, max(a, b), min(a, b))
		}
	case "minus":
		right = difference
		if x == sum {
			why = fmt.Sprintf("%d is %d plus %d", x, a, b)
		}
	case "times":
		right = product
		if x == sum {
			why = fmt.Sprintf("%d is %d plus %d", x, a, b)
		} else if x == product+a || x == product-a {
			why = fmt.Sprintf("%d is %d times %d", x, a, x/a)
		}
	}
	switch {
	case x == right:
		return true, fmt.Sprintf("%d %s %d is %d", a, m[1], b, right), nil
	case why == "":
		why = off(x, right)
	}
	return false, why, nil
}

func solveSumAndProduct(question, option string, _ []string) (bool, string, error) {
	m, err := match(`^What is (\d+) plus (\d+) times (\d+)\?$`, question)
	if err != nil {
		return false, "", err
	}
	a, b, c, x := number(m[0]), number(m[1]), number(m[2]), number(option)
	switch x {
	case a + b*c:
		return true, fmt.Sprintf("%d times %d is %d and %d plus %d is %d", b, c, b*c, a, b*c, x), nil
	case (a + b) * c:
		return false, option + " adds first and the product comes first", nil
	}
	switch x {
	case a*b + c:
		return false, fmt.Sprintf("%d is %d times %d plus %d", x, a, b, c), nil
	}
	switch x {
	case a + b + c:
		return false, option + " adds all three", nil
	}
	if x == b*c {
		return false, fmt.Sprintf("%d leaves out the %d", x, a), nil
	}
	return false, off(x, a+b*c), nil
}

func solveGradedSequence(question, option string, _ []string) (bool, string, error) {
	m, err := match(`^Which number comes next: (\d+), (\d+), (\d+), (\d+)\?$`, question)
	if err != nil {
		return false, "", err
	}
	t := []int{number(m[0]), number(m[1]), number(m[2]), number(m[3])}
	p, q, s := t[1]-t[0], t[2]-t[1], t[3]-t[2]
	var step int
	var rule string
	switch {
	case p == q && q == s && s > 0:
		step, rule = s, fmt.Sprintf("%d plus %d", t[3], s)
	case p == q && q == s && s < 0:
		step, rule = s, fmt.Sprintf("%d minus %d", t[3], -s)
	case p == t[0] && q == t[1] && s == t[2]:
		step, rule = t[3], fmt.Sprintf("%d doubled", t[3])
	case q-p == s-q && q > p:
		step, rule = s+(q-p), fmt.Sprintf("the steps grow by %d and %d plus %d", q-p, t[3], s+q-p)
	case p == s && p != q:
		step, rule = q, fmt.Sprintf("the steps %d and %d take turns and %d plus %d", p, q, t[3], q)
	default:
		return false, "", fmt.Errorf("no rule fits %q", question)
	}
	x := number(option)
	switch next := t[3] + step; {
	case x == next:
		return true, rule + " is " + option, nil
	case slices.Contains(t, x):
		return false, option + " was there before", nil
	case x == next+step:
		return false, option + " takes the step twice", nil
	case x == t[3]+s:
		return false, option + " takes the last step again", nil
	}
	return false, rule + " is not " + option, nil
}

func solveSecond(question, option string, all []string) (bool, string, error) {
	m, err := match(`^Which number is the second (largest|smallest)\?$`, question)
	if err != nil {
		return false, "", err
	}
	side := "more"
	before := func(a, b int) bool { return a > b }
	if m[0] == "smallest" {
		side = "less"
		before = func(a, b int) bool { return a < b }
	}
	var ahead []int
	for _, other := range all {
		if before(number(other), number(option)) {
			ahead = append(ahead, number(other))
		}
	}
	switch len(ahead) {
	case 0:
		return false, option + " is the " + m[0], nil
	case 1:
		return true, fmt.Sprintf("only %d is %s than %s", ahead[0], side, option), nil
	}
	slices.Sort(ahead)
	if m[0] == "largest" {
		slices.Reverse(ahead)
	}
	return false, fmt.Sprintf("%d and %d are %s than %s", ahead[0], ahead[1], side, option), nil
}

func solveHeight(question, option string, all []string) (bool, string, error) {
	m, err := match(`^(.*)\. Who is (the .*)\?$`, question)
	if err != nil {
		return false, "", err
	}
	shorter := make(map[string]string)
	for _, fact := range strings.Split(m[0], ". ") {
		two := strings.Split(fact, " is taller than ")
		shorter[two[0]] = two[1]
	}
	below := 0
	for who := option; shorter[who] != ""; who = shorter[who] {
		below++
	}
	rank := map[int]string{3: "the tallest", 2: "the second tallest", 1: "the second shortest", 0: "the shortest"}[below]
	if len(shorter) != 3 || len(all) != 4 {
		return false, "", fmt.Errorf("not a chain of four: %q", question)
	}
	return rank == m[1], option + " is " + rank, nil
}

func solvePairs(question, option string, _ []string) (bool, string, error) {
	if question != "Which two words are opposites?" {
		return false, "", fmt.Errorf("question %q", question)
	}
	two := strings.Split(option, " and ")
	opposite, err := antonym(two[0])
	return opposite == two[1], "the opposite of " + two[0] + " is " + opposite, err
}

func solveAnalogy(question, option string, _ []string) (bool, string, error) {
	m, err := match(`^(\w+) is to (\w+) as (\w+) is to what\?$`, question)
	if err != nil {
		return false, "", err
	}
	if shown, err := antonym(strings.ToLower(m[0])); err != nil || shown != m[1] {
		return false, "", fmt.Errorf("%s and %s are no opposites: %v", m[0], m[1], err)
	}
	opposite, err := antonym(option)
	return opposite == m[2], option + " is the opposite of " + opposite, err
}

func solveKinds(question, option string, _ []string) (bool, string, error) {
	if question != "Which two words are of one kind?" {
		return false, "", fmt.Errorf("question %q", question)
	}
	two := strings.Split(option, " and ")
	first, err := heading(wordsByCategory, two[0])
	if err != nil {
		return false, "", err
	}
	second, err := heading(wordsByCategory, two[1])
	if first == second {
		return two[0] != two[1], "each is " + first, err
	}
	return false, two[0] + " is " + first + " and " + two[1] + " is " + second, err
}

func solveTwoSubstances(question, option string, _ []string) (bool, string, error) {
	m, err := match(`^Which substance has the colour of (\w+) and the form of (\w+)\?$`, question)
	if err != nil {
		return false, "", err
	}
	var found [4]string // the asked colour and form, the option's colour and form
	for i, look := range []struct{ table, word string }{{substancesByColour, m[0]}, {substancesByForm, m[1]}, {substancesByColour, option}, {substancesByForm, option}} {
		if found[i], err = heading(look.table, look.word); err != nil {
			return false, "", err
		}
	}
	return found[0] == found[2] && found[1] == found[3], option + " is a " + found[2] + " " + found[3], nil
}

// perUnit is how many of the smaller unit make one of the larger.
var perUnit = map[string]int{
	"minutes seconds": 60, "hours minutes": 60, "days hours": 24, "weeks days": 7, "years months": 12, "metres centimetres": 100,
	"centimetres millimetres": 10, "kilometres metres": 1000, "kilograms grams": 1000, "litres millilitres": 1000,
}

func solveSmallUnits(question, option string, _ []string) (bool, string, error) {
	m, err := match(`^How many (\w+) are (\d+) (\w+)\?$`, question)
	if err != nil {
		return false, "", err
	}
	small, n, many, x := m[0], number(m[1]), m[2], number(option)
	factor := perUnit[many+" "+small]
	switch {
	case factor == 0:
		return false, "", fmt.Errorf("unknown units in %q", question)
	case x == n*factor:
		return true, fmt.Sprintf("%d %s are %d times %d %s", n, many, n, factor, small), nil
	case x%factor == 0:
		return false, fmt.Sprintf("%d %s are %d %s", x, small, x/factor, many), nil
	case x%n == 0:
		return false, fmt.Sprintf("that takes %d %s to a %s", x/n, small, strings.TrimSuffix(many, "s")), nil
	}
	return false, "", fmt.Errorf("%s has no reason in %q", option, question)
}

func solveLargeUnits(question, option string, _ []string) (bool, string, error) {
	m, err := match(`^How many (\w+) are (\d+) (\w+)\?$`, question)
	if err != nil {
		return false, "", err
	}
	factor, x := perUnit[m[0]+" "+m[2]], number(option)
	return factor*x == number(m[1]), fmt.Sprintf("%d %s are %d %s", x, m[0], x*factor, m[2]), nil
}

func solveBothUnits(question, option string, _ []string) (bool, string, error) {
	m, err := match(`^How many (\w+) are (\d+) (\w+) and (\d+) (\w+)\?$`, question)
	if err != nil {
		return false, "", err
	}
	small, n, many, rest, x := m[0], number(m[1]), m[2], number(m[3]), number(option)
	whole := n * perUnit[many+" "+small]
	switch {
	case small != m[4] || whole == 0:
		return false, "", fmt.Errorf("unknown units in %q", question)
	case x == whole+rest:
		return true, fmt.Sprintf("%d %s are %d %s and %d more are %d", n, many, whole, small, rest, x), nil
	case x == whole:
		return false, fmt.Sprintf("%d leaves out the %d %s", x, rest, small), nil
	case x == n+rest:
		return false, fmt.Sprintf("%d adds %s to %s", x, many, small), nil
	}
	return false, off(x, whole+rest), nil
}

func solveCalendar(question, option string, _ []string) (bool, string, error) {
	m, err := match(`^(\w+) came on (\w+)\. (\w+) came (\d+) days? after (\w+)\.(?: (\w+) came (\d+) days? before (\w+)\.)? On which day did (\w+) come\?$`, question)
	if err != nil {
		return false, "", err
	}
	week := strings.Fields("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
	first, x, on, back := slices.Index(week, m[1]), slices.Index(week, option), number(m[3]), 0
	count := func(n int, one string) string {
		if n != 1 {
			one += "s"
		}
		return fmt.Sprint(n, " ", one)
	}
	last, reason := m[2], ""
	if m[5] != "" {
		back, last = number(m[6]), m[5]
		if on > back {
			reason = fmt.Sprintf("%d on and %d back is %d on, and ", on, back, on-back)
		} else {
			reason = fmt.Sprintf("%d on and %d back is %d back, and ", on, back, back-on)
		}
	} else if on > 6 {
		reason = fmt.Sprintf("%d days are %s and %s, and ", on, count(on/7, "week"), count(on%7, "day"))
	}
	if m[8] != last || m[4] != m[0] || m[5] != "" && m[7] != m[2] || first < 0 || x < 0 {
		return false, "", fmt.Errorf("the visits do not connect in %q", question)
	}
	after := option + " is " + count((x-first+7)%7, "day") + " after " + m[1]
	switch x {
	case (first + on - back + 7) % 7:
		return true, reason + after, nil
	case first:
		return false, option + " is the day " + m[0] + " came", nil
	case (first + on) % 7:
		if back > 0 {
			return false, option + " is the day " + m[2] + " came", nil
		}
	}
	return false, after, nil
}
