package generate

import (
	"fmt"
	"math/rand/v2"
	"strconv"

	"github.com/attune-lab/attune/pkg/corpus"
)

// antonyms asks for the opposite of a word of a fixed list.
type antonyms struct{}

func (antonyms) Name() string { return "antonyms" }
func (antonyms) STEM() bool   { return false }

// opposites holds no two pairs of like meaning (not both big/small and large/little), so that only one option can be right.
var opposites = [][2]string{
	{"hot", "cold"}, {"big", "small"}, {"tall", "short"}, {"fast", "slow"}, {"young", "old"}, {"rich", "poor"},
	{"wet", "dry"}, {"light", "dark"}, {"guilty", "innocent"}, {"full", "empty"}, {"open", "shut"}, {"early", "late"},
	{"loud", "quiet"}, {"sweet", "bitter"}, {"clean", "dirty"}, {"near", "far"}, {"deep", "shallow"}, {"wide", "narrow"},
	{"strong", "weak"}, {"brave", "afraid"}, {"polite", "rude"}, {"sharp", "blunt"}, {"smooth", "rough"}, {"awake", "asleep"},
	{"alive", "dead"}, {"cheap", "costly"}, {"true", "false"}, {"simple", "complex"}, {"kind", "cruel"}, {"lost", "found"},
}

func (antonyms) Draw(r *rand.Rand) Draft {
	pairs := sample(r, opposites, 4)
	// In each pair one word, by chance: of the first it is asked, of the others offered with its own opposite as the reason.
	side := r.IntN(2)
	word, opposite := pairs[0][side], pairs[0][1-side]
	d := Draft{
		Question: "What is the opposite of " + word + "?",
		Right:    Choice{opposite, opposite + " is the opposite of " + word},
	}
	options := []string{opposite}
	for i, pair := range pairs[1:] {
		side := r.IntN(2)
		d.Wrong[i] = Choice{pair[side], pair[side] + " is the opposite of " + pair[1-side]}
		options = append(options, pair[side])
	}
	d.Key = word + setKey(options)
	return d
}

// kinship states two steps of a family and asks how its ends are related.
type kinship struct{}

func (kinship) Name() string { return "kinship" }
func (kinship) STEM() bool   { return false }

// relation composes: the `of` of a parent is the `name`.
type relation struct {
	name, of string
	woman    bool
}

var relations = []relation{
	{"grandmother", "mother", true}, {"grandfather", "father", false},
	{"aunt", "sister", true}, {"uncle", "brother", false},
}

func (kinship) Draw(r *rand.Rand) Draft {
	asked := pick(r, relations)
	eldest := pick(r, men)
	if asked.woman {
		eldest = pick(r, women)
	}
	middle, parent := sample(r, men, 1, eldest)[0], "father"
	if r.IntN(2) == 0 {
		middle, parent = sample(r, women, 1, eldest)[0], "mother"
	}
	child := sample(r, names, 1, eldest, middle)[0]

	facts := eldest + " is the " + asked.of + " of " + middle + ". " + middle + " is the " + parent + " of " + child + "."
	d := Draft{
		Question: facts + " What is " + eldest + " to " + child + "?",
		Key:      facts,
		Right:    Choice{asked.name, "the " + asked.of + " of a parent is " + withArticle(asked.name)},
	}
	// Of the eight relation words, any three besides the right one: four name two steps, four only one.
	var wrong []Choice
	for _, other := range relations {
		if other != asked {
			wrong = append(wrong, Choice{other.name, withArticle(other.name) + " is the " + other.of + " of a parent"})
		}
		wrong = append(wrong, Choice{other.of, withArticle(other.of) + " is one step away and " + eldest + " is two"})
	}
	copy(d.Wrong[:], sample(r, wrong, len(d.Wrong)))
	return d
}

// categories asks which word is in a category, which is not, and which of four is the odd one out.
type categories struct{}

func (categories) Name() string { return "categories" }
func (categories) STEM() bool   { return false }

type category struct {
	name  string
	words []string
}

