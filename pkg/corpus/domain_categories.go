package corpus

import "math/rand/v2"

// categories asks which word is in a category, which is not, and which of four is the odd one out.
type categories struct{}

func (categories) Name() string { return "categories" }
func (categories) STEM() bool   { return false }

type category struct {
	name  string
	words []string
}

// categoryTable: a word is in one category only.
var categoryTable = []category{
	{"animal", []string{"lion", "sheep", "goat", "tiger", "mouse", "rabbit", "monkey", "camel", "wolf", "pig"}},
	{"fruit", []string{"apple", "pear", "plum", "cherry", "lemon", "banana", "mango", "grape", "peach", "melon"}},
	{"tool", []string{"hammer", "saw", "drill", "wrench", "axe", "spade", "rake", "chisel", "mallet", "shovel"}},
	{"vehicle", []string{"car", "bus", "train", "truck", "ship", "plane", "tram", "bicycle", "boat", "van"}},
	{"instrument", []string{"piano", "violin", "flute", "drum", "guitar", "harp", "trumpet", "cello", "organ", "banjo"}},
	{"garment", []string{"shirt", "coat", "skirt", "scarf", "glove", "sock", "jacket", "dress", "sweater", "vest"}},
	{"drink", []string{"water", "milk", "juice", "tea", "coffee", "wine", "beer", "cocoa", "lemonade", "cider"}},
	{"building", []string{"school", "church", "castle", "tower", "barn", "hotel", "museum", "palace", "temple", "library"}},
}

func (categories) Draw(r *rand.Rand) Draft {
	var d Draft
	var options []string
	add := func(i int, word, why string) {
		d.Wrong[i] = Choice{word, word + " is " + why}
		options = append(options, word)
	}
	group := r.IntN(len(categoryTable))
	asked := categoryTable[group]
	is := withArticle(asked.name)
	// otherGroup is any category but the asked one.
	otherGroup := func() category {
		return categoryTable[(group+1+r.IntN(len(categoryTable)-1))%len(categoryTable)]
	}
	form := r.IntN(3)
	if form == 0 {
		d.Question = "Which word is " + is + "?"
		word := pick(r, asked.words)
		d.Right = Choice{word, word + " is " + is}
		options = []string{word}
		for i := 0; i < len(d.Wrong); {
			other := otherGroup()
			if word := pick(r, other.words); !contains(options, word) {
				add(i, word, withArticle(other.name))
				i++
			}
		}
	} else {
		d.Question = "Which word is not " + is + "?"
		if form == 1 {
			d.Question = "Which word is the odd one out?"
		}
		other := otherGroup()
		word := pick(r, other.words)
		d.Right = Choice{word, word + " is " + withArticle(other.name) + " and not " + is}
		options = []string{word}
		for i, word := range sample(r, asked.words, len(d.Wrong)) {
			add(i, word, is)
		}
	}
	// The question is not part of the key: four words are in one split whatever is asked about them.
	d.Key = setKey(options)
	return d
}
