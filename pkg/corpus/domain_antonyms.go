package corpus

import "math/rand/v2"

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