// categoryTable: a word is in one category only.
var categoryTable = []category{
	{"animal", []string{"lion", "sheep", "goat", "tiger", "mouse", "rabbit", "monkey", "camel", "wolf", "pig"}},
	{"fruit", []string{"apple", "pear", "plum", "cherry", "lemon", "banana", "mango", "grape", "peach", "melon"}},
	{"tool", []string{"hammer", "saw", "drill", "wrench", "axe", "spade", "rake", "chisel", "mallet", "shovel"}},
	{"vehicle", []string{"car", "bus", "train", "truck", "ship", "plane", "tram", "bicycle", "boat", "van"}},
	{"instrument", []string{"piano", "violin", "flute", "drum", "guitar", "harp", "trumpet", "cello", "organ", "banjo"}},
	{"garment", []string{"shirt", "coat", "skirt", "scarf", "glove", "sock", "jacket", "dress", "sweater", "vest"}},
	{"drink", []string{"water", "milk", "juice", "tea", "coffee", "wine", "beer", "cocoa", "lemonade", "cider"}},
	{"building", []string{"school", "church", "castle", "tower", "barn", "hotel", "museum", "palace", "temple", "library"}},
}

func (categories) Draw(r *rand.Rand) Draft {
	var d Draft
	var options []string
	add := func(i int, word, why string) {
		d.Wrong[i] = Choice{word, word + " is " + why}
		options = append(options, word)
	}
	group := r.IntN(len(categoryTable))
	asked := categoryTable[group]
	is := withArticle(asked.name)
	// otherGroup is any category but the asked one.
	otherGroup := func() category {
		return categoryTable[(group+1+r.IntN(len(categoryTable)-1))%len(categoryTable)]
	}
	form := r.IntN(3)
	if form == 0 {
		d.Question = "Which word is " + is + "?"
		word := pick(r, asked.words)
		d.Right = Choice{word, word + " is " + is}
		options = []string{word}
		for i := 0; i < len(d.Wrong); {
			other := otherGroup()
			if word := pick(r, other.words); !contains(options, word) {
				add(i, word, withArticle(other.name))
				i++
			}
		}
	} else {
		d.Question = "Which word is not " + is + "?"
		if form == 1 {
			d.Question = "Which word is the odd one out?"
		}
		other := otherGroup()
		word := pick(r, other.words)
		d.Right = Choice{word, word + " is " + withArticle(other.name) + " and not " + is}
		options = []string{word}
		for i, word := range sample(r, asked.words, len(d.Wrong)) {
			add(i, word, is)
		}
	}
	// The question is not part of the key: four words are in one split whatever is asked about them.
	d.Key = setKey(options)
	return d
}

// feelings tells what happened to someone and asks how that person feels: everyday cause and effect.
type feelings struct{}

func (feelings) Name() string { return "feelings" }
func (feelings) STEM() bool   { return false }

type feeling struct {
	name, cause string
	events      []string // each has this cause and none of the others'
}

var feelingTable = []feeling{
	{"tired", "lack of sleep", []string{"stayed awake all night", "got up at three", "did not sleep on the train", "worked through the night"}},
	{"hungry", "lack of food", []string{"skipped lunch and dinner", "ate nothing all day", "left the bread at home", "found the kitchen empty"}},
	{"thirsty", "lack of water", []string{"had nothing to drink", "ran out of water", "forgot the bottle on a hot hike", "ate salt without a drink"}},
	{"proud", "a success", []string{"won the race", "passed the hard test", "built a fine table", "scored the best goal"}},
	{"sad", "a loss", []string{"lost an old friend", "mourned an old uncle", "buried the family dog", "said farewell for ever"}},
	{"scared", "a danger", []string{"met a wolf", "saw the house on fire", "heard a thief at night", "stood under falling rocks"}},
	{"grateful", "a kindness", []string{"got help from a stranger", "received a lovely gift", "was given a free ride", "was nursed by a neighbour"}},
	{"bored", "an empty hour", []string{"had nothing to do", "waited for hours in a hall", "stared at a blank wall", "heard the same talk again"}},
	{"angry", "an insult", []string{"was mocked by a rival", "was called a liar", "was cheated at cards", "was pushed on purpose"}},
	{"sorry", "a fault of one's own", []string{"broke a cup of a friend", "forgot a birthday", "told a lie to a friend", "stepped on a foot"}},
}

func (feelings) Draw(r *rand.Rand) Draft {
	drawn := r.Perm(len(feelingTable))[:4]
	asked := feelingTable[drawn[0]]
	name, event := pick(r, names), pick(r, asked.events)
	d := Draft{
		Question: name + " " + event + ". How does " + name + " feel?",
		Right:    Choice{asked.name, asked.cause + " makes one " + asked.name},
	}
	options := []string{asked.name}
	for i, other := range drawn[1:] {
		wrong := feelingTable[other]
		d.Wrong[i] = Choice{wrong.name, wrong.name + " comes from " + wrong.cause}
		options = append(options, wrong.name)
	}
	d.Key = event + setKey(options) // whoever it happened to
	return d
}

