package generate

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/attune-lab/attune/pkg/corpus"
)

// Graded is a domain that draws at each grade. No item of one grade can be drawn at another, and a combination (its key) is in one split
// whatever the grade.
type Graded interface {
	Domain
	DrawGraded(r *rand.Rand, g corpus.Grade) Draft
}

// lane is what takes its turn in a corpus: a domain, at a grade or (grade "") as its Draw has it.
type lane struct {
	Domain
	grade corpus.Grade
}

// lanes orders the turns: all domains at the first grade, then at the next.
func lanes(domains []Domain, grades []corpus.Grade) ([]lane, error) {
	if len(grades) == 0 {
		grades = []corpus.Grade{""}
	}
	var all []lane
	for i, g := range grades {
		if g != "" && !slices.Contains(corpus.Grades(), g) || slices.Contains(grades[:i], g) {
			return nil, fmt.Errorf("corpus: unknown or repeated grade %q: choose among %v, each once", g, corpus.Grades())
		}
		for _, d := range domains {
			if _, graded := d.(Graded); g != "" && !graded {
				return nil, fmt.Errorf("corpus: domain %s has no grades", d.Name())
			}
			all = append(all, lane{d, g})
		}
	}
	return all, nil
}

// draw makes a draft of the lane.
func (l lane) draw(r *rand.Rand) Draft {
	if l.grade == "" {
		return l.Draw(r)
	}
	return l.Domain.(Graded).DrawGraded(r, l.grade)
}

// purpose names a random stream of the lane. Without a grade it is the plain one, so that ungraded items stay what they always were.
func (l lane) purpose(of string) string {
	if l.grade == "" {
		return of
	}
	return of + "/" + string(l.grade)
}

// id names an item.
func (l lane) id(s split, index int) string {
	id := l.Name() + "/"
	if l.grade != "" {
		id += string(l.grade) + "/"
	}
	return id + string(s) + "/" + strconv.Itoa(index)
}

// label names the lane in an error.
func (l lane) label() string { return strings.TrimSpace(l.Name() + " " + string(l.grade)) }

// drawWhere draws again until the draft is as wanted; the domains that use it want a fixed share of their draws.
func drawWhere(r *rand.Rand, draw func(*rand.Rand) Draft, wanted func(Draft) bool) Draft {
	for {
		if d := draw(r); wanted(d) {
			return d
		}
	}
}

// mistakes chooses three different wrong numbers among candidates, each the result of a mistake that `why` names. There must be three that
// are not negative and not right.
func mistakes(r *rand.Rand, right int, candidates []int, why func(int) string) (wrong [3]Choice) {
	var numbers []int
	for _, c := range candidates {
		if c >= 0 && c != right && !slices.Contains(numbers, c) {
			numbers = append(numbers, c)
		}
	}
	r.Shuffle(len(numbers), func(i, j int) { numbers[i], numbers[j] = numbers[j], numbers[i] })
	for i := range wrong {
		wrong[i] = Choice{strconv.Itoa(numbers[i]), why(numbers[i])}
	}
	return wrong
}

// offBy says how far a number is from the right one.
func offBy(found, right int) string {
	if found > right {
		return fmt.Sprintf("%d is %d too many", found, found-right)
	}
	return fmt.Sprintf("%d is %d too few", found, right-found)
}
