package generate

import (
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/attune-lab/attune/pkg/corpus"
)

// DrawGraded: easy, one step from its other side, beside two friends; medium, two steps; hard, three. Wrong options have the wrong sex, or a step too few, or another line.
func (k kinship) DrawGraded(r *rand.Rand, g corpus.Grade) Draft {
	switch g {
	case corpus.Easy:
		return otherSide(r)
	case corpus.Medium:
		return k.Draw(r)
	}
	asked := pick(r, relations)
	people := names
	for _, sex := range [][]string{women, men} {
		if asked.woman == (sex[0] == women[0]) {
			people = sex
		}
	}
	chain := []string{pick(r, people)}
	facts := ""
	of := asked.of
	for i := range 3 {
		next := sample(r, names, 1, chain...)[0]
		facts += chain[i] + " is the " + of + " of " + next + ". "
		chain = append(chain, next)
		of = "father"
		if slices.Contains(women, next) {
			of = "mother"
		}
	}
	d := Draft{
		Question: facts + "What is " + chain[0] + " to " + chain[3] + "?",
		Key:      strings.TrimSpace(facts),
		Right:    Choice{"great-" + asked.name, "the " + asked.of + " of a grandparent is a great-" + asked.name},
	}
	var wrong []Choice
	for _, other := range relations {
		if other != asked {
			wrong = append(wrong, Choice{"great-" + other.name, "a great-" + other.name + " is the " + other.of + " of a grandparent"})
		}
		wrong = append(wrong, Choice{other.name, withArticle(other.name) + " is the " + other.of + " of a parent"})
	}
	copy(d.Wrong[:], sample(r, wrong, len(d.Wrong)))
	return d
}

// kinLinks: if a is the `woman` or `man` of b, then b is the otherWoman or otherMan of a.
var kinLinks = []struct{ woman, man, otherWoman, otherMan string }{
	{"mother", "father", "daughter", "son"},
	{"daughter", "son", "mother", "father"},
	{"sister", "brother", "sister", "brother"},
}

func otherSide(r *rand.Rand) Draft {
	link := pick(r, kinLinks)
	four := sample(r, names, 4)
	a, b := four[0], four[1]
	is := link.man
	if slices.Contains(women, a) {
		is = link.woman
	}
	right, sex, wrongSex := link.otherMan, b+" is a man", link.otherWoman
	if slices.Contains(women, b) {
		right, sex, wrongSex = link.otherWoman, b+" is a woman", link.otherMan
	}
	other := "the other side of " + is + " is " + link.otherMan + " or " + link.otherWoman
	facts := []string{a + " is the " + is + " of " + b + ".", four[2] + " is a friend of " + four[3] + "."}
	r.Shuffle(len(facts), func(i, j int) { facts[i], facts[j] = facts[j], facts[i] })
	d := Draft{Question: strings.Join(facts, " ") + " What is " + b + " to " + a + "?", Key: setKey(facts), Right: Choice{right, other + " and " + sex}}
	d.Wrong[0] = Choice{wrongSex, sex}
	all := []string{"mother", "father", "daughter", "son", "sister", "brother"}
	for i, word := range sample(r, all, 2, right, wrongSex) {
		d.Wrong[i+1] = Choice{word, other}
	}
	return d
}

// DrawGraded: easy, how one person feels; medium, how one of two feels, with the feeling of the other among the options; hard, which of three
// people has a feeling.
func (f feelings) DrawGraded(r *rand.Rand, g corpus.Grade) Draft {
	if g == corpus.Easy {
		return f.Draw(r)
	}
	drawn := r.Perm(len(feelingTable))[:4]
	people := 2
	if g == corpus.Hard {
		people = 3
	}
	who := sample(r, names, people+1)
	events, facts, passage := make([]string, people), make([]string, people), ""
	for i := range people {
		events[i] = pick(r, feelingTable[drawn[i]].events)
		facts[i] = who[i] + " " + events[i]
		passage += facts[i] + ". "
	}
	asked := r.IntN(people)
	felt := feelingTable[drawn[asked]]
	if g == corpus.Hard {
		d := Draft{
			Question: passage + "Who feels " + felt.name + "?",
			Key:      setKey(facts),
			Right:    Choice{who[asked], facts[asked] + " and " + felt.cause + " makes one " + felt.name},
		}
		d.Wrong[0] = Choice{who[people], "nothing is said of " + who[people]}
		wrong := 1
		for i := range people {
			if i != asked {
				d.Wrong[wrong] = Choice{who[i], facts[i]}
				wrong++
			}
		}
		return d
	}
	d := Draft{Question: passage + "How does " + who[asked] + " feel?", Right: Choice{felt.name, felt.cause + " makes one " + felt.name}}
	options := []string{felt.name}
	for i, other := range []int{drawn[1-asked], drawn[2], drawn[3]} {
		wrong := feelingTable[other]
		why := wrong.name + " comes from " + wrong.cause
		if i == 0 {
			why = wrong.name + " is how " + who[1-asked] + " feels"
		}
		d.Wrong[i] = Choice{wrong.name, why}
		options = append(options, wrong.name)
	}
	d.Key = events[asked] + setKey(events) + setKey(options)
	return d
}