// places tells where three people live and asks for one of the facts, in either direction.
type places struct{}

func (places) Name() string { return "places" }
func (places) STEM() bool   { return false }

var towns = []string{"Rome", "Oslo", "Paris", "Cairo", "Lima", "Delhi", "Tokyo", "Quito", "Bern", "Riga", "Accra", "Dakar"}

func (places) Draw(r *rand.Rand) Draft {
	const people = 3
	who, where := sample(r, names, people), sample(r, towns, people)
	asked := r.IntN(people)
	facts, passage := make([]string, people), ""
	for i := range people {
		facts[i] = who[i] + " lives in " + where[i]
		passage += facts[i] + ". "
	}
	d := Draft{Key: setKey(facts)} // all questions about one passage are in one split
	// The fourth option is not mentioned in the passage.
	ask, offered, stranger := "Where does "+who[asked]+" live?", where, sample(r, towns, 1, where...)[0]
	unsaid := "nobody here lives in " + stranger
	if r.IntN(2) == 0 {
		ask, offered, stranger = "Who lives in "+where[asked]+"?", who, sample(r, names, 1, who...)[0]
		unsaid = "nothing is said of " + stranger
	}
	d.Question = passage + ask
	d.Wrong[0] = Choice{stranger, unsaid}
	wrong := 1
	for i := range people {
		choice := Choice{offered[i], facts[i]}
		if i == asked {
			d.Right = choice
			continue
		}
		d.Wrong[wrong] = choice
		wrong++
	}
	return d
}

// calendar counts days of the week from one visit to another.
type calendar struct{}

func (calendar) Name() string { return "calendar" }
func (calendar) STEM() bool   { return false }

var weekdays = []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}

// Draw is the easy grade.
func (c calendar) Draw(r *rand.Rand) Draft { return c.DrawGraded(r, corpus.Easy) }

// DrawGraded: easy, up to six days on; medium, more than a week on; hard, some days on and then some back, with the day between among the options.
func (calendar) DrawGraded(r *rand.Rand, g corpus.Grade) Draft {
	week := len(weekdays)
	first := r.IntN(week)
	who := sample(r, names, 3)
	came := weekdays[first]
	on, back := 1+r.IntN(week-1), 0
	last := who[1]
	question := func(on int) string {
		return fmt.Sprintf("%s came on %s. %s came %s after %s.", who[0], came, who[1], days(on), who[0])
	}
	var text, reason string
	switch g {
	case corpus.Medium:
		rest := on
		weeks := 1 + r.IntN(3)
		on += week * weeks
		text = question(on)
		reason = fmt.Sprintf("%d days are %s and %s, and ", on, plural(weeks, "week"), days(rest))
	case corpus.Hard:
		back = 1 + r.IntN(week-1)
		if back == on {
			back = on%(week-1) + 1
		}
		last = who[2]
		text = question(on) + fmt.Sprintf(" %s came %s before %s.", last, days(back), who[1])
		net, way := on-back, "on"
		if net < 0 {
			net, way = -net, "back"
		}
		reason = fmt.Sprintf("%d on and %d back is %d %s, and ", on, back, net, way)
	default:
		text = question(on)
	}
	right := (first + on - back + week) % week
	middle := (first + on) % week
	is := func(day int) string {
		switch {
		case day == first:
			return weekdays[day] + " is the day " + who[0] + " came"
		case g == corpus.Hard && day == middle:
			return weekdays[day] + " is the day " + who[1] + " came"
		}
		return weekdays[day] + " is " + days((day-first+week)%week) + " after " + came
	}
	d := Draft{
		Question: text + " On which day did " + last + " come?",
		Right:    Choice{weekdays[right], reason + weekdays[right] + " is " + days((right-first+week)%week) + " after " + came},
	}
	options := []int{right}
	if g == corpus.Hard {
		options = append(options, middle)
	}
	offered := make([]string, 0, 4)
	for len(options) < 4 {
		if day := r.IntN(week); !contains(options, day) {
			options = append(options, day)
		}
	}
	for i, day := range options[1:] {
		d.Wrong[i] = Choice{weekdays[day], is(day)}
		offered = append(offered, weekdays[day])
	}
	// Whoever came: the days decide. The options count so that there are enough combinations to hold some out.
	d.Key = came + " " + strconv.Itoa(on) + " " + strconv.Itoa(back) + setKey(offered)
	return d
}

func days(n int) string { return plural(n, "day") }

func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + one + "s"
}
