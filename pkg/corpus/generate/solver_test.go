package generate

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/attune-lab/attune/pkg/corpus"
)

// A solver judges an option from the text of the question alone. It shares no code and no table with the generator: its
// own tables below are laid out differently on purpose. `why` returns what the analysis must say of the option.
type solver func(question, option string, all []string) (right bool, why string, err error)

var solvers = map[string]solver{
	"arithmetic": solveArithmetic, "sequence": solveSequence, "ordering": solveOrdering, "substances": solveSubstances, "logic": solveLogic,
	"antonyms": solveAntonyms, "kinship": solveKinship, "categories": solveCategories, "feelings": solveFeelings, "places": solvePlaces,
}

// TestEveryAnswerAndRationaleIsWhatASolverFinds recomputes, over the default corpus, which option is right and why each is.
func TestEveryAnswerAndRationaleIsWhatASolverFinds(t *testing.T) {
	c := defaultCorpus(t)
	for _, items := range [][]corpus.Item{c.Train, c.HeldOut} {
		for _, item := range items {
			if err := checkBySolver(item); err != nil {
				t.Fatalf("%s: %v\n%s", item.ID, err, item.Text())
			}
		}
	}
}

func checkBySolver(item corpus.Item) error {
	solve := solvers[item.Domain]
	if solve == nil {
		return fmt.Errorf("no solver for domain %s", item.Domain)
	}
	return checkWith(solve, item)
}

func checkWith(solve solver, item corpus.Item) error {
	var clauses []string
	for i, option := range item.Options {
		right, why, err := solve(item.Question, option, item.Options)
		if err != nil {
			return err
		}
		if right != (i == item.Answer) {
			return fmt.Errorf("option %q: the solver says right=%v, the item says right=%v", option, right, i == item.Answer)
		}
		verdict := "wrong"
		if right {
			verdict = "right"
		}
		clauses = append(clauses, fmt.Sprintf("%s is %s: %s.", string(rune('A'+i)), verdict, why))
	}
	if want := strings.Join(clauses, " "); item.Analysis != want {
		return fmt.Errorf("analysis\n found    %s\n expected %s", item.Analysis, want)
	}
	return nil
}

func TestSolverRejectsAWrongKey(t *testing.T) {
	for _, item := range defaultCorpus(t).HeldOut[:20] {
		item.Answer = (item.Answer + 1) % len(item.Options)
		if checkBySolver(item) == nil {
			t.Errorf("%s: a moved answer passed the solver", item.ID)
		}
	}
}

var compiled = make(map[string]*regexp.Regexp) // tests of this file run one after the other

func pattern(text string) *regexp.Regexp {
	if compiled[text] == nil {
		compiled[text] = regexp.MustCompile(text)
	}
	return compiled[text]
}

func match(form, question string) ([]string, error) {
	found := pattern(form).FindStringSubmatch(question)
	if found == nil {
		return nil, fmt.Errorf("question %q does not match %s", question, form)
	}
	return found[1:], nil
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err) // a test's own mistake
	}
	return n
}

func solveArithmetic(question, option string, _ []string) (bool, string, error) {
	m, err := match(`^What is (\d+) (plus|minus|times) (\d+)\?$`, question)
	if err != nil {
		return false, "", err
	}
	a, b := number(m[0]), number(m[2])
	result := map[string]int{"plus": a + b, "minus": a - b, "times": a * b}[m[1]]
	switch off := number(option) - result; {
	case off == 0:
		return true, fmt.Sprintf("%d %s %d is %d", a, m[1], b, result), nil
	case off > 0:
		return false, fmt.Sprintf("%s is %d too many", option, off), nil
	default:
		return false, fmt.Sprintf("%s is %d too few", option, -off), nil
	}
}

func solveSequence(question, option string, _ []string) (bool, string, error) {
	m, err := match(`^Which number comes next: (\d+), (\d+), (\d+), (\d+)\?$`, question)
	if err != nil {
		return false, "", err
	}
	w, x, y, z := number(m[0]), number(m[1]), number(m[2]), number(m[3])
	var next int
	var rule string
	switch {
	case x-w == y-x && y-x == z-y && z > y:
		next, rule = 2*z-y, fmt.Sprintf("%d plus %d", z, z-y)
	case x-w == y-x && y-x == z-y && z < y:
		next, rule = 2*z-y, fmt.Sprintf("%d minus %d", z, y-z)
	case x == 2*w && y == 2*x && z == 2*y:
		next, rule = 2*z, fmt.Sprintf("%d doubled", z)
	default:
		return false, "", fmt.Errorf("no rule fits %q", question)
	}
	if number(option) == next {
		return true, rule + " is " + option, nil
	}
	return false, rule + " is not " + option, nil
}

