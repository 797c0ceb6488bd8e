package corpus

import (
	"math/rand/v2"
	"slices"
	"strings"
)

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
