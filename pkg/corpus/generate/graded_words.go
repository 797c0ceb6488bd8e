package generate

import (
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/attune-lab/attune/pkg/corpus"
)

// DrawGraded: easy, the opposite of a word; medium, which of four pairs are opposites; hard, the opposite by analogy, with another pair in the way.
func (a antonyms) DrawGraded(r *rand.Rand, g corpus.Grade) Draft {
	switch g {
	case corpus.Easy:
		return a.Draw(r)
	case corpus.Hard:
		return analogy(r)
	}
	// The right pair, and three words each beside the opposite of another one.
	pairs := sample(r, opposites, 7)
	d := Draft{Question: "Which two words are opposites?"}
	options := make([]string, 0, 4)
	for i := range 4 {
		side := r.IntN(2)
		word, opposite := pairs[i][side], pairs[i][1-side]
		why := "the opposite of " + word + " is " + opposite
		if i == 0 {
			d.Right = Choice{word + " and " + opposite, why}
			options = append(options, d.Right.Text)
			continue
		}
		d.Wrong[i-1] = Choice{word + " and " + pairs[i+3][r.IntN(2)], why}
		options = append(options, d.Wrong[i-1].Text)
	}
	d.Key = "pairs" + setKey(options)
	return d
}

func analogy(r *rand.Rand) Draft {
	pairs := sample(r, opposites, 4)
	side, first := r.IntN(2), r.IntN(2)
	word, opposite := pairs[0][side], pairs[0][1-side]
	shown := pairs[1][first] + " is to " + pairs[1][1-first]
	d := Draft{
		Question: shown + " as " + word + " is to what?",
		Right:    Choice{opposite, opposite + " is the opposite of " + word},
	}
	d.Question = strings.ToUpper(d.Question[:1]) + d.Question[1:]
	options := []string{opposite}
	for i, pair := range pairs[1:] {
		side := r.IntN(2)
		if i == 0 {
			side = 1 - first // the word that the shown pair ends with
		}
		d.Wrong[i] = Choice{pair[side], pair[side] + " is the opposite of " + pair[1-side]}
		options = append(options, pair[side])
	}
	d.Key = shown + "|" + word + setKey(options)
	return d
}

// DrawGraded: easy, which word is in a category; medium, which is not, and the odd one out; hard, which of four pairs is of one category.
func (c categories) DrawGraded(r *rand.Rand, g corpus.Grade) Draft {
	belongs := func(d Draft) bool {
		return strings.HasPrefix(d.Question, "Which word is a ") || strings.HasPrefix(d.Question, "Which word is an ")
	}
	switch g {
	case corpus.Easy:
		return drawWhere(r, c.Draw, belongs)
	case corpus.Medium:
		return drawWhere(r, c.Draw, func(d Draft) bool { return !belongs(d) })
	}
	d := Draft{Question: "Which two words are of one kind?"}
	alike := pick(r, categoryTable)
	two := sample(r, alike.words, 2)
	d.Right = Choice{two[0] + " and " + two[1], "each is " + withArticle(alike.name)}
	options := []string{d.Right.Text}
	for i := range d.Wrong {
		var first, second category
		for first = pick(r, categoryTable); second.name == "" || second.name == first.name; {
			second = pick(r, categoryTable)
		}
		x, y := pick(r, first.words), pick(r, second.words)
		d.Wrong[i] = Choice{x + " and " + y, x + " is " + withArticle(first.name) + " and " + y + " is " + withArticle(second.name)}
		options = append(options, d.Wrong[i].Text)
	}
	if len(slices.Compact(slices.Sorted(slices.Values(options)))) < len(options) {
		return c.DrawGraded(r, g)
	}
	d.Key = "pairs" + setKey(options)
	return d
}

// DrawGraded: easy, the colour of a substance, or which one has a colour or a form; medium, which has both; hard, which has the colour of one and the
// form of another.
func (s substances) DrawGraded(r *rand.Rand, g corpus.Grade) Draft {
	// "Which substance is a blue gas?" has six words, with one property there are fewer.
	ofBoth := func(d Draft) bool {
		return strings.HasPrefix(d.Question, "Which") && len(strings.Fields(d.Question)) == 6
	}
	switch g {
	case corpus.Easy:
		return drawWhere(r, s.Draw, func(d Draft) bool { return !ofBoth(d) })
	case corpus.Medium:
		return drawWhere(r, s.Draw, ofBoth)
	}
	tinted, shaped := pick(r, substanceTable), pick(r, substanceTable)
	for shaped.colour == tinted.colour || shaped.form == tinted.form {
		shaped = pick(r, substanceTable)
	}
	is := func(s substance) string { return s.name + " is a " + s.colour + " " + s.form }
	d := Draft{Question: "Which substance has the colour of " + tinted.name + " and the form of " + shaped.name + "?"}
	var options []string
	// Two options have only the colour and only the form, so that one fact alone does not decide.
	for _, kind := range []func(substance) bool{
		func(s substance) bool { return s.colour == tinted.colour && s.form == shaped.form },
		func(s substance) bool { return s.colour == tinted.colour && s.form != shaped.form },
		func(s substance) bool { return s.colour != tinted.colour && s.form == shaped.form },
		func(s substance) bool { return s.colour != tinted.colour && s.form != shaped.form },
	} {
		found := pick(r, substanceTable)
		for !kind(found) {
			found = pick(r, substanceTable)
		}
		options = append(options, found.name)
		if len(options) == 1 {
			d.Right = Choice{found.name, is(found)}
		} else {
			d.Wrong[len(options)-2] = Choice{found.name, is(found)}
		}
	}
	d.Key = d.Question + setKey(options)
	return d
}