func solveOrdering(question, option string, all []string) (bool, string, error) {
	m, err := match(`^Which number is the (largest|smallest)\?$`, question)
	if err != nil {
		return false, "", err
	}
	best, word := number(all[0]), "less"
	for _, other := range all {
		if m[0] == "largest" {
			best = max(best, number(other))
		} else {
			best, word = min(best, number(other)), "more"
		}
	}
	if number(option) == best {
		return true, fmt.Sprintf("all others are %s than %d", word, best), nil
	}
	return false, fmt.Sprintf("%s is %s than %d", option, word, best), nil
}

const substancesByColour = `
red:    vellium ferrol halvon cinnor
blue:   korbin quintal zephrine dexite
green:  tasmite maridon viridon jadrel
white:  ordane lactine albane kaolen
black:  plexor umbrite noctane charine
yellow: nimbrel citrane xanthol flavite
brown:  gravone bardol fuscine terrane
pink:   sulphen rosene carmel wolmine`

const substancesByForm = `
solid:  gravone korbin nimbrel ordane plexor sulphen tasmite vellium
liquid: bardol citrane ferrol lactine maridon quintal rosene umbrite
gas:    albane carmel fuscine halvon noctane viridon xanthol zephrine
powder: charine cinnor dexite flavite jadrel kaolen terrane wolmine`

// heading finds the line of a table that lists the word and returns its heading.
func heading(table, word string) (string, error) {
	for _, line := range strings.Split(strings.TrimSpace(table), "\n") {
		head, listed, _ := strings.Cut(line, ":")
		for _, w := range strings.Fields(listed) {
			if w == word {
				return head, nil
			}
		}
	}
	return "", fmt.Errorf("%q is not in the table", word)
}

func solveSubstances(question, option string, _ []string) (bool, string, error) {
	if m, err := match(`^What is the colour of (\w+)\?$`, question); err == nil {
		colour, err := heading(substancesByColour, m[0])
		if option == colour {
			return true, m[0] + " is " + option, err
		}
		return false, m[0] + " is not " + option, err
	}
	m, err := match(`^Which substance is (a )?(?:(red|blue|green|white|black|yellow|brown|pink) ?)?(solid|liquid|gas|powder)?\?$`, question)
	if err != nil {
		return false, "", err
	}
	colour, err := heading(substancesByColour, option)
	if err != nil {
		return false, "", err
	}
	form, err := heading(substancesByForm, option)
	var words []string
	if m[1] != "" {
		words = append(words, colour)
	}
	if m[2] != "" {
		words = append(words, form)
	}
	property := m[0] + strings.Join(words, " ")
	return question == "Which substance is "+property+"?", option + " is " + property, err
}

func solveLogic(question, option string, _ []string) (bool, string, error) {
	m, err := match(`^(.*)\. (\w+) is a (\w+)\. What colour is (\w+)\?$`, question)
	if err != nil {
		return false, "", err
	}
	if m[1] != m[3] {
		return false, "", fmt.Errorf("%s is asked about and %s described", m[3], m[1])
	}
	why, right := "nothing here is "+option, false
	for _, rule := range strings.Split(m[0], ". ") {
		r, err := match(`^Every (\w+) is (\w+)$`, rule)
		if err != nil {
			return false, "", err
		}
		if r[1] != option {
			continue
		}
		if r[0] == m[2] {
			right, why = true, fmt.Sprintf("%s is a %s and every %s is %s", m[1], m[2], m[2], option)
		} else {
			why = fmt.Sprintf("every %s is %s but %s is a %s", r[0], option, m[1], m[2])
		}
	}
	return right, why, nil
}

const antonymList = `hot cold, big small, tall short, fast slow, young old, rich poor, wet dry, light dark, guilty innocent, full empty,
open shut, early late, loud quiet, sweet bitter, clean dirty, near far, deep shallow, wide narrow, strong weak, brave afraid,
polite rude, sharp blunt, smooth rough, awake asleep, alive dead, cheap costly, true false, simple complex, kind cruel, lost found`

func antonym(word string) (string, error) {
	for _, pair := range strings.Split(antonymList, ",") {
		two := strings.Fields(pair)
		switch word {
		case two[0]:
			return two[1], nil
		case two[1]:
			return two[0], nil
		}
	}
	return "", fmt.Errorf("%q has no opposite in the list", word)
}

func solveAntonyms(question, option string, _ []string) (bool, string, error) {
	m, err := match(`^What is the opposite of (\w+)\?$`, question)
	if err != nil {
		return false, "", err
	}
	opposite, err := antonym(option)
	return opposite == m[0], option + " is the opposite of " + opposite, err
}

