package corpus

import "math/rand/v2"

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
