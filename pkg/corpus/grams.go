package corpus

import (
	"hash/fnv"
	"iter"
	"slices"
)

// gram is words in a row of an evaluation item.
type gram struct {
	set, item int
	words     []string // a part of the item's words
}

// grams finds words in a row by a hash of them that is carried along a text (Karp and Rabin 1987); every find is compared word by word.
type grams struct {
	byHash  map[uint64][]gram
	lengths map[int]bool // of the grams, in words
}

// gramBase is the base of the hash, any large odd number: here that of PCG's multiplier.
const gramBase = 6364136223846793005

// prefixHashes: entry i is the hash of the first i words, modulo 2^64.
func prefixHashes(words []string) []uint64 {
	prefix := make([]uint64, len(words)+1)
	for i, w := range words {
		h := fnv.New64a()
		h.Write([]byte(w))
		prefix[i+1] = prefix[i]*gramBase + mix(h.Sum64())
	}
	return prefix
}

// hashesOf yields the place and the hash of every n words in a row.
func hashesOf(prefix []uint64, n int) iter.Seq2[int, uint64] {
	return func(yield func(int, uint64) bool) {
		power := uint64(1)
		for range n {
			power *= gramBase
		}
		for at := range max(len(prefix)-n, 0) {
			if !yield(at, prefix[at+n]-prefix[at]*power) {
				return
			}
		}
	}
}

// add enters an item: all its runs of 13 words, or all its words if they are fewer.
func (g *grams) add(set, item int, words []string) {
	n := min(len(words), ContaminationGram)
	g.lengths[n] = true
	for at, hash := range hashesOf(prefixHashes(words), n) {
		g.byHash[hash] = append(g.byHash[hash], gram{set, item, words[at : at+n]})
	}
}

// in yields the grams that are in a text.
func (g *grams) in(words []string) iter.Seq[gram] {
	return func(yield func(gram) bool) {
		prefix := prefixHashes(words)
		for n := range g.lengths {
			for at, hash := range hashesOf(prefix, n) {
				for _, found := range g.byHash[hash] {
					if slices.Equal(found.words, words[at:at+n]) && !yield(found) {
						return
					}
				}
			}
		}
	}
}