func solveKinship(question, option string, _ []string) (bool, string, error) {
	m, err := match(`^(\w+) is the (\w+) of (\w+)\. (\w+) is the (?:mother|father) of (\w+)\. What is (\w+) to (\w+)\?$`, question)
	if err != nil {
		return false, "", err
	}
	if m[2] != m[3] || m[0] != m[5] || m[4] != m[6] || m[0] == m[2] || m[0] == m[4] || m[2] == m[4] {
		return false, "", fmt.Errorf("the people do not connect in %q", question)
	}
	ofParent := map[string]string{"a grandmother": "mother", "a grandfather": "father", "an aunt": "sister", "an uncle": "brother"}
	for with, of := range ofParent {
		if strings.HasSuffix(with, " "+option) {
			if of == m[1] {
				return true, "the " + of + " of a parent is " + with, nil
			}
			return false, with + " is the " + of + " of a parent", nil
		}
		if option == of {
			return false, "a " + option + " is one step away and " + m[0] + " is two", nil
		}
	}
	return false, "", fmt.Errorf("%q is not a known relation", option)
}

const wordsByCategory = `
an animal:     camel goat lion monkey mouse pig rabbit sheep tiger wolf
a fruit:       apple banana cherry grape lemon mango melon peach pear plum
a tool:        axe chisel drill hammer mallet rake saw shovel spade wrench
a vehicle:     bicycle boat bus car plane ship train tram truck van
an instrument: banjo cello drum flute guitar harp organ piano trumpet violin
a garment:     coat dress glove jacket scarf shirt skirt sock sweater vest
a drink:       beer cider cocoa coffee juice lemonade milk tea water wine
a building:    barn castle church hotel library museum palace school temple tower`

func solveCategories(question, option string, all []string) (bool, string, error) {
	own, err := heading(wordsByCategory, option)
	if err != nil {
		return false, "", err
	}
	if m, err := match(`^Which word is (an? \w+)\?$`, question); err == nil {
		return own == m[0], option + " is " + own, nil
	}
	times := map[string]int{}
	for _, other := range all {
		category, err := heading(wordsByCategory, other)
		if err != nil {
			return false, "", err
		}
		times[category]++
	}
	common := ""
	for category, n := range times {
		if n == len(all)-1 {
			common = category
		}
	}
	if question != "Which word is the odd one out?" && question != "Which word is not "+common+"?" {
		return false, "", fmt.Errorf("question %q does not fit options %v", question, all)
	}
	if own == common {
		return false, option + " is " + own, nil
	}
	return true, option + " is " + own + " and not " + common, nil
}

// feelingOf finds a feeling by words of the event, its cause by the feeling.
var feelingOf = []struct{ feeling, cause, event string }{
	{"angry", "an insult", `was (mocked by a rival|called a liar|cheated at cards|pushed on purpose)`},
	{"bored", "an empty hour", `had nothing to do|waited for hours in a hall|stared at a blank wall|heard the same talk again`},
	{"grateful", "a kindness", `got help from a stranger|received a lovely gift|was given a free ride|was nursed by a neighbour`},
	{"hungry", "lack of food", `skipped lunch and dinner|ate nothing all day|left the bread at home|found the kitchen empty`},
	{"proud", "a success", `won the race|passed the hard test|built a fine table|scored the best goal`},
	{"sad", "a loss", `lost an old friend|mourned an old uncle|buried the family dog|said farewell for ever`},
	{"scared", "a danger", `met a wolf|saw the house on fire|heard a thief at night|stood under falling rocks`},
	{"sorry", "a fault of one's own", `broke a cup of a friend|forgot a birthday|told a lie to a friend|stepped on a foot`},
	{"thirsty", "lack of water", `had nothing to drink|ran out of water|forgot the bottle on a hot hike|ate salt without a drink`},
	{"tired", "lack of sleep", `stayed awake all night|got up at three|did not sleep on the train|worked through the night`},
}

func solveFeelings(question, option string, _ []string) (bool, string, error) {
	m, err := match(`^(\w+) (.*)\. How does (\w+) feel\?$`, question)
	if err != nil {
		return false, "", err
	}
	if m[0] != m[2] {
		return false, "", fmt.Errorf("%s is asked about in %q", m[2], question)
	}
	for _, f := range feelingOf {
		if f.feeling != option {
			continue
		}
		if pattern(`^(` + f.event + `)$`).MatchString(m[1]) {
			return true, f.cause + " makes one " + option, nil
		}
		return false, option + " comes from " + f.cause, nil
	}
	return false, "", fmt.Errorf("%q is not a known feeling", option)
}

func solvePlaces(question, option string, _ []string) (bool, string, error) {
	m, err := match(`^(\w+) lives in (\w+)\. (\w+) lives in (\w+)\. (\w+) lives in (\w+)\. (?:Where does (\w+) live|Who lives in (\w+))\?$`, question)
	if err != nil {
		return false, "", err
	}
	asked := m[6] + m[7]
	for i := 0; i < 6; i += 2 {
		who, where := m[i], m[i+1]
		if fact := who + " lives in " + where; option == who || option == where {
			return asked == who || asked == where, fact, nil
		}
	}
	if m[6] != "" {
		return false, "nobody here lives in " + option, nil
	}
	return false, "nothing is said of " + option, nil
}
