package generate

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Domain draws questions of one kind. Adding a domain to the generator is a value of this interface in [domains].
type Domain interface {
	Name() string
	STEM() bool
	// Draw makes a question from the random stream and nothing else, so that the same stream gives the same question everywhere.
	Draw(r *rand.Rand) Draft
}

// Draft is a question before its options are shuffled and lettered.
type Draft struct {
	Question string
	// Key names the combination that the item tests, e.g. "5 plus 7" for both "What is 5 plus 7?" and "What is 7 plus 5?".
	// It must follow from the question and the set of options. Items with one key are all in the same split.
	Key   string
	Right Choice
	Wrong [3]Choice
}

// Choice is an option and the clause that says why it is right or wrong.
type Choice struct{ Text, Why string }

// domains in the order in which they take turns in a corpus: STEM and not, alternating.
var domains = []Domain{
	arithmetic{}, antonyms{},
	sequence{}, kinship{},
	ordering{}, categories{},
	substances{}, feelings{},
	logic{}, places{},
	units{}, calendar{},
}

// firstEdition is how many of the domains the generator had when the first models were trained on it. Their ungraded items stay as they were
// then, so that such a model is still measured on what it was not trained on.
const firstEdition = 10

// Domains lists the generator's domains in order.
func Domains() []Domain { return append([]Domain(nil), domains...) }

// selectDomains finds domains by name; none named means all of them, or those of the first edition.
func selectDomains(names []string, graded bool) ([]Domain, error) {
	if len(names) == 0 {
		if graded {
			return domains, nil
		}
		return domains[:firstEdition], nil
	}
	known := make([]string, len(domains))
	byName := make(map[string]Domain, len(domains))
	for i, d := range domains {
		known[i] = d.Name()
		byName[d.Name()] = d
	}
	var chosen []Domain
	for _, name := range names {
		d, ok := byName[name]
		if !ok {
			return nil, fmt.Errorf("corpus: unknown or repeated domain %q: choose among %s, each once", name, strings.Join(known, ", "))
		}
		delete(byName, name)
		chosen = append(chosen, d)
	}
	return chosen, nil
}

// pick draws one element.
func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// sample draws k different elements of `from` that are not in `except`; from must hold that many.
func sample[T comparable](r *rand.Rand, from []T, k int, except ...T) []T {
	chosen := make([]T, 0, k+len(except))
	chosen = append(chosen, except...)
	for len(chosen) < k+len(except) {
		candidate := pick(r, from)
		if !contains(chosen, candidate) {
			chosen = append(chosen, candidate)
		}
	}
	return chosen[len(except):]
}

func contains[T comparable](list []T, x T) bool {
	for _, y := range list {
		if x == y {
			return true
		}
	}
	return false
}

// nearMisses draws three different numbers, none of them negative or equal to n, at most 12 away from it.
func nearMisses(r *rand.Rand, n int) [3]int {
	const reach = 12
	var misses [3]int
	for i := 0; i < len(misses); {
		offset := 1 + r.IntN(reach)
		if r.IntN(2) == 0 {
			offset = -offset
		}
		miss := n + offset
		if miss < 0 || contains(misses[:i], miss) {
			continue
		}
		misses[i] = miss
		i++
	}
	return misses
}

// withArticle puts "a" or "an" before a word of this package's lists.
func withArticle(word string) string {
	if strings.ContainsRune("aeiou", rune(word[0])) {
		return "an " + word
	}
	return "a " + word
}

// The people of the stories: short names, each a common word of the corpus.
var (
	women = []string{"Ana", "Eva", "Ida", "Lena", "Mia", "Nora", "Rosa", "Sara"}
	men   = []string{"Ben", "Finn", "Hugo", "Ivan", "Karl", "Leo", "Omar", "Tom"}
	names = append(append([]string(nil), women...), men...)
)

var colours = []string{"red", "blue", "green", "white", "black", "yellow", "brown", "pink"}
