package corpus

import "math/rand/v2"

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
