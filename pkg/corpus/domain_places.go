package corpus

import "math/rand/v2"

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