// DrawGraded: easy, a rule and what it says of its kind; medium, a rule applied to an individual; hard, which of two rules applies follows from what the
// individual is not.
func (l logic) DrawGraded(r *rand.Rand, g corpus.Grade) Draft {
	if g == corpus.Medium {
		return l.Draw(r)
	}
	const rules = 3
	ruled, painted := sample(r, kinds, rules), sample(r, colours, rules)
	facts, passage := make([]string, rules), ""
	for i := range rules {
		facts[i] = "every " + ruled[i] + " is " + painted[i]
		passage += "Every " + ruled[i] + " is " + painted[i] + ". "
	}
	asked := r.IntN(rules)
	unsaid := sample(r, colours, 1, painted...)[0]
	d := Draft{}
	d.Wrong[0] = Choice{unsaid, "nothing here is " + unsaid}
	if g == corpus.Easy {
		d.Question, d.Key = passage+"What colour is a "+ruled[asked]+"?", "kind"+setKey(facts)
		wrong := 1
		for i := range rules {
			if i == asked {
				d.Right = Choice{painted[i], facts[i]}
				continue
			}
			d.Wrong[wrong] = Choice{painted[i], painted[i] + " is the colour of a " + ruled[i]}
			wrong++
		}
		return d
	}
	name, not := pick(r, names), (asked+1+r.IntN(rules-1))%rules
	two := []string{ruled[asked], ruled[not]}
	r.Shuffle(2, func(i, j int) { two[i], two[j] = two[j], two[i] })
	isNot := name + " is not a " + ruled[not]
	d.Question = passage + name + " is a " + two[0] + " or a " + two[1] + ". " + isNot + ". What colour is " + name + "?"
	d.Key = "or" + setKey(facts) + "|" + setKey(two) + isNot
	wrong := 1
	for i := range rules {
		switch i {
		case asked:
			d.Right = Choice{painted[i], isNot + ", so " + name + " is a " + ruled[i] + ", and " + facts[i]}
			continue
		case not:
			d.Wrong[wrong] = Choice{painted[i], facts[i] + " but " + isNot}
		default:
			d.Wrong[wrong] = Choice{painted[i], facts[i] + " but " + name + " is a " + ruled[asked]}
		}
		wrong++
	}
	return d
}

// DrawGraded: easy, where one of two people lives; medium, where one of three lives or who lives somewhere; hard, where one of three lives now that one
// of them has moved.
func (p places) DrawGraded(r *rand.Rand, g corpus.Grade) Draft {
	switch g {
	case corpus.Medium:
		return p.Draw(r)
	case corpus.Hard:
		return moved(r)
	}
	who, where := sample(r, names, 2), sample(r, towns, 4)
	facts := []string{who[0] + " lives in " + where[0], who[1] + " lives in " + where[1]}
	asked := r.IntN(2)
	d := Draft{
		Question: facts[0] + ". " + facts[1] + ". Where does " + who[asked] + " live?",
		Key:      "two" + setKey(facts),
		Right:    Choice{where[asked], facts[asked]},
	}
	d.Wrong = [3]Choice{{where[1-asked], facts[1-asked]}, {where[2], "nobody here lives in " + where[2]}, {where[3], "nobody here lives in " + where[3]}}
	return d
}

func moved(r *rand.Rand) Draft {
	const people = 3
	who, where := sample(r, names, people), sample(r, towns, people+1)
	mover, asked := r.IntN(people), r.IntN(people)
	if r.IntN(2) == 0 {
		asked = mover
	}
	to := where[people]
	facts, passage := make([]string, people), ""
	choices := make([]Choice, people, people+1)
	for i := range people {
		facts[i] = who[i] + " lives in " + where[i]
		passage += facts[i] + ". "
		choices[i] = Choice{where[i], facts[i]}
	}
	move := who[mover] + " moves to " + to
	choices[mover].Why = who[mover] + " lived in " + where[mover] + " before"
	choices = append(choices, Choice{to, who[mover] + " moved to " + to})
	right := asked
	if asked == mover {
		right = people
	}
	d := Draft{Question: passage + move + ". Where does " + who[asked] + " live now?", Key: setKey(append(facts, move)), Right: choices[right]}
	copy(d.Wrong[:], slices.Delete(choices, right, right+1))
	return d
}
