package corpus

import "math/rand/v2"

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
